"""Policies on grids of a few pixels, with answers that can be computed by hand."""

import math

import numpy as np
import pytest

from datasets.gaze.fixations import Fixations, read_fixations
from datasets.gaze.policies import POLICIES, Evidence
from datasets.gaze.policies.area import agreement
from datasets.gaze.policies.evidence import gaze_features, hull_distance, logit, read_evidence
from datasets.gaze.quality import label_quality
from datasets.specs import get_spec
from utils.images import write_image

UNSURE = np.full((2, 2), 0.5, np.float32)


def seen(share, crf=UNSURE, logits=None, spread=0.0):
    """An image whose hull says nothing, of which the network finds this share of 10 x 10 pixels."""
    if logits is None:
        logits = np.where(np.arange(100).reshape(10, 10) < 100 * share, 1.0, -1.0)
    crf = np.resize(crf, logits.shape)
    return Evidence(crf, crf, np.full(logits.shape, -0.04), np.array([spread, 0.0, 0.0]), logits, map_cut=0.5)


def square(*corners, durations=None):
    xy = np.array(corners, dtype=float)
    return Fixations(xy, np.full(len(xy), 100.0) if durations is None else np.array(durations, float))


def test_the_hull_leaves_out_the_search_and_counts_outwards_as_negative():
    # The first of ten is far away; the others go round the middle of a grid of 8 pixels.
    around = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)] * 2 + [(0.5, 0.5)]
    distance = hull_distance(square((0.0, 0.0), *around), 8)
    assert distance[0, 0] == pytest.approx(-2.8 / 8, abs=0.02)
    assert distance[4, 0] == pytest.approx(-2 / 8, abs=0.02)
    assert distance[4, 4] > 2 / 8 - 0.02


def test_a_heatmap_that_is_not_there_is_made(tiny_root):
    """As where the maps are the released ones, which come without."""
    spec, fixations = get_spec("kvasir"), read_fixations(tiny_root / "fixations.csv")["polyp1"]
    made = read_evidence(spec, tiny_root, "polyp1", fixations, 32)
    write_image(tiny_root / "gaze" / "heatmap" / "polyp1.jpg", np.full((48, 64), 51, np.uint8))
    read = read_evidence(spec, tiny_root, "polyp1", fixations, 32)
    assert made.heatmap.shape == (32, 32) and made.heatmap.max() > 0.9 and made.heatmap.min() < 0.1
    np.testing.assert_allclose(read.heatmap, 0.2, atol=0.01)
    np.testing.assert_array_equal(read.crf, made.crf)


@pytest.mark.parametrize("fixations", [square((0.5, 0.5)), square((0.2, 0.5), (0.8, 0.5)), square((1.0, 1.0))])
def test_few_fixations_have_a_hull_and_facts(fixations):
    distance = hull_distance(fixations, 16)
    assert np.isfinite(distance).all() and distance.max() > 0
    assert np.isfinite(gaze_features(fixations)).all()


def test_facts_of_gaze_by_hand():
    # Variances of 0.04 and 0.01 without covariance: half the log determinant is log(0.2 * 0.1).
    fixations = square((0.3, 0.5), (0.7, 0.5), (0.5, 0.4), (0.5, 0.6), durations=[50, 50, 50, 50])
    spread, number, time = gaze_features(fixations)
    assert spread == pytest.approx(math.log(math.sqrt(0.02 * 0.005)), abs=1e-3)
    assert (number, time) == (math.log(4), math.log(200))


def test_the_agreement_is_half_of_each_map_and_the_hull():
    crf = np.array([[0.8, 0.5]], np.float32)
    one = Evidence(crf, crf, np.array([[0.5, -0.04]], np.float32), np.zeros(3), np.array([[2.0, -2.0]]), map_cut=0.2)
    # The map says neither at 0.2.
    expected = [0.5 * (math.log(4) + math.log(4)) + 14 * 0.1 + 1.0, 0.5 * math.log(4) - 1.0]
    np.testing.assert_allclose(agreement(one)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(agreement(Evidence(logits=np.array([[3.0]]))), [[3.0]])
    with pytest.raises(ValueError, match="expected an image with gaze or a network"):
        agreement(Evidence())


def test_area_adds_the_log_odds_of_the_area_expected_from_the_gaze():
    # Spread of gaze tells the area exactly: log odds are 1 * spread.
    spreads = np.linspace(-2, 1, 12)
    shares = [round(1 / (1 + math.exp(-spread)), 2) for spread in spreads]
    evidence = {str(i): seen(share, spread=math.log(share / (1 - share))) for i, share in enumerate(shares)}
    policy = POLICIES["area"].fit(evidence, {})
    assert policy.num_images == 12 and policy.residual < 0.02
    large = max(evidence.values(), key=lambda one: one.gaze_features[0])
    added = policy.unbounded(large) - agreement(large)
    mean = np.mean([one.gaze_features[0] for one in evidence.values()])
    np.testing.assert_allclose(added, large.gaze_features[0] - mean - logit(0.45), atol=0.02)


@pytest.mark.parametrize("pseudo", ["area", "fusion"])
def test_no_label_is_far_from_the_expected_area(pseudo):
    evidence = {str(i): seen(0.04 * (i + 1)) for i in range(12)}
    policy = POLICIES[pseudo].fit(evidence, {name: one.logits > 0 for name, one in evidence.items()})
    # Nothing is found at all, but for one pixel that is less unlikely than the others.
    logits = np.full((10, 10), -4.0)
    logits[3, 3] = -3.0
    label = policy.score(seen(0, logits=logits)) > 0
    assert label[3, 3] and 0 < label.mean() < 0.2
    # Of an image without gaze, what the network says and no more.
    np.testing.assert_array_equal(policy.score(Evidence(logits=logits)), logits)


def test_before_there_is_a_network_area_is_the_agreement():
    one = Evidence(UNSURE, UNSURE, np.zeros((2, 2)), np.zeros(3))
    policy = POLICIES["area"].fit({str(i): one for i in range(9)}, {})
    assert policy.weights is None
    np.testing.assert_array_equal(policy.score(one), agreement(one))


def test_fusion_finds_out_whom_to_believe():
    rng = np.random.default_rng(0)
    truth = {str(i): rng.random((12, 12)) < 0.4 for i in range(10)}
    # The network is right, and the map is noise.
    evidence = {
        name: seen(0, crf=rng.random((12, 12)), logits=np.where(mask, 1.0, -1.0)) for name, mask in truth.items()
    }
    policy = POLICIES["fusion"].fit(evidence, {name: truth[name] for name in list(truth)[:8]})
    for name in list(truth)[8:]:
        np.testing.assert_array_equal(policy.score(evidence[name]) > 0, truth[name])
    with pytest.raises(ValueError, match="expected 8 masks or more of images with gaze to fit it on, found 1"):
        POLICIES["fusion"].fit(evidence, {"0": truth["0"]})


def test_fusion_of_targets_much_larger_than_the_gaze_has_an_end():
    """Whole steps of Newton's method lead away from it here, and back never."""
    rng, evidence, masks = np.random.default_rng(0), {}, {}
    rows, columns = np.mgrid[:64, :64]
    for index in range(10):
        distance = np.hypot(columns - rng.integers(28, 37), rows - rng.integers(28, 37)) / 64
        heat = np.exp(-(distance**2) / (2 * 0.12**2)).astype(np.float16)
        facts = np.array([-3.0, 3.0, 8.0]) + rng.normal(size=3) * 0.1
        evidence[str(index)] = Evidence(heat, heat, (0.12 - distance).astype(np.float16), facts, None, 0.4)
        masks[str(index)] = distance < 0.4 + rng.normal() * 0.03
    fusion = POLICIES["fusion"].fit(evidence, masks)
    assert np.abs(fusion.weights).max() < 100
    found = [(fusion.score(evidence[name]) > 0, mask) for name, mask in masks.items()]
    assert np.mean([2 * (label & mask).sum() / (label.sum() + mask.sum()) for label, mask in found]) > 0.7


def test_levels_means_logits_and_network_is_itself():
    one = seen(0, crf=np.full((2, 2), 0.8, np.float32), logits=np.zeros((2, 2)))
    np.testing.assert_allclose(POLICIES["levels"].fit({}, {}).score(one), math.log(4) / 2, rtol=1e-5)
    alone = Evidence(logits=np.full((2, 2), -3.0))
    np.testing.assert_array_equal(POLICIES["network"].fit({}, {}).score(alone), np.full((2, 2), -3.0))


def test_quality_by_hand():
    full, left, empty = (np.array([row, row], bool) for row in ([1, 1], [1, 0], [0, 0]))
    # Right, too large, too small, and nothing there.
    assert label_quality([(left, left), (full, left), (empty, full), (empty, empty)]) == {
        "num_images": 3,
        "dice": round((1 + 2 / 3 + 0) / 3, 6),
        "share_below_0.6": round(1 / 3, 6),
        "share_too_large": round(1 / 3, 6),
        "share_too_small": round(1 / 3, 6),
    }
    assert label_quality([]) is None and label_quality([(full, empty)]) is None
