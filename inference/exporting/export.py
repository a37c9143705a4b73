"""Export of the network for other programs, checked against PyTorch, with its model card."""

import contextlib
import importlib
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

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


def export(
    ckpt_path: str | Path | Sequence[str | Path],
    to: str | Path,
    *,
    format: str | None = None,
    check_images: str | Path | Sequence[str | Path] = (),
    results: str | Path | None = None,
    **averaging,
) -> dict:
    """Write, check and describe a network; an existing file is replaced once the new one is complete.

    Args:
        ckpt_path: a checkpoint, or several, which are averaged.
        to: the file; its card lies beside it, as ``<to>.md`` and ``<to>.json``.
        format: a key of ``FORMATS``; None: by the ending of ``to``.
        check_images: images, or folders of which 8 are taken, to compare file and network on; none: made ones.
        results: a folder of ``evaluate``, for the card; None: the summary beside a single checkpoint, where it fits.
        averaging: ``ensemble``, ``tta`` and ``spatial_size``, as of ``Predictor``.

    Returns:
        The facts of the card.

    Raises:
        OSError, ValueError: for what cannot be read, written or exported, or a file whose outputs differ from the
            network's; nothing is written then.
    """
    path = Path(to)
    name = pick_format(format, path)
    format_ = FORMATS[name]
    format_.check_packages(name)
    image_files = find_images(check_images)
    predictor = Predictor(ckpt_path, DEVICE, **averaging)
    images = prepared_images(predictor, image_files)
    known = network_facts(predictor)
    evaluation = find_results(predictor, known["checkpoints"], results)
    # In the layout that every engine expects.
    module = ExportWrapper(predictor.model.to(memory_format=torch.contiguous_format)).eval()
    answers = expected_outputs(module, batches(images), names=image_files, network=predictor.network)
    with _writable(path), staged_folder(path.parent, last=path.name) as hidden:
        staged = hidden / path.name
        with _holds(name):
            written = format_.write(module, predictor, staged)
        differences = largest_differences(answers, format_.load(staged))
        check_differences(differences, format_.tolerance)
        checked = {"num_images": len(images), "real_images": bool(image_files), "tolerance": format_.tolerance}
        facts = {
            "file": path.name,
            "format": name,
            "note": format_.note,
            **_file_facts(staged),
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
        # The weights file of a larger network that was replaced.
        Path(f"{path}{WEIGHTS_ENDING}").unlink(missing_ok=True)
    return facts


@contextlib.contextmanager
def _holds(name: str) -> Iterator[None]:
    """What a format cannot hold of a network, as an error of ``--format``."""
    try:
        yield
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:  # of torch's exporters, in kinds of their own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"--format {name}: expected a network that the format holds, found one that it does not ({reason}); choose "
            f"another of {', '.join(FORMATS)}"
        ) from error


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn errors of writing into errors of ``--to``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"--to {path}: expected a folder that can be written to, with room; {reason}") from error


def _file_facts(path: Path) -> dict:
    facts = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    weights = Path(f"{path}{WEIGHTS_ENDING}")
    return facts | ({"weights_file": weights.name, "weights_sha256": sha256_of(weights)} if weights.exists() else {})


def _versions(format_: Format) -> dict:
    # By the module, as the distribution of onnxruntime has several names.
    packages = {name: str(importlib.import_module(name).__version__) for name in ("torch", *format_.packages)}
    return {"code": code_version(), "python": platform.python_version(), **packages}
