"""Weights & Biases beside TensorBoard (``--wandb``), by that package's own synchronisation of event files."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PROJECT = "gaze_sup"  # the reference's


def check_wandb() -> None:
    """Raise ValueError if the package is not there."""
    try:
        import wandb  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"--wandb: expected the package wandb, found it missing ({error}); pip install -r "
            "requirements-wandb.txt, or leave the option out"
        ) from error


@contextlib.contextmanager
def wandb_mirror(
    folder: Path, options: Mapping[str, object], *, resume: bool, is_finished: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Mirror scalars and pictures of TensorBoard writers that are opened within to Weights & Biases.

    The package reads mode, account and server from its environment (``WANDB_MODE=offline`` ...).

    Args:
        folder: the run folder, whose last two parts name the run; the package's own files lie in its ``wandb``.
        options: kept as the run's configuration.
        resume: continue the run that was stopped here, if one was; without effect in offline mode.
        is_finished: called at the end: an unfinished run is left open for ``resume``.

    Raises:
        ValueError: if the package does not start a run, with its reason.
    """
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    # For each run: the package keeps the folder of an earlier one in this process.
    wandb.tensorboard.patch(root_logdir=str(folder), pytorch=True, save=False)
    if not resume:
        # With this file the package would continue the run before.
        (folder / "wandb" / "wandb-resume.json").unlink(missing_ok=True)
    name = "/".join(folder.resolve().parts[-2:])
    try:
        run = wandb.init(project=PROJECT, name=name, dir=folder, config=dict(options), resume="auto")
    except (wandb.Error, OSError) as error:
        wandb.tensorboard.unpatch()
        reason = " ".join(str(error).split())
        raise ValueError(
            f"--wandb: expected a run to begin, found {reason}; run `wandb login` once, or set WANDB_MODE=offline"
        ) from error
    ended = False
    try:
        yield
        ended = True
    finally:
        # After exit code 0 the package cannot continue a run.
        run.finish(exit_code=0 if ended and is_finished() else 1)
        wandb.tensorboard.unpatch()
