"""A checkpoint of this project with weights of half precision and nothing of training: what predict needs."""

from pathlib import Path

import torch
from torch import Tensor

from inference.exporting.network import ExportWrapper, Runner
from inference.predictor import Predictor
from models.checkpoint import save_checkpoint
from models.checkpoint_schema import CONFIG

# Of a checkpoint; what else it holds is for going on with training. Training images are known by numbers, so that
# nobody evaluates on them unawares.
KEPT = ("iteration", "selected_on", "best_iteration", "selection_ids")
CONFIG_KEPT = CONFIG.keys() - {"ignore_value"}

# Weights of up to so many values keep their precision: the depthwise convolutions and the first stages, a quarter of a
# megabyte in the lite0, which make more than nine tenths of the error of halving all.
MOST_VALUES_KEPT = 2**14


def write(module: ExportWrapper, predictor: Predictor, path: Path) -> dict:
    """Write the checkpoint; see ``formats.Format``. Statistics and other small tensors keep their precision.

    Raises:
        ValueError: for several checkpoints, or averaged views, which one checkpoint cannot hold; for an
            ensemble that a released one, which has no place for it, was not trained with.
    """
    if len(predictor.checkpoints) > 1 or predictor.tta:
        raise ValueError("--format checkpoint: expected one --ckpt_path and no --tta, found an average")
    weights = {key: _halved(weight) for key, weight in predictor.model.members[0].state_dict().items()}
    (checkpoint,) = predictor.checkpoints
    config = {key: value for key, value in checkpoint.config.items() if key in CONFIG_KEPT}
    config["spatial_size"] = predictor.preprocessing.spatial_size
    if "model" in config:
        config["model"] = {**config["model"], "ensemble": predictor.model.ensemble}
    elif predictor.model.ensemble != "logits":
        raise ValueError("--format checkpoint: expected --ensemble logits of a released checkpoint, found another")
    kept = {key: value for key, value in checkpoint.content.items() if key in KEPT}
    save_checkpoint(path, {"state_dict": weights, **kept, "config": config})
    return {}


def load(path: Path) -> Runner:
    """Read it back; see ``formats.Format``."""
    network = ExportWrapper(Predictor([path], torch.device("cpu")).model).eval()
    return torch.inference_mode()(network)


def _halved(weight: Tensor) -> Tensor:
    return weight.half() if weight.is_floating_point() and weight.numel() > MOST_VALUES_KEPT else weight
