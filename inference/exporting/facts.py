"""Facts for the model card of an exported network: from its checkpoints, its data and its results."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from datasets.specs import DATASETS, DatasetSpec
from evaluation.metrics import THRESHOLD
from evaluation.summary import SUMMARY_FILE, read_summary, scoring_settings
from inference.exporting.network import INPUT
from inference.predictor import Predictor, Preprocessing, ReadCheckpoint
from models.registry import MODELS, SHARED_ARGUMENTS, level_arguments
from models.unet import infer_unet_architecture
from utils.images import IMAGENET_MEAN, IMAGENET_STD
from utils.settings import declared_settings

CODE_LICENCE = "MIT"
ENSEMBLE_WORDS = {"logits": "logits", "probs": "probabilities, as its logit"}
POSTPROCESSING = (
    "Take the logits, not the probability; resize them to the image's own size, bilinearly between pixel centres; then "
    f"the sigmoid; foreground is what lies above {THRESHOLD:g}"
)
# Options of a checkpoint that make the recipe; paths mean nothing to others.
RECIPE = (
    *("mode", "seg_loss", "opt", "lr", "lr_scheduler", "batch_size", "max_ite", "augment", "frozen_stages", "ema"),
    *("rounds", "pseudo", "masks", "round_ite", "seed"),
)
CONSISTENCY = ("cons_mode", "cons_weight")
# Options by which results are recognised as this network's, besides the settings that it declares.
COMPARED_OPTIONS = ("num_levels", "features", "data", "level_thresholds")
# Arguments that have an effect with several levels alone.
MULTI_LEVEL_ARGUMENTS = ("cons_mode", "init", "prop_similarity", "prop_kernel_size", "prop_dilation")
# ``selected_on`` of a checkpoint that was chosen on a split.
SELECTED_ON = {"val": "validation", "test": "test"}


def network_facts(predictor: Predictor) -> dict:
    """Facts of the network, whatever its file; in ``checkpoints``, None stands for unknown ones."""
    model, needs = predictor.model, predictor.preprocessing
    checkpoints = [_checkpoint_facts(*pair) for pair in zip(predictor.checkpoints, model.members, strict=True)]
    names = dict.fromkeys(checkpoint["data"] for checkpoint in checkpoints)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "levels": model.num_levels,
        "networks": len(checkpoints),
        "ensemble": f"mean of {ENSEMBLE_WORDS[model.ensemble]}",
        "tta": predictor.tta,
        "views": len(model.views),
        "input": {INPUT: {"shape": f"(B,{needs.channels},H,W)", "meaning": "images, prepared as below"}},
        "outputs": {
            "logits": {
                "shape": "(B,1,H,W)",
                "meaning": "the prediction: the average over levels, checkpoints and views",
            },
            "level_logits": {"shape": f"({model.num_levels},B,1,H,W)", "meaning": "the logits of each level"},
            "probability": {"shape": "(B,1,H,W)", "meaning": "sigmoid of the logits, 0..1, at the size of the input"},
        },
        "sizes": "B, H and W are free; H and W are at least 16 and need not be multiples of anything",
        "preprocessing": _preprocessing(needs),
        "postprocessing": POSTPROCESSING,
        "licence": CODE_LICENCE,
        "data": [_data_facts(name) for name in names],
        "checkpoints": checkpoints,
    }


def _data_facts(name: str | None) -> dict:
    # A data set that is not registered gets the defaults of DatasetSpec.
    spec = DATASETS.get(name, DatasetSpec)
    return {"name": name, "what": spec.what, "licence": spec.licence}


def _checkpoint_facts(checkpoint: ReadCheckpoint, network: nn.Module) -> dict:
    config, content, options = checkpoint.config, checkpoint.content, checkpoint.content.get("opt", {})
    if isinstance(options, argparse.Namespace):
        # As in released checkpoints.
        options = vars(options)
    architecture = _used(config.get("model") or {"name": "unet", **infer_unet_architecture(network.state_dict())})
    alone = architecture.get("num_levels") == 1
    recipe = dict.fromkeys((*RECIPE, *content.get("objective_settings", ()), *CONSISTENCY))
    recipe = [key for key in recipe if not (alone and key in CONSISTENCY)]
    return {
        "file": checkpoint.path.name,
        "sha256": checkpoint.sha256,
        "iteration": content.get("iteration"),
        "selected_on": content.get("selected_on") if checkpoint.is_best else None,
        "data": config.get("data"),
        "num_training_images": len(config["train_ids"]) if "train_ids" in config else None,
        "level_thresholds": config.get("level_thresholds"),
        "val_fraction": config.get("val_fraction"),
        "architecture": architecture,
        "recipe": {key: options[key] for key in recipe if isinstance(options.get(key), int | float | str)},
    }


def _used(architecture: Mapping) -> dict:
    """The arguments of ``build_model`` that have an effect in this network."""
    used = {"name", *SHARED_ARGUMENTS, *level_arguments(architecture["name"])}
    used -= set(MULTI_LEVEL_ARGUMENTS) if architecture.get("num_levels") == 1 else set()
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in architecture.items() if key in used
    }


def _preprocessing(needs: Preprocessing) -> dict:
    side = needs.spatial_size
    antialias = "with anti-aliasing (a triangle as wide as the pixels that become one)"
    resize = (
        f"resize to {side}x{side}, bilinear between pixel centres, "
        f"{antialias if needs.antialias else 'without anti-aliasing'}"
    )
    colour = "grey; colour becomes its luminance (ITU-R 601)"
    if needs.channels == 3:
        colour = "colour; grey is repeated three times"
    if needs.needs_8_bit:
        return {
            "image": f"8 bits a channel, {colour}",
            "steps": ["divide by 255", resize, "subtract the mean and divide by the standard deviation of the channel"],
            "mean": list(IMAGENET_MEAN),
            "std": list(IMAGENET_STD),
            "spatial_size": side,
        }
    return {
        "image": f"values as stored (DICOM: without window and rescaling, MONOCHROME1 or a negative RescaleSlope "
        f"inverted; what PixelPaddingValue marks gets the darkest value of the rest), {colour}",
        "steps": [
            "subtract the image's mean and divide by its standard deviation (population, over all pixels and channels "
            "but such padding; 1 where all are alike), in double precision",
            resize,
        ],
        "spatial_size": side,
    }


def find_results(predictor: Predictor, checkpoints: list[dict], folder: str | None) -> dict:
    """Find results of the network as exported, in the folder of ``--results`` or, None, beside a single checkpoint.

    ``checkpoints`` are those of ``network_facts``.

    Returns:
        ``results`` by label with ``iteration`` and ``metrics``, with what, data and split; or ``not_evaluated``, the
        reason.

    Raises:
        FileNotFoundError, ValueError: for a given folder without results, or with those of another network.
    """
    beside = predictor.checkpoints[0].path.parent / SUMMARY_FILE
    if folder is None and (len(checkpoints) > 1 or predictor.tta or not beside.is_file()):
        return {"not_evaluated": "no results of the network as it was exported were named (--results)"}
    try:
        summary = read_summary(folder or beside)
    except ValueError:
        if folder is not None:
            raise
        return {"not_evaluated": "the summary beside the checkpoint cannot be read"}
    differences = _differences(summary, predictor, checkpoints)
    if not differences:
        return _results(summary, predictor, checkpoints)
    if folder is None:
        return {"not_evaluated": f"the results beside the checkpoint are of another {' and '.join(differences)}"}
    found = ", ".join(f"{key} {there} in place of {here}" for key, (there, here) in differences.items())
    raise ValueError(f"--results {folder}: expected results of the network as exported, found {found}")


def _differences(summary: dict, predictor: Predictor, checkpoints: list[dict]) -> dict[str, tuple]:
    """Differences (summary's value, exported value) between the network of a summary and the exported one, by key."""
    first, files = checkpoints[0], _files(summary, checkpoints)
    evaluated = [result.get("iteration") for result in summary["results"].values()] or [None]
    # With several checkpoints, the iteration of any may be in the summary.
    is_there = any(checkpoint["iteration"] in evaluated for checkpoint in checkpoints)
    # Options count only where files are unknown: results may be on other data.
    network = {**first["architecture"], **first}
    # A summary keeps the path of a weights file, the checkpoint only its name.
    level = MODELS[network["name"]]
    compared = {*COMPARED_OPTIONS, *declared_settings(level.Settings)}.difference(level.pretrained_settings)
    exported = {
        **({} if files else {key: network[key] for key in compared if network.get(key)}),
        **first["recipe"],
        "iteration": first["iteration"],
        "spatial_size": predictor.preprocessing.spatial_size,
        "ensemble": predictor.model.ensemble,
        "tta": predictor.tta,
        "threshold": THRESHOLD,
    }
    # Summaries without "tta" are from before there were flips.
    found = {"tta": False, **scoring_settings(summary), "iteration": first["iteration"] if is_there else evaluated[0]}
    # Keys that older summaries lack are not compared.
    pairs = {key: (found[key], here) for key, here in exported.items() if key in found} | files
    return {key: (there, here) for key, (there, here) in pairs.items() if there != here}


def _files(summary: dict, checkpoints: list[dict]) -> dict[str, tuple[str, str]]:
    """Evaluated files of a summary beside the exported ones; empty if it names none.

    By their checksums if it has them, as many runs have equal iterations and names, else by their names.
    """
    sums, paths = summary.get("checkpoint_sha256"), summary.get("checkpoints")
    if isinstance(sums, list):
        there, here = sums, [checkpoint["sha256"] for checkpoint in checkpoints]
    elif isinstance(paths, list):
        there, here = [Path(str(path)).name for path in paths], [checkpoint["file"] for checkpoint in checkpoints]
    else:
        return {}
    # Sorted, as an average does not depend on the order.
    return {"checkpoint": (", ".join(sorted(map(str, there))), ", ".join(sorted(here)))}


def _results(summary: dict, predictor: Predictor, checkpoints: list[dict]) -> dict:
    here = {checkpoint["iteration"] for checkpoint in checkpoints}
    # Training reads the test set.
    split = summary.get("split", "test")
    # A split of other data has the same name.
    optimistic = summary.get("chosen_on_these", SELECTED_ON.get(split) in predictor.selected_on)
    return {
        "what": summary.get("what"),
        "data": summary.get("data"),
        "split": split,
        "results": {
            label: {
                "iteration": result.get("iteration"),
                "optimistic": label == "test_selected" or (label == "checkpoint" and optimistic),
                "metrics": result["metrics"],
            }
            for label, result in summary["results"].items()
            if result.get("iteration") in here
        },
    }
