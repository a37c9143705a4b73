"""Model registry and factory: from a name, or from weights, to a model."""

import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from models.multi_level import MultiLevelModel
from models.smp_unet import SmpLevelUNet
from models.unet import RELEASED_FEATURES, LevelUNet, infer_unet_architecture

# One line a network: a class of one level, whose arguments are those of ``build_model`` that it names.
MODELS: dict[str, type[nn.Module]] = {"unet": LevelUNet, "smp-unet": SmpLevelUNet}
# Of the arguments of ``build_model``, those that one level is made from.
LEVEL_KEYS = (
    *("name", "in_channels", "features", "feat_dim"),
    *("encoder", "encoder_weights", "encoder_input", "decoder_channels"),
)


def build_model(name: str, *, num_levels: int, **settings) -> nn.Module:
    """Build a multi-level segmentation model; ``forward`` is described in ``MultiLevelModel``.

    Args:
        name: a key of ``MODELS``: ``unet`` (the released network) or ``smp-unet`` (segmentation-models-pytorch).
        num_levels: number of pseudo-mask levels, each with a network of its own.
        settings: of the levels together, ``cons_mode``, ``init``, ``prop_similarity``, ``prop_kernel_size``,
            ``prop_dilation``, ``ensemble``: see ``MultiLevelModel``; and of one level, those of ``LEVEL_KEYS``, of
            which a network takes what it has a use for: ``in_channels`` (3 for Kvasir, 1 for the prostate set),
            ``features`` (of the ``unet``, see ``BasicUNet``), ``feat_dim`` (of the full-resolution feature; the last of
            ``features`` by default), ``encoder``, ``encoder_weights``, ``encoder_input``, ``decoder_channels`` (of the
            ``smp-unet``, see ``SmpLevelUNet``).

    Raises:
        ValueError: for an unknown name or an impossible setting.
    """
    build_level, of_all = _split_settings(name, **settings)
    return MultiLevelModel(build_level, num_levels, **of_all)


def takes(name: str) -> frozenset[str]:
    """The arguments of ``build_model`` that a network of ``MODELS`` takes, beside those of all."""
    return frozenset(inspect.signature(MODELS[name]).parameters)


def _split_settings(
    name: str, *, features: Sequence[int] = RELEASED_FEATURES, feat_dim: int | None = None, **settings
) -> tuple[Callable[[], nn.Module], dict]:
    """What makes one level, and the settings of all levels together; arguments as of ``build_model``."""
    if name not in MODELS:
        raise ValueError(f"model: expected one of {', '.join(MODELS)}, found {name!r}")
    given = settings | {"features": features, "feat_dim": feat_dim or features[-1]}
    of_level = {key: value for key, value in given.items() if key in takes(name)}
    return lambda: MODELS[name](**of_level), {key: value for key, value in settings.items() if key not in LEVEL_KEYS}


def build_from_weights(state_dict: Mapping[str, Tensor], config: Mapping | None = None) -> nn.Module:
    """Build the model that a state dict belongs to, and load it.

    The released network is recognised by the shapes of its weights alone; any other needs ``config``, the
    arguments of ``build_model`` (with ``name``) that our checkpoints carry. What ``config`` claims is compared
    with the weights before there is memory for more than one level of them.

    Raises:
        ValueError: if the weights fit no known architecture, naming the first keys that do not fit.
    """
    # Weights of no known architecture are compared with the released one.
    found = infer_unet_architecture(state_dict) or {"in_channels": 3, "num_levels": 1}
    # The weights come from the checkpoint, so pretrained ones need not be fetched first.
    arguments = {**(config or {"name": "unet", **found}), "encoder_weights": None}
    build_level, of_all = _split_settings(**arguments)

    def build_fitting_level() -> nn.Module:
        level, levels = build_level(), range(arguments["num_levels"])
        own = level.state_dict().items()
        _check({f"model.{index}.{key}": weight for index in levels for key, weight in own}, state_dict)
        return level

    if MODELS[arguments["name"]] is LevelUNet:
        # Shapes alone. The encoders of smp read numbers back while they are built, but have sizes of their own.
        with torch.device("meta"):
            build_fitting_level()
    elif MODELS[arguments["name"]] is SmpLevelUNet:
        _check_classifier(arguments, state_dict)
    model = MultiLevelModel(build_fitting_level, **of_all)
    load_weights(model, state_dict)
    return model


def _check_classifier(arguments: Mapping, state_dict: Mapping[str, Tensor]) -> None:
    """The one size of an smp U-Net that a checkpoint's configuration is free to choose, beside the channels."""
    feat_dim = arguments.get("feat_dim") or arguments.get("features", RELEASED_FEATURES)[-1]
    classifier = state_dict.get("model.0.classifier.weight")
    if classifier is None or classifier.shape != (1, feat_dim, 1, 1):
        found = "none" if classifier is None else f"a classifier of {tuple(classifier.shape)}"
        raise ValueError(
            f"checkpoint of another architecture: expected a classifier of {feat_dim} channels, found {found}"
        )


def load_weights(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load weights whose keys, shapes and kinds must all fit; a ValueError names the first that do not."""
    _check(model.state_dict(), state_dict)
    model.load_state_dict(state_dict)


def _check(own: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    missing = [key for key in own if key not in other]
    unexpected = [key for key in other if key not in own]
    reshaped = [
        f"{key} {tuple(other[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in other and own[key].shape != other[key].shape
    ]
    retyped = [
        f"{key} {other[key].dtype} instead of {own[key].dtype}"
        for key in own
        if key in other and own[key].is_floating_point() != other[key].is_floating_point()
    ]
    found = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped, "of another type": retyped}
    parts = [
        f"{len(keys)} {what} (first: {', '.join(key[:200] for key in keys[:3])})"
        for what, keys in found.items()
        if keys
    ]
    if parts:
        raise ValueError(
            f"checkpoint of another architecture: expected {len(own)} entries, found {len(other)}, "
            f"{', '.join(parts)}; use a checkpoint of this project or of the reference, "
            "and the options (--num_levels, --features, ...) that it was trained with"
        )
