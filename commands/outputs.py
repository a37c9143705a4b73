"""Outputs of commands: declared by each, checked and locked in one place before anything is read or written."""

import argparse
import contextlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.files import SAMPLE_FOLDERS
from datasets.settings import SETTINGS_FILE
from utils.files import remove_temporary
from utils.locks import lock_folder, lock_output

DATA_SET_FILES = (SETTINGS_FILE, "train.txt", "test.txt")
# Bytes at the start and the end of a file that are searched for the pattern of our files.
LOOK_BYTES = 1 << 16


@dataclass(frozen=True)
class Output:
    """An output file.

    Attributes:
        option: that names it, for messages.
        path: of the file.
        endings: allowed ones, in lower case; empty for any.
        ours: pattern that is found in such a file if this program wrote it; None where there is none, so that any file
            there counts as another's.
        beside: endings of files that are written beside it, added to its name.
    """

    option: str
    path: Path
    endings: tuple[str, ...] = ()
    ours: str | None = None
    beside: tuple[str, ...] = ()

    @property
    def replaced(self) -> list[Path]:
        """The files that would be replaced."""
        return [self.path, *(Path(f"{self.path}{ending}") for ending in self.beside)]

    def check(self, *, overwrite: bool) -> None:
        """Raise ValueError where it cannot be written, or would replace a file that another program wrote."""
        option = f"{self.option} {self.path}"
        if self.endings and self.path.suffix.lower() not in self.endings:
            raise ValueError(
                f"{option}: expected a file name ending in {' or '.join(self.endings)}, found "
                f"{self.path.suffix or 'no ending'}"
            )
        for path in self.replaced:
            if path.exists() and not path.is_file():
                what = "a folder" if path.is_dir() else "a device, pipe or socket"
                raise ValueError(f"{option}: expected {path} to be the name of a file, found {what}; choose another")
            if path.exists() and not overwrite and not _is_ours(path, self.ours):
                raise ValueError(
                    f"{option}: expected names that are free or of what this command wrote, found {path}; choose "
                    "another name, or replace it with --overwrite"
                )

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Lock it, and remove temporary files of killed processes."""
        with lock_output(self.path, what):
            remove_temporary(self.path.parent)
            yield


@dataclass(frozen=True)
class Folder(Output):
    """An output folder.

    Attributes:
        names: patterns of the files that the command writes there.
        sign: the one of them in which ``ours`` shows that all are of this command.
        inside: patterns of its subfolders in which files are written one by one.
        whole: it is made beside its place, and renamed when it is finished.
    """

    names: tuple[str, ...] = ()
    sign: str = ""
    inside: tuple[str, ...] = ()
    whole: bool = False

    @property
    def replaced(self) -> list[Path]:
        return [self.path / name for name in self.names]

    def check(self, *, overwrite: bool) -> None:
        if not self.path.is_dir() and (self.path.exists() or self.path.is_symlink()):
            what = "a file" if self.path.exists() else "a link that leads nowhere"
            raise ValueError(f"{self.option} {self.path}: expected a folder, or nothing yet, found {what}")
        there = [name for name in self.names if any(self.path.glob(name))]
        # The sign moves last: after a kill before that it is in the temporary folder.
        signs = (self.path / self.sign, *self.path.glob(f".tmp-*/{self.sign}"))
        if there and not overwrite and not any(_is_ours(sign, self.ours) for sign in signs):
            raise ValueError(
                f"{self.option} {self.path}: expected a folder without {there[0]}, or one that this command filled, "
                "found the results of another; choose another folder"
            )

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[None]:
        # The lock of a whole folder lies beside it, with links and "." resolved.
        beside = self.path.resolve()
        with lock_output(beside, what) if self.whole else lock_folder(self.path, what):
            remove_temporary(beside.parent if self.whole else self.path)
            for folder in itertools.chain(*map(self.path.glob, self.inside)):
                remove_temporary(folder)
            yield


@contextlib.contextmanager
def guarded(args: argparse.Namespace, outputs: Sequence[Output]) -> Iterator[None]:
    """Check the outputs of a command and lock them until it ends.

    Raises:
        ValueError: for an output that is an input, another output, in a folder of a data set's samples, or held by
            another process; and see the outputs' ``check``.
        OSError: where it cannot be written.
    """
    for output in outputs:
        _check_place(output, getattr(args, "root", None))
        _check_no_input(output, args, outputs)
        output.check(overwrite=getattr(args, "overwrite", False))
    for one, other in itertools.combinations(outputs, 2):
        if one.path.resolve() == other.path.resolve():
            raise ValueError(f"{one.option}: expected every file once, found {other.path} twice")
    with contextlib.ExitStack() as stack:
        for output in outputs:
            stack.enter_context(output.locked(f"run.py {args.command}"))
        yield


def _check_place(output: Output, root: str | None) -> None:
    path = output.path.resolve()
    if str(path).encode(errors="ignore").decode() != str(path):
        # TensorBoard, torch and the run's own files contain the path.
        raise ValueError(f"{output.option} {str(output.path)!r}: expected a path in UTF-8, found other bytes")
    # Files there would be taken for images, masks and gaze maps.
    kept = [*SAMPLE_FOLDERS.values()] + [Path("gaze")] * isinstance(output, Folder)
    for data in [*([Path(root)] if root else []), *filter(_is_data_set, path.parents)]:
        for folder in kept:
            if path.is_relative_to((data / folder).resolve()):
                raise ValueError(
                    f"{output.option} {output.path}: expected a place outside of {data / folder}, which is the data "
                    "set's; choose another"
                )


def _is_data_set(folder: Path) -> bool:
    return (folder / "images").is_dir() and (
        (folder / "masks").is_dir() or any((folder / name).is_file() for name in DATA_SET_FILES)
    )


def _check_no_input(output: Output, args: argparse.Namespace, outputs: Sequence[Output]) -> None:
    own = {other.option.lstrip("-") for other in outputs}
    given = [value for option, value in vars(args).items() if option not in own]
    words = itertools.chain.from_iterable(value if isinstance(value, list | tuple) else [value] for value in given)
    for word in words:
        # Also PATH in NAME=PATH.
        parts = word.split("=") if isinstance(word, str) else ()
        names = {"=".join(parts[index:]) for index in range(len(parts))} - {""}
        for name, path in itertools.product(names, output.replaced):
            if _are_same(name, path):
                raise ValueError(
                    f"{output.option} {output.path}: expected another file than the input {name}, which would be "
                    "replaced; choose another"
                )


def _are_same(name: str, path: Path) -> bool:
    try:
        # By path, as the file may not exist yet, or as the same file, as a hard link has another path.
        return os.path.realpath(name) == os.path.realpath(path) or os.path.samefile(name, path)
    except (OSError, ValueError):
        return False


def _is_ours(path: Path, pattern: str | None) -> bool:
    """Whether a file matches the pattern of ours, or is empty."""
    try:
        with open(path, "rb") as file:
            start = file.read(LOOK_BYTES)
            file.seek(max(0, path.stat().st_size - LOOK_BYTES))
            end = file.read(LOOK_BYTES)
    except OSError:
        return False
    return not start or (pattern is not None and any(re.search(pattern.encode(), part) for part in (start, end)))
