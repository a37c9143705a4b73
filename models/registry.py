"""From a name, or from weights, to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from models.basic_unet import check_features
from models.multi_level import MultiLevelModel
from models.smp_unet import SmpLevelUNet
from models.unet import RELEASED_FEATURES, LevelUNet, infer_unet_architecture

MODELS = ("unet", "smp-unet")


def build_model(
    name: str,
    *,
    in_channels: int,
    num_levels: int,
    cons_mode: str = "prop",
    features: Sequence[int] = RELEASED_FEATURES,
    feat_dim: int | None = None,
    init: str = "copy",
    prop_similarity: str = "dot",
    prop_kernel_size: int = 5,
    prop_dilation: int = 2,
    encoder: str = "resnet34",
    encoder_weights: str | None = None,
    ensemble: str = "logits",
) -> nn.Module:
    """Build a multi-level segmentation model; ``forward`` is described in ``MultiLevelModel``.

    Args:
        name: ``unet`` (the released network) or ``smp-unet`` (segmentation-models-pytorch).
        in_channels: image channels, 3 for Kvasir and 1 for the prostate set.
        num_levels: number of pseudo-mask levels, each with a network of its own.
        cons_mode: ``prop`` or ``pure`` consistency.
        features: channels of the ``unet``; see ``BasicUNet``.
        feat_dim: channels of the full-resolution feature; None takes the last of ``features``.
        init: ``copy`` or ``independent``.
        prop_similarity, prop_kernel_size, prop_dilation: see ``models.propagation``.
        encoder, encoder_weights: of the ``smp-unet``.
        ensemble: what the levels' prediction averages, ``logits`` or ``probs``.

    Raises:
        ValueError: for an unknown name or an impossible setting.
    """
    check_features(features)
    feat_dim = feat_dim or features[-1]
    builders = {
        "unet": lambda: LevelUNet(in_channels, features, feat_dim),
        "smp-unet": lambda: SmpLevelUNet(in_channels, feat_dim, encoder, encoder_weights),
    }
    if name not in builders:
        raise ValueError(f"model: expected one of {', '.join(builders)}, found {name!r}")
    return MultiLevelModel(
        builders[name],
        num_levels,
        cons_mode=cons_mode,
        init=init,
        prop_similarity=prop_similarity,
        prop_kernel_size=prop_kernel_size,
        prop_dilation=prop_dilation,
        ensemble=ensemble,
    )


def build_from_weights(
    state_dict: Mapping[str, Tensor], config: Mapping | None = None, *, ensemble: str | None = None
) -> nn.Module:
    """Build the model that a state dict belongs to, and load it.

    The released network is recognised by the shapes of its weights alone; any other needs ``config``, the
    arguments of ``build_model`` (with ``name``) that our checkpoints carry. ``ensemble`` goes before the one in
    ``config``; the weights do not depend on it.

    Raises:
        ValueError: if the weights fit no known architecture, naming the first keys that do not fit.
    """
    arguments = dict(config) if config else None
    if arguments is None:
        inferred = infer_unet_architecture(state_dict)
        if inferred is None:
            raise ValueError(_mismatch(build_model("unet", in_channels=3, num_levels=1).state_dict(), state_dict))
        arguments = {"name": "unet", **inferred}
    if ensemble is not None:
        arguments["ensemble"] = ensemble
    # The weights come from the checkpoint, so pretrained ones need not be fetched first.
    model = build_model(**{**arguments, "encoder_weights": None})
    load_weights(model, state_dict)
    return model


def load_weights(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load weights whose keys and shapes must all fit; a ValueError names the first that do not."""
    own = model.state_dict()
    message = _mismatch(own, state_dict)
    if message:
        raise ValueError(message)
    model.load_state_dict(state_dict)


def _mismatch(own: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str | None:
    missing = [key for key in own if key not in other]
    unexpected = [key for key in other if key not in own]
    reshaped = [
        f"{key} {tuple(other[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in other and own[key].shape != other[key].shape
    ]
    found = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    parts = [f"{len(keys)} {what} (first: {', '.join(keys[:3])})" for what, keys in found.items() if keys]
    if not parts:
        return None
    return (
        f"checkpoint of another architecture: expected {len(own)} entries, found {len(other)}, "
        f"{', '.join(parts)}; use a checkpoint of this project or of the reference, "
        "and the options (--num_levels, --features, ...) that it was trained with"
    )
