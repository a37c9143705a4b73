"""File formats of exported networks."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from inference.exporting import checkpoint_file, onnx_file, torch_export
from inference.exporting.network import ExportWrapper, Runner
from inference.predictor import Predictor

REQUIREMENTS = "requirements-export.txt"


class Format(NamedTuple):
    """One file format.

    Attributes:
        ending: of its files.
        packages: that it needs besides torch.
        write: (network, its predictor, path) -> facts for the card; may write further files beside it.
        load: path -> a function of an image, run by the format's own runtime.
        usage: lines of Python: the import, reading the file ``model``, and ``logits`` from ``batch``, both NumPy; None
            where this project reads it.
        note: a sentence for the card, or nothing.
        tolerance: allowed difference of probabilities, and of logits relative to the largest, from the network's.
    """

    ending: str
    packages: tuple[str, ...]
    write: Callable[[ExportWrapper, Predictor, Path], dict]
    load: Callable[[Path], Runner]
    usage: tuple[str, str, str] | None
    note: str = ""
    tolerance: float = 1e-4

    def check_packages(self, name: str) -> None:
        """Raise ValueError with the remedy where a package is absent or broken."""
        for package in self.packages:
            try:
                importlib.import_module(package)
            except ImportError as error:
                raise ValueError(
                    f"--format {name}: expected the packages {', '.join(self.packages)}, found no {package} "
                    f"({error}); pip install -r {REQUIREMENTS}, or choose another format"
                ) from error


FORMATS = {
    "onnx": Format(
        ".onnx",
        ("onnx", "onnxscript", "onnxruntime"),
        onnx_file.write,
        onnx_file.load,
        (
            "import onnxruntime",
            'network = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])',
            'logits = network.run(["logits"], {"image": batch})[0]',
        ),
    ),
    "torch.export": Format(
        ".pt2",
        (),
        torch_export.write,
        torch_export.load,
        (
            "import torch",
            "network = torch.export.load(model).module()",
            'logits = network(torch.from_numpy(batch))["logits"].detach().numpy()',
        ),
        "PyTorch does not promise to read it in other versions than the one that wrote it, named below.",
    ),
    "checkpoint": Format(
        ".pth",
        (),
        checkpoint_file.write,
        checkpoint_file.load,
        None,
        "A checkpoint of this project, its large weights in half precision and without what training needs.",
        tolerance=0.02,
    ),
}


def pick_format(name: str | None, path: Path) -> str:
    """The format of ``--format``, or else by the ending of the file.

    Raises:
        ValueError: for an ending that does not belong to it, or to none.
    """
    if name not in (None, *FORMATS):
        raise ValueError(f"--format: expected one of {', '.join(FORMATS)}, found {name!r}")
    fitting = [key for key, format_ in FORMATS.items() if path.suffix.lower() == format_.ending]
    if fitting and name in (None, *fitting):
        return name or fitting[0]
    expected = {name: FORMATS[name]} if name else FORMATS
    endings = "; ".join(f"{format_.ending} for {key}" for key, format_ in expected.items())
    raise ValueError(f"--to {path}: expected a file name ending in {endings}, found {path.suffix or 'no ending'}")
