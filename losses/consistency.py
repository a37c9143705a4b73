"""Cross-level consistency: every level agrees with what its peers believe (section 2 of the paper).

    K_i = -1/(m-1) sum over j != i of mean_p [ s'_i sg(s_j) + (1 - s'_i) (1 - sg(s_j)) ]

with s = sigmoid(logits), s' the same of the propagated logits ("pure" consistency: s' = s), and sg the stop-gradient.
The term is linear in s_j, so the peers enter through their mean.
"""

import torch
from torch import Tensor


def multi_level_consistency(level_logits: Tensor, level_logits_prop: Tensor) -> Tensor:
    """Consistency of the propagated predictions of a level with the plain ones of its peers.

    Args:
        level_logits: (L,B,1,H,W), the peers' part, which gets no gradient.
        level_logits_prop: (L,B,1,H,W), logits of the propagated features; ``level_logits`` again for "pure".

    Returns:
        (L,) in -1..0, one value a level, -1 where all agree for certain; zeros if there is one level.

    Raises:
        ValueError: if the two differ in shape.
    """
    if level_logits.shape != level_logits_prop.shape:
        raise ValueError(
            f"consistency: expected equal shapes, found logits {tuple(level_logits.shape)} "
            f"and propagated logits {tuple(level_logits_prop.shape)}"
        )
    num_levels = len(level_logits)
    if num_levels == 1:
        return level_logits_prop.new_zeros(1)
    belief = level_logits.detach().sigmoid()
    peers = (belief.sum(dim=0, keepdim=True) - belief) / (num_levels - 1)
    prediction = level_logits_prop.sigmoid()
    agreement = prediction * peers + (1 - prediction) * (1 - peers)
    return -torch.mean(agreement.flatten(1), dim=1)
