import math

import pytest
import torch

from losses import build_objective


def outputs(*values, prop=None):
    logits = torch.tensor(values, dtype=torch.float32).reshape(len(values), 1, 1, 1, 1).requires_grad_()
    made = {"logits": logits.mean(0), "level_logits": logits}
    if prop is not None:
        made["level_logits_prop"] = torch.tensor(prop, dtype=torch.float32).reshape(len(prop), 1, 1, 1, 1)
    return made


def pseudo(*values):
    return {"pseudo": torch.tensor(values, dtype=torch.float32).reshape(1, len(values), 1, 1)}


def test_each_level_learns_from_its_own_mask():
    loss, terms = build_objective("gaze_sup", cons_weight=0)(outputs(0, math.log(3), prop=(0, 0)), pseudo(1, 0))
    assert terms["loss_cls_1"].item() == pytest.approx(math.log(2))
    assert terms["loss_cls_2"].item() == pytest.approx(math.log(4))
    assert loss.item() == pytest.approx(math.log(8))


def test_the_total_is_the_sum_with_the_weighted_sum_of_consistencies():
    made = outputs(0, math.log(3), prop=(math.log(9), 0))  # K = -(0.9 * 0.75 + 0.1 * 0.25) and -1/2
    loss, terms = build_objective("gaze_sup", cons_mode="prop", cons_weight=3)(made, pseudo(1, 0))
    assert terms["loss_cons"].item() == pytest.approx(-(0.7 + 0.5) / 2)
    assert loss.item() == terms["loss"].item() == pytest.approx(math.log(8) - 3 * (0.7 + 0.5), rel=1e-5)


def test_pure_mode_needs_no_propagated_logits():
    loss, terms = build_objective("gaze_sup", cons_mode="pure", cons_weight=1)(outputs(0, 0), pseudo(1, 1))
    assert terms["loss_cons"].item() == pytest.approx(-0.5)
    assert loss.item() == pytest.approx(2 * math.log(2) - 1)


def test_one_level_has_no_consistency():
    loss, terms = build_objective("gaze_sup")(outputs(0), pseudo(1))
    assert set(terms) == {"loss_cls_1", "loss"}
    assert loss.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("seg_loss", ["bce", "dice", "dice_ce"])
def test_full_supervision_reads_labels_only(seg_loss):
    loss, terms = build_objective("full_sup", seg_loss=seg_loss)(outputs(50), {"label": torch.ones(1, 1, 1, 1)})
    assert loss.item() == pytest.approx(0, abs=1e-5)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="expected one of full_sup, gaze_sup, found 'box'"):
        build_objective("box")
