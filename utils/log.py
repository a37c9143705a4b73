"""What a run says: lines on the console and in train.log, scalars and pictures for TensorBoard."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm


class RunLog:
    """Console, ``train.log`` and TensorBoard events of one run folder.

    Args:
        folder: the run folder, made if absent; existing logs are appended to.
        quiet: nothing on the console.
    """

    def __init__(self, folder: Path, *, quiet: bool = False):
        # Imported here: it takes a second, and only training needs it.
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self.logger = logging.getLogger(f"gazemedseg.{folder}")
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False
        self._handlers: list[logging.Handler] = [logging.FileHandler(folder / "train.log", encoding="utf-8")]
        if not quiet:
            self._handlers.append(_TqdmHandler())
        for handler in self._handlers:
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
            self.logger.addHandler(handler)
        self.writer = SummaryWriter(str(folder))

    def info(self, message: str) -> None:
        """A line, behind the time of day, on the console (unless quiet) and in ``train.log``."""
        self.logger.info(message)

    def scalars(self, group: str, values: Mapping[str, float | None], iteration: int) -> None:
        """Add numbers under ``group/name``; missing ones are skipped."""
        for name, value in values.items():
            if value is not None:
                self.writer.add_scalar(f"{group}/{name}", value, iteration)

    def picture(self, tag: str, picture: np.ndarray, iteration: int) -> None:
        """Add an (H,W,3) uint8 picture."""
        self.writer.add_image(tag, picture, iteration, dataformats="HWC")

    def close(self) -> None:
        """Write what is pending and let go of the files; lines after that go nowhere."""
        self.writer.close()
        for handler in self._handlers:
            self.logger.removeHandler(handler)
            handler.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_) -> None:
        self.close()


class _TqdmHandler(logging.Handler):
    """Console lines that do not tear a progress bar apart."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


def code_version() -> str:
    """The commit of this code, ``-dirty`` if changed since, or ``unknown`` outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
