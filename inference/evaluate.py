"""Evaluation of checkpoints, ours or released, one or several averaged, case by case."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from datasets import SegmentationDataset, build_dataset, get_spec
from datasets.loaders import evaluation_loader
from datasets.remembered import check_settings, hash_ids
from datasets.splits import has_validation_file
from evaluation.per_case import PER_CASE_FILE, PREDICTIONS_FOLDER, PROBABILITIES_FOLDER
from evaluation.run_names import ARGS_FILE, LATEST_FILE
from evaluation.summary import SUMMARY_FILE, metrics_table
from inference.exporting.facts import SELECTED_ON
from inference.network_scores import Case, write_mask, write_probabilities
from inference.predictor import Predictor, PredictorSettings
from inference.scoring import EXAMPLES_FILE, score
from models.multi_level import describe_ensemble
from reporting.case_pictures import CasePictures, levels_of
from reporting.html import REPORT_FILE, ReportRun, ReportWriter
from utils.files import remove_files, staged_folder, write_json
from utils.inputs import first_few, paths_of
from utils.log import RunLog, code_version

RUN_NAME = "prediction"
RESULT_FILES = (SUMMARY_FILE, PER_CASE_FILE, EXAMPLES_FILE, REPORT_FILE)


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(PredictorSettings):
    """Settings of an evaluation, the options of ``evaluate`` by name.

    Attributes:
        root: folder of the data set.
        data: name of the data set; None as trained.
        exp_path: folder of the results; None: beside the checkpoint. See ``results_folder``.
        split: ``test``, ``val`` or ``train``.
        save_pred: write the predicted masks as PNG.
        report: write ``report.html``, with the ``fixations`` of a table.
        seed, val_fraction: of the validation split; None as trained.
    """

    root: str | Path
    data: str | None = None
    exp_path: str | Path | None = None
    split: str = "test"
    save_pred: bool = False
    report: bool = False
    fixations: str | Path | None = None
    seed: int | None = None
    val_fraction: float | None = None


def evaluate(settings: EvaluationSettings) -> dict[str, dict]:
    """Score the checkpoints, write and print the results.

    Returns:
        The metrics by level, as ``evaluation.summary.summarize`` makes them, with intervals.

    Raises:
        OSError, ValueError: for checkpoints or data that cannot be read or do not fit each other, outputs that are not
            finite, or results that cannot be written; earlier results then stay.
    """
    if settings.fixations and not settings.report:
        raise ValueError("--fixations: expected with --report, which shows them, found without")
    predictor, settings = settings.open()
    dataset = _dataset(settings, predictor)
    _warn_of_training_images(dataset.names, settings.split, predictor)
    summary = _summary(settings, predictor, dataset)
    if summary["chosen_on_these"]:
        print("warning: the checkpoint was chosen on these images, so that its score is optimistic")
    folder = results_folder(settings)
    pictures = CasePictures(dataset.spec, settings.root, settings.fixations) if settings.report else None
    # Staged: an evaluation that fails or is stopped leaves the earlier results, and none of its own.
    with staged_folder(folder, before_moving=lambda: _remove_earlier_results(folder), last=SUMMARY_FILE) as staged:
        metrics = _write_results(settings, predictor, dataset, pictures, summary, staged)
    size = summary["spatial_size"]
    print(
        f"{dataset.spec.name} {settings.split}, {len(dataset)} cases at {size}x{size}, threshold {settings.threshold:g}"
    )
    print(metrics_table(metrics))
    if pictures:
        pictures.print_missing_fixations()
        print(f"report: {folder / REPORT_FILE}, {(folder / REPORT_FILE).stat().st_size / 1e6:.1f} MB")
    print(f"results: {folder}")
    return metrics


def _write_results(
    settings: EvaluationSettings,
    predictor: Predictor,
    dataset: SegmentationDataset,
    pictures: CasePictures | None,
    summary: dict,
    folder: Path,
) -> dict[str, dict]:
    """Write all files of an evaluation; returns the metrics by level."""
    writers: list = [partial(write_mask, folder / PREDICTIONS_FOLDER)] if settings.save_pred else []
    writers += [partial(write_probabilities, folder / PROBABILITIES_FOLDER)] if settings.save_prob else []
    report = _report(predictor, summary, folder) if pictures else None
    if report:
        writers.append(partial(_add_case, report, pictures))
    metrics = score(
        predictor.model,
        evaluation_loader(dataset, batch_size=settings.batch_size, num_worker=settings.num_worker),
        dataset,
        predictor.device,
        folder,
        threshold=settings.threshold,
        spacing_mm=settings.spacing_mm,
        writers=writers,
        examples=True,
        network=predictor.network,
    )
    with RunLog(folder) as log:
        for level, values in metrics.items():
            log.scalars(f"{settings.split}_{level}", values, predictor.iteration or 0)
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
    by_run = {key: {RUN_NAME: value} for key, value in known.items()}
    group = pictures.spec.case_of(case.name)
    report.add(pictures.case(case.name, group=group, truth=case.label, ignore=case.ignore, **by_run))


def results_folder(settings: EvaluationSettings) -> Path:
    """Folder of the results; never a run folder itself, whose own results they would replace."""
    checkpoints = paths_of(settings.ckpt_path)
    several = f"_{len(checkpoints)}checkpoints" if len(checkpoints) > 1 else ""
    name = f"evaluate_{settings.split}{several}{'_tta' if settings.tta else ''}"
    if not settings.exp_path:
        return checkpoints[0].parent / name
    folder = Path(settings.exp_path)
    return folder / name if (folder / ARGS_FILE).is_file() else folder


def _remove_earlier_results(folder: Path) -> None:
    """Remove the files of an earlier evaluation, which may be others, by other options."""
    masks = (f"{PREDICTIONS_FOLDER}/*.png", f"{PROBABILITIES_FOLDER}/*/*.png")
    if (folder / SUMMARY_FILE).is_file():
        remove_files(folder, (*RESULT_FILES, "events.out.tfevents.*", *masks))


def _dataset(settings: EvaluationSettings, predictor: Predictor) -> SegmentationDataset:
    first = predictor.checkpoints[0]
    config = first.config
    data = settings.data or config.get("data")
    if data is None:
        raise ValueError("--data: expected the data set, since the checkpoint does not name it; found none")
    # With the predictor's preprocessing, as a released checkpoint names none.
    check_settings(get_spec(data, settings.root), config | asdict(predictor.preprocessing), first.path)
    # A val.txt overrides the checkpoint's val_fraction, which may be of another folder.
    remembered = 0.0 if has_validation_file(settings.root) else config.get("val_fraction", 0.0)
    dataset = build_dataset(
        data,
        root=settings.root,
        split=settings.split,
        spatial_size=predictor.preprocessing.spatial_size,
        antialias=predictor.preprocessing.antialias,
        augment=False,
        val_fraction=remembered if settings.val_fraction is None else settings.val_fraction,
        seed=config.get("seed", 0) if settings.seed is None else settings.seed,
    )
    # Also in the training split.
    dataset.full_size_labels = True
    return dataset


def _was_chosen_here(split: str, predictor: Predictor, dataset: SegmentationDataset) -> bool:
    """Whether the checkpoint was chosen on the images that score it; the latest never counts as chosen."""
    if all(one.path.name == LATEST_FILE for one in predictor.checkpoints):
        return False
    if predictor.selection_ids:
        return not predictor.selection_ids.isdisjoint(hash_ids(dataset.names))
    # Earlier exported checkpoints have only the split.
    return SELECTED_ON.get(split) in predictor.selected_on


def _summary(settings: EvaluationSettings, predictor: Predictor, dataset: SegmentationDataset) -> dict:
    """The summary without results."""
    model, chosen_here = predictor.model, _was_chosen_here(settings.split, predictor, dataset)
    files = [str(one.path) for one in predictor.checkpoints]
    several = f"{len(files)} checkpoints averaged" if len(files) > 1 else "checkpoint"
    views = ", flips averaged" if settings.tta else ""
    views += ", chosen on these images (optimistic)" if chosen_here else ""
    return {
        "what": f"{several}, {model.num_levels} level(s){describe_ensemble(model.ensemble)}{views}",
        "chosen_on_these": chosen_here,
        "checkpoint": files[0],
        "checkpoints": files,
        "checkpoint_sha256": [one.sha256 for one in predictor.checkpoints],
        "data": dataset.spec.name,
        "root": str(settings.root),
        "split": settings.split,
        "spatial_size": predictor.preprocessing.spatial_size,
        "antialias": predictor.preprocessing.antialias,
        "ensemble": model.ensemble,
        "tta": settings.tta,
        "threshold": settings.threshold,
        "spacing_mm": settings.spacing_mm,
        **({} if dataset.spec.ignore_value is None else {"ignore_value": dataset.spec.ignore_value}),
    }


def _warn_of_training_images(names: list[str], split: str, predictor: Predictor) -> None:
    """Warn of training images by their ids; no error, as other images may have the same ids."""
    both = [name for name, number in zip(names, hash_ids(names), strict=True) if number in predictor.train_ids]
    if both and split != "train":
        print(
            f"warning: {len(both)} of {len(names)} images go by ids that the checkpoint was trained on "
            f"({first_few(both)}); if they are the same images, this score says nothing of new ones"
        )
