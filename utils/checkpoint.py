"""Checkpoints: written whole or not at all, read without running anything that they contain."""

from __future__ import annotations

import argparse
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from utils.files import replacing

# Plain numbers and options, as the released checkpoints hold them; "numpy.core" is the name of NumPy 1.x.
_SCALAR = np.float64(0).__reduce__()[0]
SAFE_GLOBALS = [
    *((_SCALAR, f"{module}.multiarray.scalar") for module in ("numpy.core", "numpy._core")),
    np.dtype,
    *(type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "?")),
    argparse.Namespace,
]


def save_checkpoint(path: str | Path, content: Mapping) -> None:
    """Write a checkpoint under a temporary name and rename it; an older one survives any failure."""
    with replacing(path) as temporary:
        torch.save(dict(content), temporary)


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint of this project or of the reference onto the CPU.

    Returns:
        A dict with at least ``state_dict``, its keys freed of the prefix of distributed training; the other
        entries as saved (``iteration``, ``best_performance``, ``best_iteration``, ``config``, ...).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is corrupt, no checkpoint, or would need code of its own to be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a checkpoint (--ckpt_path), found none")
    try:
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: expected weights and plain values, found {_refused(error)}") from error
    except Exception as error:  # a damaged pickle stream can raise anything
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ValueError(f"{path}: expected a checkpoint, found a corrupt or foreign file ({reason})") from error
    return _with_state_dict(path, content)


def _refused(error: Exception) -> str:
    """What torch's safe reader stumbled over, in words."""
    # torch's two wordings: of modules that can do harm, and of any other.
    named = re.search(r"unsupported (?:global: )?GLOBAL (\S+)", str(error), re.IGNORECASE)
    if named:
        return f"an object of type {named[1]}, which is not loaded for safety; do not trust this file"
    return "something else: the file is corrupt, or would run code when loaded; do not trust it"


def _with_state_dict(path: Path, content) -> dict:
    if isinstance(content, Mapping) and _is_state_dict(content):
        content = {"state_dict": content}
    state_dict = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state_dict, Mapping) or not _is_state_dict(state_dict):
        found = ", ".join(map(str, list(content)[:5])) if isinstance(content, Mapping) else type(content).__name__
        raise ValueError(f"{path}: expected a checkpoint with a state_dict of tensors, found {found or 'nothing'}")
    weights = {str(key).removeprefix("module."): value for key, value in state_dict.items()}
    return {**content, "state_dict": weights}


def _is_state_dict(content: Mapping) -> bool:
    return bool(content) and all(isinstance(value, Tensor) for value in content.values())
