"""``run.py export``: the network for other programs, checked against PyTorch, with its model card."""

import argparse
import contextlib
import importlib
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from commands.options import MULTIPLE_VALUES, Parser, add_checkpoints, add_shared
from commands.outputs import Output
from inference.exporting.check import (
    batches,
    check_differences,
    expected_outputs,
    find_images,
    largest_differences,
    prepared_images,
)
from inference.exporting.facts import find_results, network_facts
from inference.exporting.formats import FORMATS, Format, pick_format
from inference.exporting.network import ExportWrapper
from inference.exporting.snippet import usage
from inference.predictor import Predictor
from reporting.model_card import model_card
from utils.files import staged_folder, write_json, write_text
from utils.inputs import sha256_of
from utils.log import code_version

CARD_ENDINGS = (".md", ".json")
WEIGHTS_ENDING = ".data"
# A graph on a GPU would be recorded for it alone.
DEVICE = torch.device("cpu")


def add_options(parser: Parser) -> None:
    add_checkpoints(parser)
    parser.add_argument("--format", choices=tuple(FORMATS), help="of the file (default: by its ending)")
    parser.add_argument(
        "--to", required=True, metavar="FILE", help="file to write: *.onnx, *.pt2 (torch.export) or *.pth (checkpoint)"
    )
    add_shared(parser, "overwrite")
    parser.add_argument(
        "--check_images",
        **MULTIPLE_VALUES,
        default=[],
        metavar="PATH",
        help="images, or folders of which 8 are taken, to check the file on (default: made ones)",
    )
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        help="of evaluate, for the card (default: the summary beside a single checkpoint, where it fits)",
    )


def outputs(args: argparse.Namespace) -> list[Output]:
    return [Output("--to", Path(args.to), beside=(*CARD_ENDINGS, WEIGHTS_ENDING))]


def main(args: argparse.Namespace) -> int:
    """Write, check, and describe the network."""
    path = Path(args.to)
    name = pick_format(args.format, path)
    format_ = FORMATS[name]
    format_.check_packages(name)
    image_files = find_images(args.check_images)
    predictor = Predictor(args.ckpt_path, DEVICE, ensemble=args.ensemble, tta=args.tta, spatial_size=args.spatial_size)
    images = prepared_images(predictor, image_files)
    known = network_facts(predictor)
    evaluation = find_results(predictor, known["checkpoints"], args.results)
    # In the layout that every engine expects.
    module = ExportWrapper(predictor.model.to(memory_format=torch.contiguous_format)).eval()
    start = time.monotonic()
    answers = expected_outputs(module, batches(images), names=image_files, network=predictor.network)
    with _writable(path), staged_folder(path.parent, last=path.name) as hidden:
        staged = hidden / path.name
        written = format_.write(module, predictor, staged)
        differences = largest_differences(answers, format_.load(staged))
        check_differences(differences, format_.tolerance)
        checked = {"num_images": len(images), "real_images": bool(image_files), "tolerance": format_.tolerance}
        facts = {
            "file": path.name,
            "format": name,
            "note": format_.note,
            **_of_files(staged),
            **written,
            **known,
            "usage": usage(predictor, format_) if format_.usage else None,
            "evaluation": evaluation,
            "check": checked | differences,
            "versions": _versions(format_),
        }
        write_text(f"{staged}.md", model_card(facts))
        write_json(f"{staged}.json", facts)
    if "weights_file" not in facts:
        # Of a larger network that was replaced.
        Path(f"{path}{WEIGHTS_ENDING}").unlink(missing_ok=True)
    _report(path, facts, time.monotonic() - start)
    return 0


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    """What prevents writing, as an error of ``--to``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"--to {path}: expected a folder that can be written to, with room; {reason}") from error


def _of_files(path: Path) -> dict:
    facts = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    weights = Path(f"{path}{WEIGHTS_ENDING}")
    return facts | ({"weights_file": weights.name, "weights_sha256": sha256_of(weights)} if weights.exists() else {})


def _versions(format_: Format) -> dict:
    # Not of the installed distribution: that of onnxruntime has several names.
    packages = {name: str(importlib.import_module(name).__version__) for name in ("torch", *format_.packages)}
    return {"code": code_version(), "python": platform.python_version(), **packages}


def _report(path: Path, facts: dict, seconds: float) -> None:
    check = facts["check"]
    print(f"{path}: {facts['format']}, {facts['bytes'] / 1e6:.1f} MB, {facts['levels']} level(s), {seconds:.1f} s")
    print(
        f"checked on {check['num_images']} {'real' if check['real_images'] else 'made'} images, "
        f"{len(check['shapes'])} batches: probabilities to {check['probability']:.1e}, logits to "
        f"{check['logits_absolute']:.1e} ({check['logits']:.1e} of the largest)"
    )
    print(f"model card: {path}{CARD_ENDINGS[0]}, {path}{CARD_ENDINGS[1]}")
