"""The multi-level model: one network per pseudo-mask level, side by side, and their ensemble."""

import contextlib
import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.level import Level, frozen_batch_statistics
from models.propagation import propagate

CONS_MODES = ("prop", "pure")
INITS = ("copy", "independent")


def logit_of_mean_probability(level_logits: Tensor) -> Tensor:
    """Logit of the levels' mean probability: (L,B,1,H,W) -> (B,1,H,W); each level has the same weight.

    Finite for all finite logits: with p the probabilities, the logit of their mean is log(sum p) - log(sum (1 - p)),
    and both sums are taken over logarithms.
    """
    return F.logsigmoid(level_logits).logsumexp(dim=0) - F.logsigmoid(-level_logits).logsumexp(dim=0)


# Level logits (L,B,1,H,W) to (B,1,H,W). In the mean of logits, as released, one level that is sure of the opposite
# outvotes all others: a logit of -100 weighs fifty times one of 2.
ENSEMBLES = {"logits": lambda level_logits: level_logits.mean(dim=0), "probs": logit_of_mean_probability}


def describe_ensemble(ensemble: str) -> str:
    """The end of a method's description: empty for the released mean of logits."""
    return ", mean of probabilities" if ensemble == "probs" else ""


class MultiLevelModel(nn.Module):
    """L level networks on one image.

    ``forward`` maps an image (B,C,H,W) to a dict:
        ``logits`` (B,1,H,W): the ensemble of the levels, the prediction at test time;
        ``level_logits`` (L,B,1,H,W);
        ``level_logits_prop`` (L,B,1,H,W): the logits of the propagated features, only while training in
        ``prop`` mode with two levels or more.

    Args:
        build_level: makes one level network, which maps an image to (feature, logits) and has ``in_channels``, those
            of the image, and a ``classifier``, the 1x1 convolution with bias from feature to logits.
        num_levels: L, at least 1.
        cons_mode: ``prop`` or ``pure``.
        init: ``copy`` starts all levels with the weights of the first, as released; ``independent`` draws
            each anew, as in the paper's text.
        prop_similarity, prop_kernel_size, prop_dilation: see ``models.propagation``.
        ensemble: a key of ``ENSEMBLES``: ``logits`` averages the levels' logits, as released, ``probs`` their
            probabilities.

    Attributes:
        checkpoint_levels: gradient checkpointing: in training, a level's activations are recomputed for its gradient,
            so that memory holds those of one level at a time; the numbers are the same.
    """

    def __init__(
        self,
        build_level: Callable[[], Level],
        num_levels: int,
        *,
        cons_mode: str = "prop",
        init: str = "copy",
        prop_similarity: str = "dot",
        prop_kernel_size: int = 5,
        prop_dilation: int = 2,
        ensemble: str = "logits",
    ):
        super().__init__()
        check_choice("cons_mode", cons_mode, CONS_MODES)
        check_choice("init", init, INITS)
        check_choice("ensemble", ensemble, tuple(ENSEMBLES))
        if num_levels < 1:
            raise ValueError(f"num_levels: expected 1 or more, found {num_levels}")
        first = build_level()
        bias = getattr(getattr(first, "classifier", None), "bias", None)
        if bias is None or not hasattr(first, "in_channels"):
            lacks = "in_channels" if bias is not None else "classifier with a bias"
            raise ValueError(
                f"{type(first).__name__}: expected the attributes in_channels, of the image, and classifier, the 1x1 "
                f"convolution with bias from feature to logits, found no {lacks}"
            )
        others = [copy.deepcopy(first) if init == "copy" else build_level() for _ in range(num_levels - 1)]
        self.model = nn.ModuleList([first, *others])
        self.cons_mode = cons_mode
        self.ensemble = ensemble
        self.propagation = {"similarity": prop_similarity, "kernel_size": prop_kernel_size, "dilation": prop_dilation}
        self.checkpoint_levels = False

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        propagates = self.training and self.cons_mode == "prop" and len(self.model) > 1
        logits, propagated = zip(*(self._run_level(level, x, propagates) for level in self.model), strict=True)
        level_logits = torch.stack(logits)
        outputs = {"logits": ENSEMBLES[self.ensemble](level_logits), "level_logits": level_logits}
        if propagates:
            outputs["level_logits_prop"] = torch.stack(propagated)
        return outputs

    def _run_level(self, level: Level, x: Tensor, propagates: bool) -> tuple[Tensor, Tensor | None]:
        # Evaluation takes the uncompiled forward: compiling once more would take minutes for a few images.
        compute = level if self.training else level.forward

        def run(x: Tensor) -> tuple[Tensor, Tensor | None]:
            feature, logits = compute(x)
            return logits, self._propagated_logits(level, feature, logits) if propagates else None

        if not (self.training and self.checkpoint_levels):
            return run(x)
        # Contexts of the forward pass and of its recomputation.
        contexts = contextlib.nullcontext(), frozen_batch_statistics(level)
        return checkpoint(run, x, use_reentrant=False, context_fn=lambda: contexts)

    def _propagated_logits(self, level: Level, feature: Tensor, logits: Tensor) -> Tensor:
        """C(f') without f': C is linear, so its output is propagated in place of its C input channels.

        Neighbours outside the image count 0 there, hence the bias is taken off before and put back after.
        """
        bias = level.classifier.bias
        return propagate(feature, logits - bias[:, None, None], **self.propagation) + bias[:, None, None]


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError, which lists the choices, for a value that is none of them."""
    if value not in choices:
        raise ValueError(f"{what}: expected one of {', '.join(choices)}, found {value!r}")
