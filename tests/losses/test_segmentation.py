import math

import numpy as np
import pytest
import torch

from losses.segmentation import bce_loss, dice_ce_loss, dice_loss


def test_golden_losses(golden):
    data = np.load(golden / "losses_metrics.npz")
    logits, target, mask = (torch.tensor(data[key]) for key in ("logits", "target", "mask"))
    found = [bce_loss(logits, target), bce_loss(logits, target, mask), dice_loss(logits, target)]
    found.append(dice_ce_loss(logits, target))
    expected = [data[key] for key in ("bce", "bce_masked", "dice_loss", "dice_ce")]
    np.testing.assert_allclose(torch.stack(found).numpy(), expected, rtol=1e-5)


def test_bce_by_hand():
    logits = torch.tensor([[[[0.0, math.log(3)]]]])  # probabilities 1/2 and 3/4
    target = torch.tensor([[[[1.0, 0.0]]]])
    assert bce_loss(logits, target).item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_masked_bce_averages_pixels_then_samples_and_survives_an_empty_mask():
    logits, target = torch.zeros(3, 1, 1, 2), torch.tensor([[1.0, 0.0]] * 3)[:, None, None]
    logits[1] = 100.0
    mask = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])[:, None, None]
    # ln 2 in the first sample, 100 in the second, nothing in the third.
    assert bce_loss(logits, target, mask).item() == pytest.approx((math.log(2) + 100 + 0) / 3, rel=1e-5)


def test_dice_by_hand():
    logits = torch.tensor([[[[0.0, 0.0, 100.0, -100.0]]]])  # 1/2, 1/2, 1, 0
    target = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]]]])
    assert dice_loss(logits, target).item() == pytest.approx(1 - 2 * 1.5 / (2 + 2), rel=1e-4)


def test_dice_of_nothing_predicted_as_nothing_is_no_loss():
    assert dice_loss(torch.full((1, 1, 2, 2), -100.0), torch.zeros(1, 1, 2, 2)).item() == pytest.approx(0, abs=1e-6)


def test_masked_dice_by_hand():
    logits = torch.tensor([[[[0.0, 0.0, 100.0, 100.0]]]])  # 1/2, 1/2, 1, 1
    target = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]]]])
    mask = torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]])
    assert dice_loss(logits, target, mask).item() == pytest.approx(1 - 2 * 1.5 / (2 + 2), rel=1e-4)
    both = (dice_loss(logits, target, mask) + bce_loss(logits, target, mask)) / 2
    assert dice_ce_loss(logits, target, mask).item() == both.item()


@pytest.mark.parametrize("loss", [bce_loss, dice_loss, dice_ce_loss])
def test_a_sample_that_is_masked_whole_has_no_loss_and_no_gradient(loss):
    logits = torch.full((1, 1, 2, 2), 3.0, requires_grad=True)
    found = loss(logits, torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    found.backward()
    assert found.item() == 0 and not logits.grad.any()
