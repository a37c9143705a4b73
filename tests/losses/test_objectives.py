import math

import pytest
import torch

from losses import OBJECTIVES


def outputs(*values, prop=None):
    logits = torch.tensor(values, dtype=torch.float32).reshape(len(values), 1, 1, 1, 1).requires_grad_()
    made = {"logits": logits.mean(0), "level_logits": logits}
    if prop is not None:
        made["level_logits_prop"] = torch.tensor(prop, dtype=torch.float32).reshape(len(prop), 1, 1, 1, 1)
    return made


def pseudo(*values):
    return {"pseudo": torch.tensor(values, dtype=torch.float32).reshape(1, len(values), 1, 1)}


def test_each_level_learns_from_its_own_mask():
    loss, terms = OBJECTIVES["gaze_sup"](cons_weight=0)(outputs(0, math.log(3), prop=(0, 0)), pseudo(1, 0))
    assert terms["loss_cls_1"].item() == pytest.approx(math.log(2))
    assert terms["loss_cls_2"].item() == pytest.approx(math.log(4))
    assert loss.item() == pytest.approx(math.log(8))


def test_the_total_is_the_sum_with_the_weighted_sum_of_consistencies():
    made = outputs(0, math.log(3), prop=(math.log(9), 0))  # K = -(0.9 * 0.75 + 0.1 * 0.25) and -1/2
    loss, terms = OBJECTIVES["gaze_sup"](cons_mode="prop", cons_weight=3)(made, pseudo(1, 0))
    assert terms["loss_cons"].item() == pytest.approx(-(0.7 + 0.5) / 2)
    assert loss.item() == terms["loss"].item() == pytest.approx(math.log(8) - 3 * (0.7 + 0.5), rel=1e-5)


def test_pure_mode_needs_no_propagated_logits():
    loss, terms = OBJECTIVES["gaze_sup"](cons_mode="pure", cons_weight=1)(outputs(0, 0), pseudo(1, 1))
    assert terms["loss_cons"].item() == pytest.approx(-0.5)
    assert loss.item() == pytest.approx(2 * math.log(2) - 1)


def test_one_level_has_no_consistency():
    loss, terms = OBJECTIVES["gaze_sup"]()(outputs(0), pseudo(1))
    assert set(terms) == {"loss_cls_1", "loss"}
    assert loss.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("seg_loss", ["bce", "dice", "dice_ce"])
def test_full_supervision_reads_labels_only(seg_loss):
    loss, terms = OBJECTIVES["full_sup"](seg_loss=seg_loss)(outputs(50), {"label": torch.ones(1, 1, 1, 1)})
    assert loss.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seg_loss", ["bce", "dice", "dice_ce"])
def test_ignored_pixels_reach_neither_loss_nor_gradient(seg_loss):
    objective, generator = OBJECTIVES["full_sup"](seg_loss=seg_loss), torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 1, 4, 5, generator=generator).requires_grad_()
    label = (torch.rand(3, 1, 4, 5, generator=generator) > 0.5).float()
    ignore = torch.zeros(3, 1, 4, 5)
    ignore[:, :, 1:3, 2:] = 1
    loss, _ = objective({"level_logits": logits}, {"label": label * (1 - ignore), "ignore": ignore})
    loss.backward()
    assert not (logits.grad * ignore).any() and (logits.grad * (1 - ignore)).any()
    other = objective({"level_logits": logits + 7 * ignore}, {"label": label, "ignore": ignore})[0]
    assert loss.item() == pytest.approx(other.item(), rel=1e-6)
    whole = objective({"level_logits": logits}, {"label": label})[0]
    nothing = objective({"level_logits": logits}, {"label": label, "ignore": torch.zeros_like(ignore)})[0]
    assert whole.item() == pytest.approx(nothing.item(), rel=1e-6)


def test_pixels_that_are_left_are_averaged_by_sample():
    logits = torch.tensor([0.0, math.log(3), 50.0]).reshape(1, 1, 1, 1, 3)
    batch = {"label": torch.tensor([1.0, 0.0, 0.0]).reshape(1, 1, 1, 3), "ignore": torch.tensor([0.0, 0.0, 1.0])[None]}
    loss, terms = OBJECTIVES["full_sup"]()({"level_logits": logits}, batch | {"ignore": batch["ignore"][None, None]})
    assert loss.item() == terms["loss_cls_1"].item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_gaze_supervision_has_no_use_for_ignored_pixels():
    objective = OBJECTIVES["gaze_sup"](cons_mode="pure")
    expected = objective(outputs(0, 1), pseudo(1, 0))[0]
    assert objective(outputs(0, 1), pseudo(1, 0) | {"ignore": torch.ones(1, 1, 1, 1)})[0].item() == expected.item()
