"""Log of a run: lines on the console and in train.log, scalars and pictures for TensorBoard."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils.files import named_in_errors


class RunLog(contextlib.AbstractContextManager):
    """Console, ``train.log`` and TensorBoard events of one run folder.

    Args:
        folder: the run folder, made if absent; existing logs are appended to.
        redo_from: TensorBoard drops earlier events from this iteration on: a resumed run writes them again.

    Raises:
        OSError: by any method, if a file cannot be written.
    """

    no_bar: bool | None = None  # tqdm's disable: no bar without a terminal

    def __init__(self, folder: Path, *, redo_from: int | None = None):
        # Imported here: it takes a second, and only training needs it.
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "train.log"
        self._excepthook, threading.excepthook = threading.excepthook, self._leave_to_the_next_call
        self.writer = SummaryWriter(str(folder), purge_step=redo_from)

    def info(self, message: str) -> None:
        """Log a line, with the time before it."""
        line = f"{time.strftime('%H:%M:%S')} {message}"
        with named_in_errors(self.file), open(self.file, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        # Not print, which would tear a progress bar apart.
        tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()

    def scalars(self, group: str, values: Mapping[str, object], iteration: int) -> None:
        """Add the plain numbers among the values, under ``group/name``."""
        with named_in_errors(self.writer.log_dir):
            for name, value in values.items():
                if isinstance(value, int | float):
                    self.writer.add_scalar(f"{group}/{name}", value, iteration)

    def hyperparameters(self, options: Mapping[str, object], metrics: Mapping[str, float], iteration: int) -> None:
        """Add a run's options and results to TensorBoard's table of runs.

        Args:
            options: by name; those that are neither numbers nor words are left out.
            metrics: means by name, overlaps in 0..1; also added as curves of one point, ``final/name``.
            iteration: of the results.
        """
        from torch.utils.tensorboard.summary import hparams

        kept = {name: value for name, value in options.items() if isinstance(value, (int, float, str))}
        with named_in_errors(self.writer.log_dir):
            # Not add_hparams, which opens an event file of its own.
            for part in hparams(kept, {f"final/{name}": value for name, value in metrics.items()}):
                self.writer.file_writer.add_summary(part)
        self.scalars("final", metrics, iteration)

    def picture(self, tag: str, picture: np.ndarray, iteration: int) -> None:
        """Add an (H,W,3) uint8 picture."""
        with named_in_errors(self.writer.log_dir):
            self.writer.add_image(tag, picture, iteration, dataformats="HWC")

    def close(self) -> None:
        """Finish and close the files."""
        try:
            # Failed writes have been reported by earlier calls.
            with contextlib.suppress(OSError):
                self.writer.close()
        finally:
            threading.excepthook = self._excepthook

    def _leave_to_the_next_call(self, failure) -> None:
        """Thread hook: TensorBoard's thread passes its OSError to the next call, so its traceback is not printed."""
        if not issubclass(failure.exc_type, OSError):
            self._excepthook(failure)

    def __exit__(self, *_) -> None:
        self.close()


class NoLog:
    """Silent log, for processes other than the main one."""

    no_bar = True

    def info(self, *_) -> None:
        pass

    scalars = hyperparameters = picture = info


def code_version() -> str:
    """The commit of this code, ``-dirty`` if changed since, or ``unknown`` outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
