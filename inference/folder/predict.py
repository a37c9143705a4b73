"""Prediction of folders of images: masks, overlays and a table, safe to stop and to continue."""

import errno
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from datasets.specs import IMAGE_EXTS
from evaluation.summary import describe_empty_masks
from inference.folder.images import RENAME, FoundImage, find_images, skipped_files
from inference.folder.loading import Batch, image_loader
from inference.folder.results import COMMAND, ERRORS_FILE, TABLE_FILE, Results, open_results
from inference.folder.writing import Writer
from inference.network_scores import all_logits, check_finite
from inference.predictor import Predictor, PredictorSettings
from utils.inputs import printable
from utils.interrupt import PARTLY_DONE_CODE, STOPPED_CODE, StopRequest

MAX_WRITERS = 4


@dataclass(frozen=True, kw_only=True)
class PredictionSettings(PredictorSettings):
    """Settings of a prediction, the options of ``predict`` by name.

    Attributes:
        images: images, and folders of images; one or several.
        out: folder of the results, which a later call continues.
        recursive: also search sub-folders.
        no_overlay: leave overlays out.
        overwrite: remove existing predictions first.
    """

    images: str | Path | Sequence[str | Path]
    out: str | Path = "predicted"
    recursive: bool = False
    no_overlay: bool = False
    overwrite: bool = False


def predict_folder(settings: PredictionSettings) -> int:
    """Predict all images.

    Returns:
        0 if all are done, 1 if some were refused, 130 if it was stopped.

    Raises:
        OSError, ValueError: for broken checkpoints, no image at all, or a folder of results that has other settings or
            cannot be written.
    """
    out = Path(settings.out)
    images, refused = find_images(settings.images, out, settings.recursive)
    predictor, settings = settings.open()
    with (
        open_results(out, _recorded(settings, predictor), overwrite=settings.overwrite) as results,
        StopRequest() as stop,
    ):
        work = _Work(settings, predictor, results)
        for path, reason in refused:
            work.refuse(path, reason)
        _tell_of_others(settings)
        try:
            stopped_by = work.do(images, stop)
        finally:
            # Whatever ends the work, the tables list what is done.
            if results.journal.names:
                results.write_tables(work.refused)
    return _report(work, out, len(images) + len(refused), stopped_by=stopped_by)


class _Work:
    """The work of one call, and its counts.

    Attributes:
        done: numbers of images: ``made``, ``kept`` as up to date, ``empty`` masks of either, and of the made ones by
            the source of their spacing.
        refused: file and reason of the others.
    """

    def __init__(self, settings: PredictionSettings, predictor: Predictor, results: Results):
        self.settings, self.predictor, self.results = settings, predictor, results
        self.done: Counter[str | None] = Counter()
        self.refused: list[tuple[str, str]] = []
        self.write = Writer(
            path_of=results.path_of,
            threshold=settings.threshold,
            spacing_mm=settings.spacing_mm,
            overlay=not settings.no_overlay,
            save_prob=settings.save_prob,
        )

    def do(self, images: Sequence[FoundImage], stop: StopRequest) -> str | None:
        """Predict the images, batch by batch; returns the reason of a stop before the end, else None."""
        settings, left = self.settings, len(images)
        # Loader processes need no network.
        prepare = self.predictor.preprocessing.prepared
        images = self.results.compared(images, self.write.kinds)
        loader = image_loader(images, prepare, batch_size=settings.batch_size, num_worker=settings.num_worker)
        bar = tqdm(total=left, desc=COMMAND, unit="image", disable=None)
        with bar, ThreadPoolExecutor(max(1, min(MAX_WRITERS, settings.num_worker))) as pool:
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
                f"{self.predictor.device}: expected memory for --batch_size {self.settings.batch_size}, found too "
                "little; choose a smaller one; what is done is kept"
            ) from error

    def _written(self, image: FoundImage, logits: torch.Tensor | None) -> tuple[FoundImage, dict | None]:
        """Write the results, if there are any; an error of this image alone does not end the run."""
        if image.size_px is None:
            return image, None
        try:
            check_finite(logits, image.path, self.predictor.network)
            return image, self.write(image, logits[0])
        except (ValueError, OSError) as error:
            # ENOENT where an image was removed meanwhile, which is read again for its overlay.
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
            # Remove results of an earlier state of the file; an unreadable file may be back soon.
            if image.sha256 is not None:
                self.results.forget(image.name)
            self.refuse(image.path, image.refused)
        self.done["empty"] += record is not None and record.get("area_px") == 0

    def refuse(self, path: Path, reason: str) -> None:
        self.refused.append((str(path), reason))
        _say(f"refused: {reason}")


def _recorded(settings: PredictionSettings, predictor: Predictor) -> dict:
    return {
        "command": COMMAND,
        "ckpt_path": [{"file": str(one.path), "sha256": one.sha256} for one in predictor.checkpoints],
        "ensemble": predictor.model.ensemble,
        "tta": settings.tta,
        "spatial_size": predictor.preprocessing.spatial_size,
        "threshold": settings.threshold,
        "spacing_mm": settings.spacing_mm,
        "channels": predictor.preprocessing.channels,
        "normalisation": predictor.preprocessing.normalisation,
        "batch_size": settings.batch_size,
        "device": predictor.device.type,
        "torch": torch.__version__,
    }


def _tell_of_others(settings: PredictionSettings) -> None:
    counts, dicom = skipped_files(settings.images, Path(settings.out), settings.recursive)
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
        # A stop before the first image leaves neither.
        if (out / name).is_file():
            print(f"{what}: {printable(out / name)}")
    if stopped_by:
        print(f"stopped ({stopped_by}); the same command continues")
        return STOPPED_CODE
    return PARTLY_DONE_CODE if refused else 0


def _say(text: str) -> None:
    tqdm.write(f"run.py {COMMAND}: {printable(text)}", file=sys.stderr)
