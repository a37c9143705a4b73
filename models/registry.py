"""Model registry and factory: from a name, or from weights, to a model."""

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.level import Level
from models.multi_level import MultiLevelModel
from models.smp_unet import SmpLevelUNet
from models.unet import RELEASED_FEATURES, LevelUNet, infer_unet_architecture
from utils.settings import checked_value, declared_settings

# One line a network: the class of one level, which declares its own settings.
MODELS: dict[str, type[Level]] = {"unet": LevelUNet, "smp-unet": SmpLevelUNet}
# The arguments of ``build_model`` that all levels share.
SHARED_ARGUMENTS = frozenset(inspect.signature(MultiLevelModel).parameters) - {"build_level"}


def build_model(name: str, *, num_levels: int, **settings) -> nn.Module:
    """Build a multi-level segmentation model; ``forward`` is described in ``MultiLevelModel``.

    Args:
        name: a key of ``MODELS``: ``unet`` (the released network) or ``smp-unet`` (segmentation-models-pytorch).
        num_levels: number of pseudo-mask levels, each with a network of its own.
        settings: of all levels, ``cons_mode``, ``init``, ``prop_similarity``, ``prop_kernel_size``, ``prop_dilation``,
            ``ensemble``: see ``MultiLevelModel``; of one level, those that it takes of ``in_channels`` (3 for Kvasir,
            1 for the prostate set), ``features`` (see ``BasicUNet``), ``feat_dim`` (of the full-resolution feature; the
            last of ``features`` by default) and ``encoder_input`` (see ``SmpLevelUNet``); and the fields of its
            ``Settings``. Those of other networks are ignored.

    Raises:
        ValueError: for an unknown name or an impossible setting.
    """
    build_level, shared = _split_settings({"name": name, "num_levels": num_levels, **settings})
    return MultiLevelModel(build_level, **shared)


def level_arguments(name: str) -> frozenset[str]:
    """The arguments of ``build_model`` that a network's level takes, besides those that all levels share."""
    return frozenset(inspect.signature(MODELS[name]).parameters).union(declared_settings(MODELS[name].Settings))


def _network(name: str) -> type[Level]:
    if name not in MODELS:
        raise ValueError(
            f"model: expected one of {', '.join(MODELS)}, found {name!r}; import first what registers another"
        )
    return MODELS[name]


def _split_settings(arguments: Mapping[str, Any]) -> tuple[Callable[[], Level], dict]:
    """The factory of one level, and the settings that all levels share; arguments as of ``build_model``."""
    name, features = arguments["name"], arguments.get("features", RELEASED_FEATURES)
    network = _network(name)
    if unknown := arguments.keys() - SHARED_ARGUMENTS.union({"name"}, *map(level_arguments, MODELS)):
        raise ValueError(f"model {name}: expected settings of a network, found {', '.join(sorted(map(repr, unknown)))}")
    given = {**arguments, "features": features, "feat_dim": arguments.get("feat_dim") or features[-1]}
    declared = declared_settings(network.Settings).items()
    own = {key: checked_value(one, given.get(key, one.default)) for key, one in declared}
    of_level = {key: value for key, value in given.items() if key in level_arguments(name)} | own
    return lambda: network(**of_level), {key: value for key, value in given.items() if key in SHARED_ARGUMENTS}


def build_from_weights(state_dict: Mapping[str, Tensor], config: Mapping | None = None) -> nn.Module:
    """Build the model that a state dict belongs to, and load the weights.

    The released network is recognised by the shapes of its weights alone; any other needs ``config``, the
    arguments of ``build_model`` (with ``name``) that our checkpoints carry. ``config`` is compared with the weights
    before memory is allocated for more than one level.

    Raises:
        ValueError: if the weights fit no known architecture, naming the first keys that do not fit.
    """
    # Weights of no known architecture are compared with the released one.
    found = infer_unet_architecture(state_dict) or {"in_channels": 3, "num_levels": 1}
    # The weights come from the checkpoint, so pretrained ones need not be fetched first.
    arguments = dict(config or {"name": "unet", **found})
    network = _network(arguments["name"])
    arguments |= dict.fromkeys(network.pretrained_settings)
    build_level, shared = _split_settings(arguments)

    def build_fitting_level() -> Level:
        level, levels = build_level(), range(arguments["num_levels"])
        own = level.state_dict().items()
        _check({f"model.{index}.{key}": weight for index in levels for key, weight in own}, state_dict)
        return level

    if network.builds_on_meta:
        # Shapes alone; a network that cannot be built this way raises RuntimeError in torch.
        with contextlib.suppress(RuntimeError), torch.device("meta"):
            build_fitting_level()
    elif "feat_dim" in level_arguments(arguments["name"]):
        _check_classifier(arguments, state_dict)
    try:
        model = MultiLevelModel(build_fitting_level, **shared)
    except RuntimeError as error:
        # torch's, for sizes beyond memory or 64 bits.
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"checkpoint of another architecture: its network cannot be built ({reason})") from error
    load_weights(model, state_dict)
    return model


def _check_classifier(arguments: Mapping, state_dict: Mapping[str, Tensor]) -> None:
    """Compare the size of the feature, which a checkpoint's configuration claims, with the classifier's weights."""
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
