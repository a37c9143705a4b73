"""``run.py evaluate``: score a checkpoint, ours or a released one, or several averaged, case by case."""

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path

from commands.options import Parser, add_checkpoints, add_data, add_loading, add_shared
from commands.outputs import Folder, Output
from datasets import SegmentationDataset, build_dataset, get_spec
from datasets.loaders import evaluation_loader
from datasets.splits import has_validation_file
from evaluation.per_case import PREDICTIONS_FOLDER, PROBABILITIES_FOLDER
from evaluation.scores import Case, write_mask, write_probabilities
from evaluation.summary import SUMMARY_FILE, metrics_table
from inference.exporting.facts import SELECTED_ON
from inference.predictor import Predictor
from inference.scoring import EXAMPLES_FILE, PER_CASE_FILE, score
from reporting.case_pictures import CasePictures, levels_of
from reporting.html import REPORT_FILE, ReportRun, ReportWriter
from training.data_options import check_settings, id_numbers
from training.describe import describe_ensemble
from training.run_folder import ARGS_FILE, LATEST_FILE, remove_files
from utils.devices import pick_device, use_cores
from utils.files import staged_folder, write_json
from utils.log import RunLog, code_version
from utils.settings import NATURAL, number

RUN_NAME = "prediction"
RESULT_FILES = (SUMMARY_FILE, PER_CASE_FILE, EXAMPLES_FILE, REPORT_FILE)


def add_options(parser: Parser) -> None:
    add_data(parser, required=False)
    add_checkpoints(parser)
    parser.add_argument("--exp_path", help="where the results go (default: beside the checkpoint)")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test", help="which cases")
    add_shared(parser, "threshold")
    parser.add_argument("--save_pred", action="store_true", help="write the predicted masks as PNG")
    parser.add_argument(
        "--save_prob", action="store_true", help="write the probabilities of ensemble and levels as 16-bit PNG"
    )
    add_shared(parser, "spacing_mm", "report", "fixations")
    parser.add_argument("--seed", type=NATURAL, help="of the validation split (default: as trained)")
    parser.add_argument_group("splits").add_argument(
        "--val_fraction",
        type=number(float, 0, 0.9),
        help="share of the training cases kept apart for validation (default: as trained)",
    )
    add_loading(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    names = (
        RESULT_FILES + (f"{PREDICTIONS_FOLDER}/*",) * args.save_pred + (f"{PROBABILITIES_FOLDER}/*",) * args.save_prob
    )
    return [Folder("--exp_path", _results_folder(args), ours='"split": ', names=names, sign=SUMMARY_FILE)]


def main(args: argparse.Namespace) -> int:
    """Score the checkpoint, write and print the results."""
    if args.fixations and not args.report:
        raise ValueError("--fixations: expected with --report, which shows them, found without")
    device = pick_device(args.device)
    _, args.num_worker = use_cores(device, threads=args.threads, loaders=args.num_worker)
    predictor = Predictor(args.ckpt_path, device, ensemble=args.ensemble, tta=args.tta, spatial_size=args.spatial_size)
    dataset = _dataset(args, predictor)
    _warn_of_training_images(dataset.names, args.split, predictor)
    summary = _summary(args, predictor, dataset)
    if summary["chosen_on_these"]:
        print("warning: the checkpoint was chosen on these images, so that its score is optimistic")
    folder = _results_folder(args)
    pictures = CasePictures(dataset.spec, args.root, args.fixations) if args.report else None
    # An evaluation that fails or is stopped leaves the earlier one, and no predictions that the next would inherit.
    with staged_folder(folder, before_moving=lambda: _remove_earlier_results(folder), last=SUMMARY_FILE) as staged:
        metrics = _write_results(args, predictor, dataset, pictures, summary, staged)
    size = summary["spatial_size"]
    print(f"{dataset.spec.name} {args.split}, {len(dataset)} cases at {size}x{size}, threshold {args.threshold:g}")
    print(metrics_table(metrics))
    if pictures:
        pictures.print_missing_fixations()
        print(f"report: {folder / REPORT_FILE}, {(folder / REPORT_FILE).stat().st_size / 1e6:.1f} MB")
    print(f"results: {folder}")
    return 0


def _write_results(
    args: argparse.Namespace,
    predictor: Predictor,
    dataset: SegmentationDataset,
    pictures: CasePictures | None,
    summary: dict,
    folder: Path,
) -> dict[str, dict]:
    """All files of an evaluation; returns the metrics by level."""
    writers: list = [partial(write_mask, folder / PREDICTIONS_FOLDER)] if args.save_pred else []
    writers += [partial(write_probabilities, folder / PROBABILITIES_FOLDER)] if args.save_prob else []
    report = _report(predictor, summary, folder) if pictures else None
    if report:
        writers.append(partial(_add_case, report, pictures))
    metrics = score(
        predictor.model,
        evaluation_loader(dataset, batch_size=args.batch_size, num_worker=args.num_worker),
        dataset,
        predictor.device,
        folder,
        threshold=args.threshold,
        spacing_mm=args.spacing_mm,
        writers=writers,
        examples=True,
        network=predictor.network,
    )
    with RunLog(folder) as log:
        for level, values in metrics.items():
            log.scalars(f"{args.split}_{level}", values, predictor.iteration or 0)
    if report:
        report.runs[RUN_NAME].metrics = metrics
        report.close()
    results = {"checkpoint": {"iteration": predictor.iteration, "metrics": metrics}}
    write_json(folder / SUMMARY_FILE, summary | {"results": results})
    return metrics


def _report(predictor: Predictor, summary: dict, folder: Path) -> ReportWriter:
    facts = [("checkpoint", one.path.name) for one in predictor.checkpoints]
    facts += [("iteration", str(predictor.iteration))] if predictor.iteration is not None else []
    split, size, threshold = (summary[key] for key in ("split", "spatial_size", "threshold"))
    facts += [("split", split), ("network input", f"{size}x{size}"), ("threshold", f"above {threshold:g}")]
    run = ReportRun(RUN_NAME, what=summary["what"], facts=facts)
    title, made_by = f"{summary['data']}, {split} cases", f"run.py evaluate, version {code_version()}"
    return ReportWriter(folder / REPORT_FILE, title=title, runs=[run], made_by=made_by)


def _add_case(report: ReportWriter, pictures: CasePictures, case: Case) -> None:
    known = {"rows": levels_of(case.rows), "predictions": case.masks[0], "probabilities": case.probabilities}
    of_run = {key: {RUN_NAME: value} for key, value in known.items()}
    group = pictures.spec.case_of(case.name)
    report.add(pictures.case(case.name, group=group, truth=case.label, ignore=case.ignore, **of_run))


def _results_folder(args: argparse.Namespace) -> Path:
    """Where the results go: not into a run folder itself, whose own results they would replace."""
    several = f"_{len(args.ckpt_path)}checkpoints" if len(args.ckpt_path) > 1 else ""
    name = f"evaluate_{args.split}{several}{'_tta' if args.tta else ''}"
    if not args.exp_path:
        return Path(args.ckpt_path[0]).parent / name
    folder = Path(args.exp_path)
    return folder / name if (folder / ARGS_FILE).is_file() else folder


def _remove_earlier_results(folder: Path) -> None:
    """Take away what an earlier evaluation left: with other options it would have written other files."""
    masks = (f"{PREDICTIONS_FOLDER}/*.png", f"{PROBABILITIES_FOLDER}/*/*.png")
    if (folder / SUMMARY_FILE).is_file():
        remove_files(folder, (*RESULT_FILES, "events.out.tfevents.*", *masks))


def _dataset(args: argparse.Namespace, predictor: Predictor) -> SegmentationDataset:
    first = predictor.checkpoints[0]
    config = first.config
    data = args.data or config.get("data")
    if data is None:
        raise ValueError("--data: expected the data set, since the checkpoint does not name it; found none")
    # As it is fed: a released one does not say what it wants, and the predictor has decided.
    check_settings(get_spec(data, args.root), config | asdict(predictor.preprocessing), first.path)
    # A val.txt at hand goes before what the checkpoint remembers of another folder.
    remembered = 0.0 if has_validation_file(args.root) else config.get("val_fraction", 0.0)
    dataset = build_dataset(
        data,
        root=args.root,
        split=args.split,
        spatial_size=predictor.preprocessing.spatial_size,
        antialias=predictor.preprocessing.antialias,
        augment=False,
        val_fraction=remembered if args.val_fraction is None else args.val_fraction,
        seed=config.get("seed", 0) if args.seed is None else args.seed,
    )
    # Of the training split, too.
    dataset.full_size_labels = True
    return dataset


def _was_chosen_here(split: str, predictor: Predictor, dataset: SegmentationDataset) -> bool:
    """Whether the images chose the checkpoint that they score; the latest was not chosen, even if it is the best."""
    if all(one.path.name == LATEST_FILE for one in predictor.checkpoints):
        return False
    if predictor.selection_ids:
        return not predictor.selection_ids.isdisjoint(id_numbers(dataset.names))
    # Earlier exported ones know no more than the split.
    return SELECTED_ON.get(split) in predictor.selected_on


def _summary(args: argparse.Namespace, predictor: Predictor, dataset: SegmentationDataset) -> dict:
    """All but the results."""
    model, chosen_here = predictor.model, _was_chosen_here(args.split, predictor, dataset)
    files = [str(one.path) for one in predictor.checkpoints]
    several = f"{len(files)} checkpoints averaged" if len(files) > 1 else "checkpoint"
    views = ", flips averaged" if args.tta else ""
    views += ", chosen on these images (optimistic)" if chosen_here else ""
    return {
        "what": f"{several}, {model.num_levels} level(s){describe_ensemble(model.ensemble)}{views}",
        "chosen_on_these": chosen_here,
        "checkpoint": files[0],
        "checkpoints": files,
        "checkpoint_sha256": [one.sha256 for one in predictor.checkpoints],
        "data": dataset.spec.name,
        "root": str(args.root),
        "split": args.split,
        "spatial_size": predictor.preprocessing.spatial_size,
        "antialias": predictor.preprocessing.antialias,
        "ensemble": model.ensemble,
        "tta": args.tta,
        "threshold": args.threshold,
        "spacing_mm": args.spacing_mm,
        **({} if dataset.spec.ignore_value is None else {"ignore_value": dataset.spec.ignore_value}),
    }


def _warn_of_training_images(names: list[str], split: str, predictor: Predictor) -> None:
    """A sentence and no error: other images may go by the same ids."""
    both = [name for name, number in zip(names, id_numbers(names), strict=True) if number in predictor.train_ids]
    if both and split != "train":
        print(
            f"warning: {len(both)} of {len(names)} images go by ids that the checkpoint was trained on "
            f"({', '.join(both[:5])}); if they are the same images, this score says nothing of new ones"
        )
