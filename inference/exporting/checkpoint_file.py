"""Export as a small checkpoint: weights in half precision, without the state of training."""

from pathlib import Path

import torch
from torch import Tensor

from inference.exporting.network import ExportWrapper, Runner
from inference.predictor import Predictor
from models.checkpoint import save_checkpoint
from models.checkpoint_schema import CONFIG

# Entries of a checkpoint that are kept; the others are for resuming. Hashes of training images stay, so that evaluation
# can warn of them.
KEPT = ("iteration", "selected_on", "best_iteration", "selection_ids")
CONFIG_KEPT = CONFIG.keys() - {"ignore_value"}

# Weights of up to so many values keep their precision: the depthwise convolutions and the first stages, a quarter of a
# megabyte in the lite0, would cause more than nine tenths of the error.
MOST_VALUES_KEPT = 2**14


def write(module: ExportWrapper, predictor: Predictor, path: Path) -> dict:
    """Write the checkpoint; see ``formats.Format``. Statistics and other small tensors keep their precision.

    Raises:
        ValueError: for several checkpoints, or averaged views, which one checkpoint cannot hold; and for another
            ensemble of a released one, which has no entry for it.
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
