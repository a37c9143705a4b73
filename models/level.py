"""Base class of level networks: attributes, declared settings, frozen parameters."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

# Input normalisation of an encoder: by the statistics of ImageNet's channels, or (x - 127) / 128 of grey values x.
INPUTS = ("imagenet", "symmetric")


class Level(nn.Module):
    """Network of one level: image (B,C,H,W) -> feature (B,F,H,W) and logits (B,1,H,W).

    The constructor takes those of ``in_channels``, ``features``, ``feat_dim`` and ``encoder_input`` that it uses (see
    ``build_model``), and all fields of its ``Settings``.

    Attributes:
        in_channels: channels of the image.
        classifier: the 1x1 convolution with bias from feature to logits.
        takes_all_images: whether it takes batches of every number and size, and has no layers to freeze beyond those
            that its constructor froze, so that no trial step is needed.
        pretrained_settings: names of settings, None by default, of weights to start from, as a path or a word: a
            checkpoint keeps the name of a file without its folder, and is read without the file.
        builds_on_meta: whether it can be built on torch's ``meta`` device, where weights have shapes but no memory.
    """

    in_channels: int
    classifier: nn.Conv2d
    takes_all_images: ClassVar[bool] = False
    pretrained_settings: ClassVar[tuple[str, ...]] = ()
    builds_on_meta: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Settings:
        """Settings declared with ``utils.settings.setting``: options of ``train``, kept in the checkpoint."""

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any], *, starts_from_checkpoint: bool) -> None:
        """Raise ValueError for values of its ``Settings`` that contradict each other; by default none do."""

    @classmethod
    def encoder_input(cls, settings: Mapping[str, Any], normalisation: str) -> str:
        """The input normalisation, one of ``INPUTS``, for values of its ``Settings`` and the data's normalisation."""
        del settings, normalisation
        return INPUTS[0]

    def frozen_features(self, images: Tensor) -> Sequence[Tensor]:
        """Features of images (B,C,S,S) computed by the layers to freeze; by default there are none."""
        del images
        return ()

    def train(self, mode: bool = True) -> Self:
        """Set training mode, except for layers with frozen weights, whose statistics stay as they are."""
        super().train(mode)
        for layer in self.modules():
            own = list(layer.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                layer.eval()
        return self


def freeze(levels: Iterable[Level], images: Tensor) -> None:
    """Freeze parameters of levels: those of their ``frozen_features``, and those that never get a gradient, for which
    distributed training would wait.

    Some encoders carry unused layers of the classifier that they were. A trial step of the first level finds them, and
    shows that the network takes such images; its statistics and the random generators stay as they were.

    Args:
        levels: equal networks, on the CPU, in training mode; changed in place.
        images: (B,C,S,S), a batch as small as the smallest.

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
    """The names of the trainable parameters that outputs depend on."""
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    # Some encoders have a stage without channels.
    sums = [output.sum() for output in outputs if output.requires_grad]
    gradients = torch.autograd.grad(sums, list(named.values()), allow_unused=True) if sums else [None] * len(named)
    return {name for name, gradient in zip(named, gradients, strict=True) if gradient is not None}


def checked_forward(level: Level, images: Tensor) -> tuple[Tensor, Tensor]:
    """Feature and logits of images (B,C,S,S); ValueError if the network does not take their size or number."""
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
