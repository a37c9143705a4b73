"""Checkpoints: atomic write, and safe load, which runs no code that they contain."""

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.checkpoint_file import SCALARS, RefusedError, check_file
from models.checkpoint_schema import check_content, named, plain
from utils.files import replacing

# Plain numbers and options, as the released checkpoints hold them; "numpy.core" is the name of NumPy 1.x.
_SCALAR = np.float64(0).__reduce__()[0]
SAFE_GLOBALS = [
    *((_SCALAR, f"{module}.multiarray.scalar") for module in ("numpy.core", "numpy._core")),
    np.dtype,
    *(type(np.dtype(code)) for code in SCALARS),
    argparse.Namespace,
]


def save_checkpoint(path: str | Path, content: Mapping, *, previous: str | Path | None = None) -> None:
    """Write a checkpoint under a temporary name and rename it; an older one survives any failure.

    Args:
        path: its file.
        content: tensors and plain values.
        previous: the name under which an older ``path`` is kept.

    Raises:
        OSError: with ``path``, if it cannot be written, as on a full disk.
    """
    path = Path(path)
    with replacing(path) as temporary:
        with open(temporary, "wb") as file:
            try:
                torch.save(dict(content), file)
            except RuntimeError as error:
                # torch's writer puts its own error before that of the file.
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise
        if previous is not None and path.is_file():
            _keep_as_previous(path, Path(previous))


def _keep_as_previous(path: Path, previous: Path) -> None:
    """Hard link a checkpoint as ``previous``; it keeps its own name too, where the file system has links."""
    previous.unlink(missing_ok=True)
    try:
        os.link(path, previous)
    except OSError:
        os.replace(path, previous)


def load_latest(latest: str | Path, previous: str | Path) -> tuple[dict, str | None]:
    """The latest checkpoint of a run, or the previous one if it is corrupt.

    Returns:
        The checkpoint, and a warning if it is the previous one, else None.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if the newest is broken and there is no whole one before it.
    """
    if not Path(latest).exists() and not Path(previous).exists():
        raise FileNotFoundError(f"{latest}: expected a checkpoint to resume, found none")
    try:
        return load_checkpoint(latest), None
    except (FileNotFoundError, ValueError) as error:
        if not Path(previous).is_file():
            raise
        return load_checkpoint(previous), f"{error}; falling back to {previous}"


def load_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint of this project or of the reference onto the CPU.

    Returns:
        A dict with at least ``state_dict``, finite weights by name, freed of the prefixes of distributed training,
        ``torch.compile`` and Lightning; the other entries as saved (``iteration``, ``best_performance``,
        ``best_iteration``, ``config``, ...), as ``models.checkpoint_schema`` describes them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is corrupt (by its checksums, where it has some), no checkpoint, holds what it may not hold,
            or would need code of its own to be read.
        OSError: if it may not be read.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "something else" if path.exists() else "none"
        beside = ", ".join(sorted(file.name for file in path.parent.glob("*.pth") if file.name != path.name))
        hint = f"; beside it: {beside} (the best one is there only if masks gave a Dice to choose by)" if beside else ""
        raise FileNotFoundError(f"{path}: expected a checkpoint, found {found}{hint}")
    content = _read(path)
    try:
        content = _with_state_dict(plain(content))
        check_content(content, size=path.stat().st_size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return content


def _read(path: Path) -> Any:
    with open(path, "rb") as file:
        # Device files have no size, and some no end.
        if not os.fstat(file.fileno()).st_size:
            raise ValueError(f"{path}: expected a checkpoint, found an empty file")
    try:
        check_file(path)
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except RefusedError as error:
        raise ValueError(f"{path}: expected weights and plain values, found {error}") from error
    except Exception as error:  # a damaged pickle stream can raise anything
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ValueError(f"{path}: expected a checkpoint, found a corrupt or foreign file ({reason})") from error


def _with_state_dict(content: Any) -> dict:
    if _is_state_dict(content):
        content = {"state_dict": content}
    entries = content if isinstance(content, dict) else {}
    candidates = [name for name, value in entries.items() if _is_state_dict(value)]
    # Other projects name it model or model_state_dict.
    name = candidates[0] if len(candidates) == 1 and "state_dict" not in entries else "state_dict"
    if name not in candidates:
        names = list(entries) if isinstance(content, dict) else [type(content).__name__]
        found = ", ".join(map(named, names[:5]))
        raise ValueError(f"expected a checkpoint with a state_dict of tensors, found {found or 'nothing'}")
    state_dict = entries.pop(name)
    weights = {_unwrapped(key): value for key, value in state_dict.items()}
    if len(weights) < len(state_dict):
        raise ValueError("expected each weight once, found some with and without the prefix of a wrapper")
    if {key.partition(".")[0] for key in weights} == {"encoder", "classifier", "head"}:
        # Released full supervision has one network, whose keys lack the prefix of the level.
        weights = {f"model.0.{key}": value for key, value in weights.items()}
    return {**entries, "state_dict": weights}


def _unwrapped(key: str) -> str:
    """A weight's key without the prefixes of ``torch.compile`` and distributed training, around all levels or one, and
    of the attribute that holds the network in another module, as in Lightning."""
    key = re.sub(r"(^|\.)(?:_orig_mod\.)+", r"\1", key)
    key = re.sub(r"^(?:(?:module|model|net|network)\.)+(?=model\.\d+\.|encoder\.|classifier\.|head\.)", "", key)
    return re.sub(r"^(?:module\.)*(model\.\d+\.)?(?:module\.)*", r"\1", key)


def _is_state_dict(content: Any) -> bool:
    is_dict = isinstance(content, dict) and len(content) > 0
    return is_dict and all(type(key) is str and isinstance(value, Tensor) for key, value in content.items())
