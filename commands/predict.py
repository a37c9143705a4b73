"""``run.py predict``: masks, overlays and a table for images that need no masks of their own."""

import argparse
import errno
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from tqdm import tqdm

from commands.options import MULTIPLE_VALUES, Parser, add_checkpoints, add_loading, add_shared, given
from commands.outputs import PARTLY_DONE_CODE, Folder, Output
from datasets.specs import IMAGE_EXTS
from evaluation.scores import all_logits, check_finite
from evaluation.summary import describe_empty_masks
from inference.folder.images import FOLDERS, RENAME, FoundImage, find_images, passed_over
from inference.folder.loading import Batch, image_loader
from inference.folder.results import COMMAND, ERRORS_FILE, TABLE_FILE, Results, open_results
from inference.folder.writing import Writer
from inference.predictor import Predictor
from utils.devices import pick_device, use_cores
from utils.inputs import printable
from utils.interrupt import STOPPED_CODE, StopRequest

MAX_WRITERS = 4


def add_options(parser: Parser) -> None:
    add_checkpoints(parser)
    parser.add_argument(
        "--images",
        required=True,
        **MULTIPLE_VALUES,
        metavar="PATH",
        help="images, and folders of images; masks are not needed",
    )
    parser.add_argument("--recursive", action="store_true", help="sub-folders, too; the results keep them")
    group = parser.add_argument_group("results")
    group.add_argument(
        "--out",
        default="predicted",
        metavar="FOLDER",
        help="where they go (default: predicted); the same call continues there",
    )
    group.add_argument(
        "--save_prob", action="store_true", help="write the probabilities, too, as 16-bit PNG: value / 65535"
    )
    group.add_argument("--no_overlay", action="store_true", help="leave out the images with the outline of their masks")
    group.add_argument(
        "--overwrite", action="store_true", help="remove the predictions that are there first, of whatever settings"
    )
    add_shared(parser, "threshold", "spacing_mm")
    add_loading(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    # What is there already is looked at when it is opened.
    return [Folder("--out", Path(args.out), inside=tuple(f"{name}/**" for name in FOLDERS))]


def main(args: argparse.Namespace) -> int:
    """Predict all images; 0 if all are done, 1 if some were refused, 130 if it was stopped."""
    device, out = pick_device(args.device), Path(args.out)
    _, args.num_worker = use_cores(device, threads=args.threads, loaders=args.num_worker)
    images, refused = find_images(args.images, out, args.recursive)
    predictor = Predictor(args.ckpt_path, device, ensemble=args.ensemble, tta=args.tta, spatial_size=args.spatial_size)
    with open_results(out, _settings(args, predictor), overwrite=args.overwrite) as results, StopRequest() as stop:
        work = _Work(args, predictor, results)
        for path, reason in refused:
            work.refuse(path, reason)
        _tell_of_others(args)
        try:
            stopped_by = work.do(images, stop)
        finally:
            # What is done is kept, and told of, whatever ends the work.
            if results.journal.names:
                results.write_tables(work.refused)
    return _report(work, out, len(images) + len(refused), stopped_by=stopped_by)


class _Work:
    """The images of one call, and what has become of them.

    Attributes:
        done: numbers of images: those ``made``, those ``kept`` as they were up to date, those of either whose mask is
            ``empty``, and of the made ones those by the source of their spacing.
        refused: file and reason of the others.
    """

    def __init__(self, args: argparse.Namespace, predictor: Predictor, results: Results):
        self.args, self.predictor, self.results = args, predictor, results
        self.done: Counter[str | None] = Counter()
        self.refused: list[tuple[str, str]] = []
        self.write = given(Writer, args, path_of=results.path_of, overlay=not args.no_overlay)

    def do(self, images: Sequence[FoundImage], stop: StopRequest) -> str | None:
        """Predict the images, batch by batch; returns what asked for a stop before the end, else None."""
        args, left = self.args, len(images)
        # Loader processes need no network.
        prepare = self.predictor.preprocessing.prepared
        images = self.results.compared(images, self.write.kinds)
        loader = image_loader(images, prepare, batch_size=args.batch_size, num_worker=args.num_worker)
        bar = tqdm(total=left, desc=COMMAND, unit="image", disable=None)
        with bar, ThreadPoolExecutor(max(1, min(MAX_WRITERS, args.num_worker))) as pool:
            for batch in loader:
                begun = [self._begun(image) for image in batch.images]
                for image, record in pool.map(self._written, begun, self._logits(batch)):
                    self._take(image, record)
                self.results.journal.sync()
                bar.update(len(batch.images))
                left -= len(batch.images)
                if stop and left:
                    return stop.reason
        return None

    def _begun(self, image: FoundImage) -> FoundImage:
        try:
            if image.size_px is not None:
                self.results.begin(image.name, image.sha256)
        except ValueError as error:
            return image._replace(size_px=None, refused=str(error))
        return image

    @torch.inference_mode()
    def _logits(self, batch: Batch) -> Sequence[torch.Tensor | None]:
        if batch.inputs is None:
            return [None] * len(batch.images)
        try:
            return list(all_logits(self.predictor.model(batch.inputs.to(self.predictor.device))).unbind(1))
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f"{self.predictor.device}: expected memory for --batch_size {self.args.batch_size}, found too little; "
                "choose a smaller one; what is done is kept"
            ) from error

    def _written(self, image: FoundImage, logits: torch.Tensor | None) -> tuple[FoundImage, dict | None]:
        """Writes the results, if there are any; what lies with this image alone does not end the run."""
        if image.size_px is None:
            return image, None
        try:
            check_finite(logits, image.path, self.predictor.network)
            return image, self.write(image, logits[0])
        except (ValueError, OSError) as error:
            # None, too, where an image went away meanwhile, which is read again for its overlay.
            number = getattr(error, "errno", None)
            if number not in (None, errno.ENAMETOOLONG, errno.ENOENT):
                raise
            reason = f"{image.path}: {error.strerror} ({error.filename})" if number else str(error)
            return image._replace(refused=reason), None

    def _take(self, image: FoundImage, record: dict | None) -> None:
        if record is not None:
            self.results.journal.add(image.name, record)
            self.done.update(("made", record["pixel_spacing_source"]))
            if record["problem"]:
                _say(f"{record['problem']}; its mask is written all the same")
        elif image.refused is None:
            self.done["kept"] += 1
            record = self.results.journal[image.name]
        else:
            # What was made from an earlier state of the file; where it cannot even be read, it may be back soon.
            if image.sha256 is not None:
                self.results.forget(image.name)
            self.refuse(image.path, image.refused)
        self.done["empty"] += record is not None and record.get("area_px") == 0

    def refuse(self, path: Path, reason: str) -> None:
        self.refused.append((str(path), reason))
        _say(f"refused: {reason}")


def _settings(args: argparse.Namespace, predictor: Predictor) -> dict:
    return {
        "command": COMMAND,
        "ckpt_path": [{"file": str(one.path), "sha256": one.sha256} for one in predictor.checkpoints],
        "ensemble": predictor.model.ensemble,
        "tta": args.tta,
        "spatial_size": predictor.preprocessing.spatial_size,
        "threshold": args.threshold,
        "spacing_mm": args.spacing_mm,
        "channels": predictor.preprocessing.channels,
        "normalisation": predictor.preprocessing.normalisation,
        "batch_size": args.batch_size,
        "device": predictor.device.type,
        "torch": torch.__version__,
    }


def _tell_of_others(args: argparse.Namespace) -> None:
    counts, dicom = passed_over(args.images, Path(args.out), args.recursive)
    if counts:
        listed = ", ".join(f"{ending} ({count})" for ending, count in sorted(counts.items()))
        hint = "; for sub-folders give --recursive" if counts["a folder"] else ""
        _say(f"passed over, since only {', '.join(IMAGE_EXTS)} are images: {listed}{hint}")
    if dicom:
        _say(f"passed over {len(dicom)} DICOM file(s) without the ending, {dicom[0]} first; {RENAME}")


def _report(work: _Work, out: Path, num_images: int, *, stopped_by: str | None) -> int:
    done, refused = work.done, len(work.refused)
    predicted, at_detector = done["made"] + done["kept"], done["ImagerPixelSpacing"]
    if not predicted and not stopped_by:
        raise ValueError(f"--images: expected images that can be predicted, found none among {refused}; see above")
    print(f"predicted {predicted} of {num_images} images ({done['kept']} were up to date), refused {refused}")
    if done["empty"]:
        print(describe_empty_masks(done["empty"], predicted))
    if at_detector:
        print(
            f"area_mm2 of {at_detector} image(s) goes by ImagerPixelSpacing, that of the detector; in the body it is "
            "smaller"
        )
    for what, name in (("refused files", ERRORS_FILE), ("table", TABLE_FILE)):
        # Neither is there where it was stopped before the first image was done.
        if (out / name).is_file():
            print(f"{what}: {printable(out / name)}")
    if stopped_by:
        print(f"stopped ({stopped_by}); the same command continues")
        return STOPPED_CODE
    return PARTLY_DONE_CODE if refused else 0


def _say(text: str) -> None:
    tqdm.write(f"run.py {COMMAND}: {printable(text)}", file=sys.stderr)
