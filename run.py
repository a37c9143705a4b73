"""The one entry point: parse the command line and hand over. ``python run.py --help`` lists the commands."""

import contextlib
import importlib
import io
import os
import re
import resource
import sys
import traceback
from collections.abc import Sequence

from utils.inputs import printable
from utils.interrupt import STOPPED_CODE, signals_raise_keyboard_interrupt

EXPECTED_ERROR_CODE = 2
BROKEN_PIPE_CODE = 141
# With less, even loader processes cannot say what they lack.
MIN_OPEN_FILES, OPEN_FILES = 64, 4096
MORE_FILES = f"raise the limit, as with ulimit -n {OPEN_FILES}"
# Messages of libraries where a resource is short, each in an exception of its own type: the resource, and the remedy.
SHORTAGES = {
    r"DataLoader worker .*(killed|exited)|unable to (write to|resize) file </torch_|shared memory\(shm\)": (
        "memory for loader processes",
        "lower --num_worker; where a container has little shared memory (/dev/shm), give it more",
    ),
    r"(Cannot|can't|[Uu]nable to) allocate|[Oo]ut of memory|Insufficient memory|bad_alloc|failed to map segment"
    r"|_ALLOC_FAILED": (
        "memory",
        "close other programs, or lower --batch_size, --num_worker, --workers, --cache_gb or --spatial_size",
    ),
    r"Too many open files|received \d+ items of ancdata": ("open files", MORE_FILES),
    r"can't start new thread|Resource temporarily unavailable": (
        "threads and processes",
        "raise the limit (ulimit -u)",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Mistakes in what the user gave (ValueError), in the files around it (OSError) and too little of the machine become
    one line on standard error and exit code 2; anything else is a defect of ours and keeps its traceback.
    """
    name = "run.py"
    try:
        _check_surroundings()
        # Not above: importing takes long enough to be interrupted.
        from parse_args import parse_args

        try:
            args = parse_args(argv)
        finally:
            # --help exits here.
            sys.stdout.flush()
        name = f"run.py {args.command}"
        code = _run(args)
        # Now, while an error can still be reported.
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever reads the output, such as head, has enough; the interpreter would complain again at the end.
        _leave_output()
        return BROKEN_PIPE_CODE
    except KeyboardInterrupt:
        _say(f"{name}: stopped")
        return STOPPED_CODE
    except Exception as error:
        said = expected_error(error)
        if said is None:
            raise
        # Objects that are freed with it may lack the same resource, and complain.
        with contextlib.redirect_stderr(io.StringIO()):
            traceback.clear_frames(error.__traceback__)
        if _leave_output():
            said += ": standard output"
        _say(f"{name}: error: {said}")
        return EXPECTED_ERROR_CODE


def _run(args) -> int:
    # A command imports what it needs and no more: preparing gaze needs no networks, training no CRF.
    command = importlib.import_module(f"commands.{args.command.replace('-', '_')}")
    guarded = importlib.import_module("commands.outputs").guarded
    outputs = command.outputs(args) if hasattr(command, "outputs") else []
    # One of several processes cannot react while it waits for another, which may have ended.
    alone = os.environ.get("WORLD_SIZE", "1") == "1"
    with signals_raise_keyboard_interrupt() if alone else contextlib.nullcontext(), guarded(args, outputs):
        return command.main(args)


def expected_error(error: Exception) -> str | None:
    """The message of an error that is no defect of ours; None for one that is."""
    said = one_line(error)
    for pattern, (what, remedy) in SHORTAGES.items():
        if re.search(pattern, str(error)) or (what == "memory" and isinstance(error, MemoryError)):
            return f"expected more {what}, found too little ({said[:300]}); {remedy}"
    # Path.resolve raises a RuntimeError for it.
    if said.startswith("Symlink loop from "):
        return f"expected a path that leads to a file or folder, found a link that leads to itself: {said[18:]}"
    return said if isinstance(error, ValueError | OSError) else None


def one_line(error: Exception) -> str:
    """The message of an error on one line; of one from a loader process, its last line without the type."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if lines[0].startswith("Caught "):
        return printable(re.sub(r"^[\w.]+: ", "", lines[-1]))
    return printable(" ".join(line.strip() for line in lines))


def _check_surroundings() -> None:
    """Raise OSError where no command can work; and raise the limit of open files as far as allowed."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise FileNotFoundError("expected a working folder, found that it was deleted; cd to another") from error
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < OPEN_FILES:
        limit = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    if limit < MIN_OPEN_FILES:
        raise OSError(f"expected to be allowed {MIN_OPEN_FILES} open files, found {limit}; {MORE_FILES}")


def _leave_output() -> bool:
    """Discard output that cannot be written, as the interpreter would complain of it at exit; whether there was any."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _say(line: str) -> None:
    # Where nothing can be printed, the exit code remains.
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _open_standard_streams() -> None:
    """Replace closed standard streams, as by ``>&-``: the next file opened would take their place and their output."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # Takes the lowest free descriptor, which is this one.
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", closefd=False))  # noqa: SIM115
    # Characters that the terminal's encoding lacks end no command.
    sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    _open_standard_streams()
    sys.exit(main())
