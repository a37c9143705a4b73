"""The simulated viewer: reproducible, in the protocol's order, and like the real viewer's table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from datasets.demo.viewer import FIXATION_DTYPE, Viewer, simulate_fixations


def disc(area: float = 0.12, centre_xy: tuple[float, float] = (0.55, 0.5), size=(96, 120)) -> np.ndarray:
    """An ellipse that takes this share of the image."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    x, y = (columns + 0.5) / size[1] - centre_xy[0], (rows + 0.5) / size[0] - centre_xy[1]
    return np.pi * (x**2 + y**2) < area


def many(mask: np.ndarray, count: int, **settings) -> list[np.ndarray]:
    viewer = Viewer(**settings)
    return [simulate_fixations(mask, rng=np.random.default_rng(seed), viewer=viewer) for seed in range(count)]


def inside(mask: np.ndarray, fixations: np.ndarray) -> np.ndarray:
    rows, columns = (fixations["y"] * mask.shape[0]).astype(int), (fixations["x"] * mask.shape[1]).astype(int)
    return mask[rows, columns]


def gaze_dice(mask: np.ndarray, fixations: np.ndarray, threshold: float = 0.5) -> float:
    """Dice of the thresholded heatmap, with the recipe's Gaussian of 70 pixels on a canvas of 768."""
    heat = np.zeros(mask.shape)
    rows, columns = (fixations["y"] * mask.shape[0]).astype(int), (fixations["x"] * mask.shape[1]).astype(int)
    np.add.at(heat, (rows, columns), fixations["duration_ms"])
    heat = ndimage.gaussian_filter(heat, [70 / 768 * side for side in mask.shape])
    pseudo = (heat - heat.min()) / np.ptp(heat) >= threshold
    return 2 * (pseudo & mask).sum() / (pseudo.sum() + mask.sum())


# ---- the answer's form --------------------------------------------------------------------------------------


def test_same_seed_same_fixations_other_seed_others():
    first, again, other = (simulate_fixations(disc(), rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_neither_the_mask_nor_the_global_generator_is_touched():
    mask = disc()
    before, state = mask.copy(), np.random.get_state()[1].copy()
    simulate_fixations(mask, rng=np.random.default_rng(0))
    assert (mask == before).all()
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize(
    "mask",
    [
        disc(),
        disc(0.02, (0.9, 0.1)),
        np.ones((40, 50), bool),
        np.eye(30, 40, dtype=bool),
        np.ones((1, 1), bool),
    ],
    ids=["disc", "corner", "full", "thin", "one_pixel_image"],
)
def test_columns_and_ranges(mask: np.ndarray):
    for fixations in many(mask, 20):
        assert fixations.dtype == FIXATION_DTYPE
        assert 5 <= len(fixations) <= 99
        for axis in ("x", "y"):
            assert (fixations[axis] > 0).all() and (fixations[axis] < 1).all()
        assert (fixations["duration_ms"] >= 50).all() and (fixations["duration_ms"] <= 4000).all()
        ends_ms = fixations["start_ms"] + fixations["duration_ms"]
        assert fixations["start_ms"][0] == 7
        assert (fixations["start_ms"][1:] > ends_ms[:-1]).all()


def test_axes_are_not_swapped():
    mask = np.zeros((60, 120), bool)
    mask[5:15, 80:110] = True
    fixations = np.concatenate(many(mask, 20))
    scanned = fixations[~fixations["searching"]]
    assert scanned["x"].mean() == pytest.approx(95 / 120, abs=0.03)
    assert scanned["y"].mean() == pytest.approx(10 / 60, abs=0.03)


def test_number_of_fixations_stays_in_the_range_asked_for():
    counts = {len(fixations) for fixations in many(disc(), 40, min_count=20, max_count=22)}
    assert {20, 22} <= counts <= {20, 21, 22}


# ---- the protocol -------------------------------------------------------------------------------------------


def test_search_comes_first_and_starts_at_the_image_centre():
    mask = disc(0.06, (0.2, 0.8))
    first = []
    for fixations in many(mask, 60):
        searching = fixations["searching"]
        assert searching[0] and not searching[-1]
        assert (np.diff(searching.astype(int)) <= 0).all()
        first.append((fixations["x"][0], fixations["y"][0]))
    assert np.mean(first, axis=0) == pytest.approx((0.563, 0.452), abs=0.03)


def test_scan_starts_at_the_centre_and_moves_outwards():
    mask, centre = disc(0.2), (0.55, 0.5)
    distances = []
    for fixations in many(mask, 150):
        scanned = fixations[~fixations["searching"]][:6]
        distances.append(np.hypot(scanned["x"] - centre[0], scanned["y"] - centre[1]))
    landing, second, *later = np.mean([d for d in distances if len(d) == 6], axis=0)
    # The disc's radius is 0.25.
    # A point drawn evenly from the disc would lie 0.167 from its centre.
    assert landing < 0.145
    assert landing + 0.02 < second < min(later)
    assert 0.15 < np.mean(later) < 0.25


def test_both_parts_of_a_target_are_visited():
    left, right = disc(0.05, (0.25, 0.5)), disc(0.05, (0.75, 0.5))
    visited = [inside(left, f).any() and inside(right, f).any() for f in many(left | right, 40)]
    assert np.mean(visited) > 0.9


def test_scan_goes_round_a_hole_in_the_target():
    ring = disc(0.3, (0.5, 0.5)) & ~disc(0.1, (0.5, 0.5))
    share = np.mean([inside(ring, f[~f["searching"]]).mean() for f in many(ring, 30)])
    assert share > 0.7


def test_one_pixel_target_is_found():
    mask = np.zeros((90, 100), bool)
    mask[20, 70] = True
    scanned = np.concatenate([f[~f["searching"]] for f in many(mask, 30)])
    assert np.median(np.hypot(scanned["x"] - 0.705, scanned["y"] - 20.5 / 90)) < 0.04


def test_exact_viewer_never_looks_beside_the_target():
    mask = disc()
    for fixations in many(mask, 10, bias_sd=0.0, noise_sd=0.0, stray_share=0.0):
        assert inside(mask, fixations[~fixations["searching"]]).all()


def test_more_noise_gives_worse_gaze():
    mask = disc(0.08)
    usual, noisy = (np.mean([inside(mask, f).mean() for f in many(mask, 20, **s)]) for s in ({}, {"noise_sd": 0.1}))
    assert noisy < usual - 0.2


# ---- like the real viewer -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def viewings() -> list[tuple[np.ndarray, np.ndarray]]:
    """Masks of Kvasir-like sizes and places with their simulated fixations."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(150):
        area = np.clip(0.115 * np.exp(rng.normal(0, 0.85)), 0.01, 0.5)
        mask = disc(area, tuple(np.clip(rng.normal((0.55, 0.5), 0.14), 0.2, 0.8)))
        pairs.append((mask, simulate_fixations(mask, rng=rng)))
    return pairs


def test_number_and_time_like_the_real_table(viewings):
    counts = np.array([len(f) for _, f in viewings])
    seconds = np.array([f["duration_ms"].sum() / 1000 for _, f in viewings])
    assert counts.mean() == pytest.approx(26.8, abs=3.5)
    assert counts.std() == pytest.approx(10.4, abs=3)
    assert seconds.mean() == pytest.approx(9.0, abs=1.3)


def test_durations_like_the_real_table(viewings):
    durations = np.concatenate([f["duration_ms"] for _, f in viewings])
    low, quarter, median, three_quarters, high = np.percentile(durations, (5, 25, 50, 75, 95))
    assert durations.mean() == pytest.approx(336, rel=0.08)
    assert low == pytest.approx(148, rel=0.15)
    assert quarter == pytest.approx(237, rel=0.08)
    assert median == pytest.approx(305, rel=0.08)
    assert three_quarters == pytest.approx(395, rel=0.08)
    assert high == pytest.approx(633, rel=0.12)


def test_gaps_like_the_real_table(viewings):
    gaps = np.concatenate([np.diff(f["start_ms"]) - f["duration_ms"][:-1] for _, f in viewings])
    assert np.median(gaps) == pytest.approx(23, abs=3)
    assert gaps.mean() == pytest.approx(40, abs=8)


def test_saccades_like_the_real_table(viewings):
    lengths = np.concatenate([np.hypot(np.diff(f["x"]), np.diff(f["y"])) for _, f in viewings])
    assert np.median(lengths) == pytest.approx(0.117, abs=0.025)
    assert lengths.mean() == pytest.approx(0.133, abs=0.025)


def test_share_inside_the_target_like_the_real_table(viewings):
    shares = [np.average(inside(mask, f), weights=f["duration_ms"]) for mask, f in viewings]
    assert np.mean(shares) == pytest.approx(0.871, abs=0.04)
    assert np.median(shares) == pytest.approx(0.919, abs=0.04)


def test_centre_of_gaze_lies_near_the_centre_of_the_target(viewings):
    offsets = []
    for mask, fixations in viewings:
        rows, columns = np.nonzero(mask)
        x, y = (np.average(fixations[axis], weights=fixations["duration_ms"]) for axis in ("x", "y"))
        offsets.append((x - (columns.mean() + 0.5) / mask.shape[1], y - (rows.mean() + 0.5) / mask.shape[0]))
    rms = np.sqrt(np.mean(np.square(offsets), axis=0))
    assert (rms > 0.012).all() and (rms < 0.045).all()


def test_pseudo_masks_as_good_as_the_real_viewers(viewings):
    dices = [gaze_dice(mask, fixations) for mask, fixations in viewings]
    # 0.745 on the real masks, whose outlines are less regular than these ellipses.
    assert 0.70 < np.mean(dices) < 0.85
