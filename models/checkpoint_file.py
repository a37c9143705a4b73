"""Safe unpickling: a checkpoint's pickles must pass allow-lists of globals and opcodes before torch loads them.

torch's safe reader (``weights_only``) runs no code of the file, but can be made to inflate compressed members, hash a
key for ever, or set fields of NumPy's types. Here the pickles are read with a stand-in for every object.
"""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

ZIP_START = b"PK\x03\x04"
# Leading bytes that the message about a foreign file shows.
SHOWN_BYTES = 24
# torch's format without an archive: magic number, protocol version, facts of the machine, content, storage keys.
NUM_PICKLES_WITHOUT_ARCHIVE = 5
SCALARS = ("f2", "f4", "f8", "i4", "i8", "u1", "b1")
REALS, WHOLES = ("Float", "Double", "Half", "BFloat16"), ("Long", "Int", "Short", "Char", "Byte", "Bool")
COMPLEX = ("ComplexFloat", "ComplexDouble")

Test = Callable[[tuple], bool]

# What a pickle may name, and with which arguments it may call it; None: not to be called.
GLOBALS: dict[str, Test | None] = {
    # Its items are set later.
    "collections.OrderedDict": lambda args: args == (),
    "argparse.Namespace": lambda args: args == (),
    "torch._utils._rebuild_tensor_v2": lambda args: True,
    "torch._utils._rebuild_parameter": lambda args: True,
    # Plain numbers; "numpy.core" is the name of NumPy 1.x. Another type could be of any size.
    "numpy.dtype": lambda args: bool(args) and args[0] in SCALARS,
    "numpy.core.multiarray.scalar": lambda args: len(args) == 2,
    "numpy._core.multiarray.scalar": lambda args: len(args) == 2,
    # The bytes of such a number. Other codecs can take for ever.
    "_codecs.encode": lambda args: args[1:] == ("latin1",),
    "torch.device": lambda args: True,
    "torch.Size": lambda args: True,
    **{f"torch.{kind}Storage": None for kind in (*REALS, *WHOLES, *COMPLEX)},
}
# The state that may be set on an object once it is made.
STATES: dict[str, Test] = {
    "collections.OrderedDict": lambda state: True,
    "argparse.Namespace": lambda state: True,
    # The type of a plain number has no state but the byte order.
    "numpy.dtype": lambda state: state[:1] == (3,) and state[2:] == (None, None, None, -1, -1, 0),
}
# The opcodes that torch's writer uses.
OPCODES = (
    *("PROTO", "STOP", "MARK", "GLOBAL", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "BINPERSID"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"),
    *("NONE", "NEWTRUE", "NEWFALSE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "EMPTY_DICT"),
    *("REDUCE", "NEWOBJ", "BUILD", "SETITEM", "SETITEMS", "APPEND", "APPENDS"),
)


class RefusedError(ValueError):
    """Content that neither torch nor this project would write; the message says what was found."""


def check_file(path: Path) -> None:
    """Check a checkpoint before torch reads it: RefusedError for a type or function that is not allowed, ValueError (or
    what ``zipfile`` and ``pickle`` raise for a broken file) for anything else that torch should not read.

    An archive holds each member once, uncompressed, with a checksum that fits. Where torch was told to write no
    checksums, and in its older format without an archive, there is nothing to compare. Reads the whole file.
    """
    with open(path, "rb") as file:
        start = file.read(SHOWN_BYTES)
        if start.startswith(ZIP_START):
            _check_archive(path)
            return
        if not start.startswith(pickle.PROTO):
            # For example the web page before a large download, or a Git LFS pointer.
            raise ValueError(f"it begins with {start!r}, as nothing of torch's does; download or export it again")
        file.seek(0)
        for _ in range(NUM_PICKLES_WITHOUT_ARCHIVE):
            _CheckingUnpickler(file).load()


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
    # By torch's own reader, so that what is checked is what torch will read.
    _CheckingUnpickler(io.BytesIO(torch._C.PyTorchFileReader(str(path)).get_record("data.pkl"))).load()


class _StandIn:
    """Stand-in for the type or function of a name, and for the object that a pickle makes with it."""

    def __init__(self, name: str):
        self.name = name

    def __call__(self, *arguments):
        may_be_called = GLOBALS.get(self.name)
        if may_be_called is None or not may_be_called(arguments):
            raise ValueError(f"{self.name} is called with other arguments than torch's")
        return self

    def __setstate__(self, state):
        if self.name not in STATES or not STATES[self.name](state):
            raise ValueError(f"{self.name} is given another state than torch's")

    def __setitem__(self, key, value):
        # The hash of a tuple of tuples can take for ever.
        if not isinstance(key, str | int):
            raise ValueError("a key is neither a name nor a number")


class _CheckingUnpickler(pickle._Unpickler):
    """Python's unpickler in pure Python, restricted to the globals and opcodes of torch's writer."""

    dispatch = {code: pickle._Unpickler.dispatch[code] for code in (getattr(pickle, name)[0] for name in OPCODES)}

    def find_class(self, module, name):
        full = f"{module}.{name}"
        if full not in GLOBALS:
            if full.startswith("torch."):
                raise RefusedError(
                    f"a tensor or an object of type {full[:80]}; save the weights as dense ones on the CPU, in float32"
                )
            raise RefusedError(f"an object of type {full[:80]}, which is not loaded for safety; do not trust this file")
        return _StandIn(full)

    def persistent_load(self, _):
        return _StandIn("storage")

    def _make_dict(self):
        self.append(_StandIn("dict"))

    dispatch[pickle.EMPTY_DICT[0]] = _make_dict
    # A stand-in has no __new__ of its own.
    dispatch[pickle.NEWOBJ[0]] = pickle._Unpickler.load_reduce
