"""Advisory file locks (flock): one process at a time in a folder or at a file; they end with the process."""

import contextlib
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LOCK_NAME = ".gazemedseg.lock"
# Time for a new holder to write its name.
NAME_S = 0.5
# Others may remove their folder or lock file between two of our steps, but not each time.
TRIES = 100
# Descriptors of locks, closed in forked processes: loader processes outlive a killed parent for some seconds, and would
# keep its locks.
_OPEN: set[int] = set()


def _open(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags, 0o666)
    _OPEN.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    if descriptor in _OPEN:
        _OPEN.remove(descriptor)
        os.close(descriptor)


os.register_at_fork(after_in_child=lambda: [_close(descriptor) for descriptor in list(_OPEN)])


def lock_folder(folder: str | Path, what: str) -> contextlib.AbstractContextManager[None]:
    """Advisory lock on a folder: others that ask for it are refused; see ``_locked``."""
    return _locked(Path(folder) / LOCK_NAME, Path(folder), what)


def lock_output(path: str | Path, what: str) -> contextlib.AbstractContextManager[None]:
    """Advisory lock on a file to be written, or a folder to be made as a whole; see ``_locked``."""
    path = Path(path)
    # File names are limited to 255 bytes; two that begin alike may exclude each other.
    name = os.fsdecode(os.fsencode(path.name)[:200])
    return _locked(path.parent / f".{name}{LOCK_NAME}", path, what)


@contextlib.contextmanager
def _locked(lock: Path, place: Path, what: str) -> Iterator[None]:
    """Hold a lock file with the holder's name; it is removed in the end, as are folders made for it that stayed empty.

    Where the file system has no locks, a line says so, and the work goes on.

    Args:
        place: what is locked, for the message.
        what: who holds it, for the message of others, such as ``run.py train``.

    Raises:
        ValueError: if another process holds it, with its name, process and host.
        OSError: if nothing can be written there.
    """
    with remove_new_empty_folders(lock.parent):
        held = _hold(lock, place)
        try:
            try:
                os.ftruncate(held, 0)
                os.pwrite(held, f"{what} at work (process {os.getpid()} on {socket.gethostname()})".encode(), 0)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(lock.parent)) from error
            yield
        finally:
            lock.unlink(missing_ok=True)
            _close(held)


@contextlib.contextmanager
def remove_new_empty_folders(folder: Path) -> Iterator[None]:
    """Remove in the end, if empty, those of a folder and its parents that did not exist before."""
    absent = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        yield
    finally:
        for one in absent:
            # What is in use stays.
            with contextlib.suppress(OSError):
                one.rmdir()


def _hold(lock: Path, place: Path) -> int:
    for left in reversed(range(TRIES)):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise FileExistsError(
                f"{lock.parent}: expected a folder, or nothing yet, found a file; choose another"
            ) from error
        try:
            held = _open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        except OSError as error:
            if left and isinstance(error, FileNotFoundError):
                continue  # another has just removed its folder, or nothing can be made, as in /proc
            raise OSError(error.errno, error.strerror, str(place)) from error
        try:
            _lock(held, fcntl.LOCK_EX)
        except BlockingIOError as error:
            holder = _holder(held)
            _close(held)
            raise ValueError(f"{place}: expected to be alone, found {holder}; let it end") from error
        except OSError:
            print(f"{place}: no locks there; see to it that nothing else writes there meanwhile", file=sys.stderr)
            return held
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held), os.stat(lock)):
                return held
        _close(held)  # its holder has ended meanwhile, and removed the file


def _holder(held: int) -> str:
    for _ in range(10):
        text = os.pread(held, 300, 0).decode("utf-8", "replace")
        if text:
            return text
        time.sleep(NAME_S / 10)
    return "another process at work"


def _lock(descriptor: int, how: int) -> None:
    """Lock without waiting: BlockingIOError where another holds it, another OSError where there are no locks."""
    fcntl.flock(descriptor, how | fcntl.LOCK_NB)


@contextlib.contextmanager
def shared_lock(path: Path) -> Iterator[None]:
    """Shared lock on an existing file or folder: while entered, it is not ``is_orphaned``."""
    descriptor = _open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            _lock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        _close(descriptor)


def is_orphaned(path: Path) -> bool:
    """Whether no living process holds a file's or folder's ``shared_lock``; false where that cannot be known."""
    try:
        descriptor = _open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        return True
    except OSError:
        return False
    finally:
        _close(descriptor)
