"""The base class of level networks: what one has, declares and may say of itself."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn


class Level(nn.Module):
    """Network of one level: image (B,C,H,W) -> feature (B,F,H,W) and logits (B,1,H,W).

    Its constructor names what it has a use for of ``in_channels``, ``features``, ``feat_dim`` and ``encoder_input``
    (see ``build_model``), and everything that its ``Settings`` declare.

    Attributes:
        in_channels: channels of the image.
        classifier: the 1x1 convolution with bias from feature to logits.
        takes_all_images: whether batches of every number and size do, so that none need be tried.
        builds_on_meta: whether it can be built on torch's ``meta`` device, where weights are shapes alone.
    """

    in_channels: int
    classifier: nn.Conv2d
    takes_all_images: ClassVar[bool] = False
    builds_on_meta: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Settings:
        """What it declares with ``utils.settings.setting``: options of ``train``, kept in the checkpoint."""

    def frozen_features(self, images: Tensor) -> Sequence[Tensor]:
        """What is computed of images (B,C,S,S) by those layers that are to stay as they are; by default by none."""
        del images
        return ()

    def train(self, mode: bool = True) -> Self:
        """As of any module, but that the statistics of layers whose weights are frozen stay as they are."""
        super().train(mode)
        for layer in self.modules():
            own = list(layer.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                layer.eval()
        return self


def freeze(levels: Iterable[Level], images: Tensor) -> None:
    """Freeze the parameters of levels that never get a gradient, as distributed training would wait for them, and
    those of their ``frozen_features``.

    Some encoders carry layers of the classifier that they were. One step of the first level finds them, and whether
    it can take such a step; its statistics and the random generators stay as they were.

    Args:
        levels: alike, on the CPU, in training mode; changed in place.
        images: (B,C,S,S), as few as there will be in a batch.

    Raises:
        ValueError: if the network cannot be trained on such images.
    """
    first, *_ = levels = list(levels)
    if first.takes_all_images:
        return
    with frozen_batch_statistics(first), torch.random.fork_rng(devices=[]):
        _, logits = checked_forward(first, images)
        features = first.frozen_features(images)
    used = _parameters_of([logits], first) - _parameters_of(features, first)
    for level in levels:
        for name, parameter in level.named_parameters():
            parameter.requires_grad_(name in used)


def _parameters_of(outputs: Sequence[Tensor], network: nn.Module) -> set[str]:
    """The names of the parameters that outputs depend on, of those that train."""
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    # Some encoders have a stage without channels.
    sums = [output.sum() for output in outputs if output.requires_grad]
    gradients = torch.autograd.grad(sums, list(named.values()), allow_unused=True) if sums else [None] * len(named)
    return {name for name, gradient in zip(named, gradients, strict=True) if gradient is not None}


def checked_forward(level: Level, images: Tensor) -> tuple[Tensor, Tensor]:
    """Feature and logits of images (B,C,S,S); a ValueError if they are of a size or number that it does not take."""
    try:
        feature, logits = level(images)
        if logits.shape != (len(images), 1, *images.shape[2:]) or feature.shape[2:] != images.shape[2:]:
            raise ValueError(f"its feature is {tuple(feature.shape)}, its logits {tuple(logits.shape)}")
        return feature, logits
    except Exception as error:  # of hundreds of networks, each with its own reasons
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        number, side = len(images), images.shape[-1]
        raise ValueError(
            f"--model: expected a network that takes {number} image(s) of {side}x{side} at a time, found one that "
            f"does not ({reason}); choose another --spatial_size or, if the last batch is the trouble, another -bs"
        ) from error


@contextlib.contextmanager
def frozen_batch_statistics(network: nn.Module) -> Iterator[None]:
    """Batch normalisation without an update of its running statistics: they have seen the batch already."""
    buffers = [(m, name, buffer) for m in network.modules() for name, buffer in m.named_buffers(recurse=False)]
    for module, name, buffer in buffers:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in buffers:
            setattr(module, name, buffer)
