"""Evaluation: at the labels' own size, case by case, level by level."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from evaluation.metrics import IGNORED_PX, PREDICTED_PX, TRUE_PX
from evaluation.per_case import ENSEMBLE
from evaluation.scores import collapsed_levels, score_case
from inference.network_scores import full_size_probabilities, score_network

LEFT = torch.tensor([[True, True, False, False]] * 2)
NOTHING = torch.zeros(2, 4, dtype=torch.bool)


class Echo(nn.Module):
    """Level 1 says what the image says, level 2 the contrary; the ensemble follows level 1."""

    def forward(self, x):
        logits = x[:, :1]
        return {"logits": logits, "level_logits": torch.stack([logits, -logits])}


def _loader(*batches):
    """Batches of (name, image (h,w), label (h,w))."""
    for batch in batches:
        yield {
            "name": [name for name, _, _ in batch],
            "image": torch.stack([image[None] for _, image, _ in batch]),
            "label": [label[None].float() for _, _, label in batch],
        }


def _logits(mask):
    return torch.where(mask, 5.0, -5.0)


def evaluated(*given, **more):
    """The table as a dict a row."""
    return score_network(*given, **more).to_dict("records")


def test_a_row_for_every_case_and_level():
    rows = evaluated(Echo(), _loader([("a", _logits(LEFT), LEFT), ("b", _logits(LEFT), ~LEFT)]), torch.device("cpu"))
    assert [(row["name"], row["level"], row["dice"], row["iou"]) for row in rows] == [
        ("a", "ensemble", 1.0, 1.0),
        ("a", "1", 1.0, 1.0),
        ("a", "2", 0.0, 0.0),
        ("b", "ensemble", 0.0, 0.0),
        ("b", "1", 0.0, 0.0),
        ("b", "2", 1.0, 1.0),
    ]


def test_labels_of_different_sizes_in_one_batch():
    large = LEFT.repeat_interleave(8, 0).repeat_interleave(8, 1)
    wide = LEFT.repeat_interleave(4, 1)
    rows = evaluated(Echo(), _loader([("a", _logits(LEFT), large), ("b", _logits(LEFT), wide)]), torch.device("cpu"))
    assert [row["dice"] for row in rows if row["level"] == "ensemble"] == [1.0, 1.0]


def test_empty_label_and_empty_prediction_have_no_score():
    rows = evaluated(Echo(), _loader([("a", _logits(NOTHING), NOTHING)]), torch.device("cpu"))
    assert math.isnan(rows[0]["dice"]) and math.isnan(rows[0]["iou"])
    assert rows[2]["dice"] == 0


def test_masks_are_handed_on_at_full_size():
    seen = {}
    large = LEFT.repeat_interleave(3, 0).repeat_interleave(3, 1)
    loader = _loader([("a", _logits(LEFT), large)], [("b", _logits(~LEFT), LEFT)])
    rows = evaluated(Echo(), loader, torch.device("cpu"), writers=[lambda case: seen.update({case.name: case})])
    assert {name: (case.masks.shape, case.masks.dtype) for name, case in seen.items()} == {
        "a": ((3, 6, 12), np.dtype(bool)),
        "b": ((3, 2, 4), np.dtype(bool)),
    }
    np.testing.assert_array_equal(seen["a"].masks, np.stack([large, large, ~large]))
    np.testing.assert_array_equal(seen["a"].label, large)
    np.testing.assert_array_equal(seen["a"].probabilities > 0.5, seen["a"].masks)
    made = [*seen["a"].rows, *seen["b"].rows]
    assert [{key: row[key] for key in of_case} for row, of_case in zip(rows, made, strict=True)] == made


def test_threshold_is_on_the_probability_and_excludes_itself():
    half = torch.zeros(2, 4)
    assert evaluated(Echo(), _loader([("a", half, LEFT)]), torch.device("cpu"))[0]["dice"] == 0
    rows = evaluated(Echo(), _loader([("a", half, LEFT)]), torch.device("cpu"), threshold=0.4)
    assert rows[0]["dice"] == pytest.approx(2 * 4 / (8 + 4))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_evaluated_in_eval_mode_and_given_back_as_it_was(training):
    modes = []

    class Watching(Echo):
        def forward(self, x):
            modes.append((self.training, torch.is_grad_enabled()))
            return super().forward(x)

    model = Watching().train(training)
    score_network(model, _loader([("a", _logits(LEFT), LEFT)]), torch.device("cpu"))
    assert modes == [(False, False)]
    assert model.training == training


def test_logits_are_resized_before_the_sigmoid():
    logits = torch.tensor([[[[-10.0, 2.0]]]])
    resized = full_size_probabilities(logits, (1, 4))
    # Half-pixel centres: a quarter and three quarters of the way.
    expected = torch.tensor([-10.0, -7.0, -1.0, 2.0]).sigmoid()
    torch.testing.assert_close(resized.flatten(), expected)


def test_score_case_names_the_ensemble_first():
    rows = score_case("a", np.stack([LEFT, ~LEFT, NOTHING]), LEFT.numpy())
    assert [(row["level"], row["dice"]) for row in rows] == [("ensemble", 1.0), ("1", 0.0), ("2", 0.0)]


@pytest.mark.parametrize(
    ("case", "collapsed"),
    [
        ({"dice": 0.0, PREDICTED_PX: 0}, ["2"]),
        ({"dice": 0.0, PREDICTED_PX: 5}, []),  # wrong, but alive
        ({"dice": math.nan, PREDICTED_PX: 0}, []),  # nothing there to be found
    ],
)
def test_a_level_that_finds_nothing_anywhere_has_collapsed(case, collapsed):
    levels = {ENSEMBLE: {"dice": 0.0, PREDICTED_PX: 0}, "1": {"dice": 0.5, PREDICTED_PX: 9}, "2": case}
    rows = [{"name": name, "level": level, **values} for name in "ab" for level, values in levels.items()]
    assert collapsed_levels(pd.DataFrame(rows)) == collapsed


def test_distances_in_pixels_and_where_the_spacing_is_known_in_mm():
    label, shifted = np.zeros((6, 8), bool), np.zeros((6, 8), bool)
    label[1:3, 1:3] = shifted[1:3, 3:5] = True
    (row,) = score_case("a", shifted[None], label, distances=True, spacing_mm=(2.0, 0.5))
    # From column 1 to 3, and from 2 to 3: two pixels and one.
    assert (row["hd95_px"], row["assd_px"]) == (pytest.approx(2), pytest.approx(1.5))
    assert (row["hd95_mm"], row["assd_mm"]) == (pytest.approx(1), pytest.approx(0.75))
    assert "hd95_mm" not in score_case("a", shifted[None], label, distances=True)[0]
    assert "hd95_px" not in score_case("a", shifted[None], label)[0]


def test_spacing_is_asked_for_by_name():
    loader = _loader([("a", _logits(LEFT), LEFT), ("b", _logits(LEFT), LEFT)])
    rows = evaluated(
        Echo(), loader, torch.device("cpu"), distances=True, spacing_of=lambda name: (1.0, 1.0) if name == "b" else None
    )
    assert [(math.isnan(row["hd95_mm"]), row["name"]) for row in rows[::3]] == [(True, "a"), (False, "b")]


# A column to ignore between what was found and what was missed.
IGNORE = np.array([[False, False, True, False, False]] * 2)
PREDICTED = np.array([[True, True, True, True, False], [True, False, True, False, False]])
TRUE = np.array([[True, False, True, False, False], [True, True, False, False, True]])


def test_ignored_pixels_count_nowhere():
    (row,) = score_case("a", PREDICTED[None], TRUE, IGNORE)
    # Outside the column: found 2, invented 2, missed 2.
    assert (row["dice"], row["precision"], row["recall"]) == (0.5, 0.5, 0.5)
    assert row["iou"] == pytest.approx(2 / 6)
    assert (row[PREDICTED_PX], row[TRUE_PX], row[IGNORED_PX]) == (4, 4, 2)


@pytest.mark.parametrize("differing", [PREDICTED | IGNORE, PREDICTED & ~IGNORE])
def test_what_was_predicted_on_ignored_pixels_makes_no_difference(differing):
    expected, found = (score_case("a", p[None], TRUE, IGNORE, distances=True) for p in (PREDICTED, differing))
    assert found == expected


def test_distances_leave_ignored_pixels_out_of_both_masks():
    label, prediction, ignore = np.zeros((3, 9, 12), bool)
    label[4, 2] = prediction[4, 4] = True
    label[:, 9:] = prediction[0, 9:] = ignore[:, 9:] = True
    (row,) = score_case("a", prediction[None], label, ignore, distances=True, spacing_mm=(1.0, 0.5))
    assert (row["hd95_px"], row["assd_px"], row["hd95_mm"]) == (2, 2, 1)


def test_one_mask_that_is_empty_but_for_ignored_pixels_is_as_far_as_the_diagonal():
    (row,) = score_case("a", IGNORE[None], TRUE, IGNORE, distances=True)
    assert (row["dice"], row["hd95_px"]) == (0, math.hypot(2, 5))


def test_a_case_that_is_ignored_whole_has_no_value():
    rows = score_case("a", np.stack([PREDICTED, ~PREDICTED]), TRUE, np.ones_like(TRUE), distances=True)
    assert all(math.isnan(row[m]) for row in rows for m in ("dice", "iou", "precision", "recall", "hd95_px", "assd_px"))
    assert [row[IGNORED_PX] for row in rows] == [10, 10]


def test_ignored_pixels_reach_rows_and_cases_of_an_evaluation():
    seen, ignore = [], torch.tensor([[True, True, False, False]] * 2)
    for ignored in (ignore, ~ignore):
        batch = next(_loader([("a", _logits(~LEFT), LEFT & ~ignored)])) | {"ignore": [ignored[None]]}
        rows = evaluated(Echo(), [batch], torch.device("cpu"), writers=[seen.append])
        np.testing.assert_array_equal(seen[-1].ignore, ignored)
        assert rows[0][IGNORED_PX] == 4
    # Everything predicted is wrong, or nothing is scored that was predicted or there.
    assert seen[0].rows[0]["dice"] == seen[1].rows[0]["dice"] == 0 and seen[1].rows[0][PREDICTED_PX] == 0
    plain = evaluated(Echo(), _loader([("a", _logits(LEFT), LEFT)]), torch.device("cpu"), writers=[seen.append])
    assert seen[-1].ignore is None and IGNORED_PX not in plain[0]
