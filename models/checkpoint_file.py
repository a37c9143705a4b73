"""What a checkpoint's file asks for, looked at before torch makes anything of it.

torch's safe reader runs no code of the file's, but it does what the file says: unpack what is packed, hash a key for
ever, set fields of NumPy's types. Here the pickles are followed with a stand-in for every object.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

ZIP_START = b"PK\x03\x04"
# Of torch's format without an archive: a number, the version, facts of the machine, the content, its storages.
NUM_PICKLES_WITHOUT_ARCHIVE = 5
SCALARS = ("f2", "f4", "f8", "i4", "i8", "u1", "b1")
REALS, WHOLES = ("Float", "Double", "Half", "BFloat16"), ("Long", "Int", "Short", "Char", "Byte", "Bool")
COMPLEX = ("ComplexFloat", "ComplexDouble")


class Made(NamedTuple):
    """Stands for what a pickle makes of a type or function of this name."""

    of: str


Anything = Callable[[tuple], bool]

# What a pickle may name, and with which arguments it may call it; None: not to be called.
GLOBALS: dict[str, Anything | None] = {
    # Its items come after.
    "collections OrderedDict": lambda args: args == (),
    "argparse Namespace": lambda args: args == (),
    "torch._utils _rebuild_tensor_v2": lambda args: True,
    "torch._utils _rebuild_parameter": lambda args: True,
    # Plain numbers; "numpy.core" is the name of NumPy 1.x. Another type could be of any size.
    "numpy dtype": lambda args: bool(args) and args[0] in SCALARS,
    "numpy.core.multiarray scalar": lambda args: len(args) == 2,
    "numpy._core.multiarray scalar": lambda args: len(args) == 2,
    # The bytes of such a number. Other codecs can take for ever.
    "_codecs encode": lambda args: args[1:] == ("latin1",),
    "torch device": lambda args: True,
    "torch Size": lambda args: True,
    **{f"torch {kind}Storage": None for kind in (*REALS, *WHOLES, *COMPLEX)},
}
# What may be done to an object once it is made.
STATES: dict[str, Anything] = {
    "collections OrderedDict": lambda state: True,
    "argparse Namespace": lambda state: True,
    # Of a plain number there is nothing to set but the byte order.
    "numpy dtype": lambda state: state[:1] == (3,) and state[2:] == (None, None, None, -1, -1, 0),
}
# All that torch's writer uses: opcodes that take nothing off the stack, and the others, told apart in ``_follow``.
CONSTANTS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING")
CONTAINERS = {"EMPTY_DICT": Made("dict"), "EMPTY_LIST": Made("list")}
LITERALS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), **CONTAINERS}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def check_file(path: Path) -> None:
    """Raise ValueError (or what a broken file makes of ``zipfile`` and ``pickletools``) unless torch may read a file.

    An archive holds each of its members once, as it is, with the checksum that fits. Where torch was told to write
    none, and in its format from before there were archives, there is nothing to compare. Reads the whole file.
    """
    with open(path, "rb") as file:
        start = file.read(len(ZIP_START))
        if start == ZIP_START:
            _check_archive(path)
            return
        if not start.startswith(pickle.PROTO):
            raise pickle.UnpicklingError("neither an archive nor a pickle of torch's")
        file.seek(0)
        for _ in range(NUM_PICKLES_WITHOUT_ARCHIVE):
            _follow(file)


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        # torch looks a member up in upper or lower case.
        if len({member.filename.lower() for member in members}) < len(members):
            raise ValueError("a member of the archive is there twice")
        size = sum(member.file_size for member in members)
        if any(member.compress_type != zipfile.ZIP_STORED for member in members) or size > path.stat().st_size:
            raise ValueError("the archive's members are packed, which torch does not do")
        if any(member.CRC for member in members):
            damaged = archive.testzip()
            if damaged:
                raise ValueError(f"{damaged} does not fit its checksum")
    # By torch's own reader, so that nothing else is looked at than what torch will read.
    _follow(io.BytesIO(torch._C.PyTorchFileReader(str(path)).get_record("data.pkl")))


class _Stack:
    """The stack of a pickle, with its marks and its memory."""

    def __init__(self):
        self.items: list = []
        self.marks: list[int] = []
        self.memory: dict[int, Any] = {}

    def pop(self, count: int | None = None) -> tuple:
        """The last ``count`` items, or those since the last mark."""
        start = self.marks.pop() if count is None else len(self.items) - count
        if start < 0:
            raise ValueError("it takes more than there is")
        taken = tuple(self.items[start:])
        del self.items[start:]
        return taken


def _follow(file) -> None:
    """One pickle, up to its end.

    Raises:
        UnpicklingError: for a type or function that is not in the tables above.
        ValueError: for anything else that is not.
    """
    stack = _Stack()
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in CONSTANTS:
            stack.items.append(argument)
        elif name in LITERALS:
            stack.items.append(LITERALS[name])
        elif name == "GLOBAL":
            if argument not in GLOBALS:
                raise pickle.UnpicklingError(f"Unsupported global: GLOBAL {argument.replace(' ', '.')}")
            stack.items.append(Made(argument))
        elif name == "MARK":
            stack.marks.append(len(stack.items))
        elif name == "TUPLE" or name in TUPLES:
            stack.items.append(stack.pop(TUPLES.get(name)))
        elif name in ("BINPUT", "LONG_BINPUT"):
            stack.memory[argument] = stack.items[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.items.append(stack.memory[argument])
        elif name not in ("PROTO", "STOP"):
            _do(name, stack)


def _do(name: str, stack: _Stack) -> None:
    """What calls, fills or fetches something."""
    if name in ("REDUCE", "NEWOBJ"):
        made, arguments = stack.pop(2)
        may_be_called = GLOBALS.get(made.of) if isinstance(made, Made) else None
        if may_be_called is None or not isinstance(arguments, tuple) or not may_be_called(arguments):
            raise ValueError(f"{made} is called with other arguments than torch's")
        stack.items.append(made)
    elif name == "BUILD":
        (state,) = stack.pop(1)
        made = stack.items[-1]
        if not isinstance(made, Made) or made.of not in STATES or not STATES[made.of](state):
            raise ValueError(f"{made} is given another state than torch's")
    elif name in ("SETITEM", "SETITEMS"):
        pairs = stack.pop(2 if name == "SETITEM" else None)
        # The hash of a tuple of tuples can take for ever.
        if not all(isinstance(key, str | int) for key in pairs[::2]):
            raise ValueError("a key is neither a name nor a number")
    elif name in ("APPEND", "APPENDS"):
        stack.pop(1 if name == "APPEND" else None)
    elif name == "BINPERSID":
        stack.items.append(Made("storage") if stack.pop(1) else None)
    else:
        raise ValueError(f"the opcode {name} is not one of torch's")
