"""Results of a run: scores on the test set, read once at the end, and the summary."""

import functools
import os

from torch import nn

from datasets.remembered import remembered_settings
from evaluation.metrics import HEADLINE, MEASURES
from evaluation.per_case import ENSEMBLE, PREDICTIONS_FOLDER
from evaluation.run_names import BEST_FILE, LATEST_FILE
from evaluation.summary import SUMMARY_FILE, TRAIN_LIST, describe_metrics
from inference.network_scores import write_mask
from inference.scoring import PER_CASE_FILE, score
from losses import OBJECTIVES
from models import build_from_weights
from models.checkpoint import load_checkpoint
from training.checkpoints import recipe_of, start_weights
from training.describe import what_is_trained
from training.run import Run
from training.run_folder import first_options
from utils.devices import device_name
from utils.files import write_json
from utils.log import code_version


def finish(run: Run) -> None:
    """Score the last iteration and the checkpoint chosen on the selection split on the test set; write the summary."""
    results: dict[str, dict] = {}
    has_best = run.state.best_performance is not None and (run.folder / BEST_FILE).is_file()
    headline = "validation_selected" if run.data.selection_split == "validation" and has_best else "last"
    if run.data.test is not None:
        loader = run.loader(run.data.test)
        results["last"] = _score(run, run.network, loader, "last", headline, run.state.iteration)
        if has_best:
            label = f"{run.data.selection_split}_selected"
            best = load_checkpoint(run.folder / BEST_FILE)
            model = build_from_weights(best["state_dict"], (best.get("config") or {}).get("model")).to(run.device)
            results[label] = _score(run, model, loader, label, headline, best.get("iteration") or 0)
    settings = run.settings
    summary = {
        "what": what_is_trained(settings),
        **settings.subset(("data", "mode", "num_levels", "cons_mode", "seed")),
        "recipe": _recipe(run),
        "spatial_size": settings.spatial_size,
        "num_train": len(run.data.train),
        TRAIN_LIST: first_options(run.folder).get(TRAIN_LIST),
        "num_without_map": len(run.data.train.without_map),
        "num_test": len(run.data.test or ()),
        "selected_on": run.data.selection_split,
        "headline": headline if results else None,
        "results": results,
        "seconds": round(run.state.seconds, 1),
        "skipped_steps": run.state.skipped,
        "float16_overflows": run.state.overflows,
        "device": device_name(run.device),
        "processes": run.group.size,
        "version": code_version(),
    }
    if run.group.is_main:
        write_json(run.folder / SUMMARY_FILE, summary)
    if results:
        final = {name: results[headline]["metrics"][ENSEMBLE][f"{name}_mean"] for name in HEADLINE}
        known = {name: value for name, value in final.items() if value is not None}
        run.log.hyperparameters(summary["recipe"] | {"seed": settings.seed}, known, run.state.iteration)
    elif settings.is_last_round:
        run.log.info("no masks or no test.txt: nothing was evaluated on test images")
    _tell_of_best(run)


def _tell_of_best(run: Run) -> None:
    """Warn where ``model_best.pth`` is missing, or no better than others."""
    split, best, log = run.data.selection_split, run.state.best_performance, run.log
    metric = MEASURES[OBJECTIVES[run.settings.mode].selected_by].title
    # The rounds before the last one see no test set.
    if run.settings.select == "last" or (split is None and not run.settings.is_last_round):
        return
    if split is None:
        log.info(f"nothing with masks to choose a best checkpoint on: there is no {BEST_FILE}; take {LATEST_FILE}")
    elif best is None:
        log.info(
            f"warning: no {split} case had a defined {metric} in any validation (nothing there or predicted), so that "
            f"no best checkpoint was chosen: there is no {BEST_FILE}; take {LATEST_FILE}"
        )
    elif best == 0:
        log.info(
            f"warning: the {metric} on the {split} set was 0 in all validations: {BEST_FILE} is of the first of them, "
            f"iteration {run.state.best_iteration}, and no better than the others; most likely the network has to "
            "train longer (--max_ite), unless the masks are empty"
        )


def _recipe(run: Run) -> dict:
    """The recipe in the summary, which all seeds of one experiment share."""
    settings = run.settings
    recipe = recipe_of(settings)
    del recipe["seed"]
    if settings.skip_missing_gaze:
        recipe["skip_missing_gaze"] = True
    if settings.amp == "auto":
        # As resolved, which differs between machines.
        recipe["amp"] = run.amp
    # The fixation table or the folder of maps behind the labels, if outside of the data folder.
    key = "fixations" if settings.makes_labels else "map_folder"
    source = getattr(settings, key)
    return recipe | {
        # As used, given or the data set's.
        "level_thresholds": list(run.data.train.thresholds or ()),
        **remembered_settings(run.data.train.spec),
        # Another folder may have gaze maps of another preparation under the same names.
        "root": os.path.normpath(settings.root),
        **({key: os.path.normpath(source)} if source else {}),
        "selected_on": run.data.selection_split,
        "start_weights": start_weights(run.folder),
    }


def _score(run: Run, model: nn.Module, loader, label: str, headline: str, iteration: int) -> dict:
    main_result = label == headline
    writers = [functools.partial(write_mask, run.folder / PREDICTIONS_FOLDER)] if run.settings.save_pred else []
    metrics = score(
        model,
        loader,
        run.data.test,
        run.device,
        run.folder,
        writers=writers if main_result else [],
        examples=main_result,
        group=run.group,
        per_case_file=PER_CASE_FILE if main_result else f"per_case_{label}.csv",
        network=f"the network at iteration {iteration}",
    )
    warning = " (chosen on the test set, as released: optimistic)" if label == "test_selected" else ""
    run.log.info(f"[test, {label.replace('_', ' ')}{warning} | Ite {iteration}] {describe_metrics(metrics)}")
    return {"iteration": int(iteration), "metrics": metrics}
