"""I-VT and I-DT on made samples whose fixations are known."""

import numpy as np
import pandas as pd
import pytest

from datasets.recordings.detection import (
    DETECTORS,
    DetectionSettings,
    detect_fixations,
    to_degrees,
    velocity_deg_s,
)
from datasets.recordings.recording import Rect


def detect(samples: pd.DataFrame, method: str, **settings) -> pd.DataFrame:
    """With coordinates that are degrees already."""
    return detect_fixations(samples, method, samples[["x", "y"]].to_numpy(), DetectionSettings(**settings))


def test_dispersion_finds_the_samples_of_every_fixation(steps):
    samples = steps((0, 0, 100), (8, 0, 150), (8, 6, 80), rate_hz=500)
    found = detect(samples, "idt")
    assert found["start_ms"].tolist() == [0, 204, 508]
    assert found["duration_ms"].tolist() == [200, 300, 160]
    assert found[["x", "y", "pupil"]].to_numpy().tolist() == [[0, 0, 3], [8, 0, 3], [8, 6, 3]]


@pytest.mark.parametrize(("rate_hz", "lost"), [(1000, 2), (500, 2), (60, 1)])
def test_velocity_finds_them_but_for_the_samples_beside_a_saccade(steps, rate_hz, lost):
    samples = steps((0, 0, 60), (8, 0, 60), rate_hz=rate_hz)
    found = detect(samples, "ivt")
    step = 1e3 / rate_hz
    assert found["duration_ms"].tolist() == pytest.approx([(60 - lost) * step, (60 - lost) * step])
    assert found["start_ms"].tolist() == pytest.approx([0, (62 + lost) * step])
    assert found["x"].tolist() == [0, 8]


@pytest.mark.parametrize("method", DETECTORS)
def test_a_blink_and_a_gap_in_time_part_a_fixation(steps, method):
    samples = steps((1, 1, 100), rate_hz=100)
    samples.loc[40:49, ["x", "y"]] = np.nan
    samples.loc[80:, "start_ms"] += 200
    found = detect(samples, method)
    assert found["start_ms"].tolist() == [0, 500, 1000]
    assert found["duration_ms"].tolist() == [400, 300, 200]


def test_velocity_merges_what_noise_or_lost_samples_parted(steps):
    samples = steps((1, 1, 100), (8, 1, 100), rate_hz=500)
    samples.loc[50:54, ["x", "y"]] = np.nan
    samples.loc[150, "x"] = 8.4
    found = detect(samples, "ivt")
    assert found["start_ms"].tolist() == [0, 208]
    assert found["duration_ms"].tolist() == [196, 196]
    # The mean over 98 samples, one of them off; the missing ones have no part in it.
    assert found["x"].tolist() == pytest.approx([1, 8 + 0.4 / 98])
    assert len(detect(samples, "ivt", merge_gap_ms=0)) == 5
    assert len(detect(samples, "ivt", merge_gap_ms=9.9)) == 3


def test_velocity_merges_no_two_places(steps):
    assert len(detect(steps((0, 0, 100), (0.4, 0, 100), rate_hz=500, jump=1), "ivt")) == 1
    assert len(detect(steps((0, 0, 100), (0.6, 0, 100), rate_hz=500, jump=1), "ivt")) == 2


def test_dispersion_counts_nothing_shorter_than_the_minimum(steps):
    samples = steps((0, 0, 10), (8, 0, 9), (0, 0, 10), rate_hz=100, jump=0)
    assert detect(samples, "idt", min_duration_ms=100)["start_ms"].tolist() == [0, 190]


def test_dispersion_is_the_extent_in_x_plus_that_in_y(steps):
    corners = pd.DataFrame({"start_ms": np.arange(20) * 10.0, "x": [0, 0.5] * 10, "y": [0, 0.5] * 10, "pupil": 1.0})
    assert len(detect(corners, "idt", dispersion_deg=1.0)) == 1
    assert len(detect(corners, "idt", dispersion_deg=0.99)) == 0


def test_dispersion_over_a_long_fixation_looks_ahead_in_parts(steps):
    samples = steps((0, 0, 5000), (8, 0, 100), rate_hz=1000, jump=0)
    assert detect(samples, "idt")["duration_ms"].tolist() == [5000, 100]


def test_dispersion_agrees_with_pymovements_but_for_its_last_sample():
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.uniform(-10, 10, (8, 2)), 100, axis=0)
    xy = centres + rng.normal(0, 0.1, centres.shape)
    samples = pd.DataFrame({"start_ms": np.arange(800.0), "x": xy[:, 0], "y": xy[:, 1], "pupil": 1.0})
    ours = detect(samples, "idt")
    # What its version 0.28 finds.
    onset, offset = [0, 135, 201, 300, 401, 522, 609, 701], [100, 200, 293, 400, 500, 600, 700, 799]
    assert len(ours) == 8
    # They count the first sample beyond the threshold in, except at the very end.
    assert np.abs(ours["start_ms"].to_numpy() - onset).max() <= 1
    last = ours["start_ms"] + ours["duration_ms"] - 1
    assert np.abs(last.to_numpy() - offset).max() <= 1


def test_velocity_agrees_with_pymovements():
    x = [0, 0, 0, 0, 1, 2, 2, 2, 2, 2.5, 3, 3.1, 3.2, 3.2, 3.2, 3.2]
    samples = pd.DataFrame({"start_ms": np.arange(16) * 10.0, "x": x, "y": 0.0, "pupil": 1.0})
    found = detect(samples, "ivt", merge_gap_ms=0, min_duration_ms=0)
    assert found["start_ms"].tolist() == [0, 60, 110]
    assert found["duration_ms"].tolist() == [30, 30, 50]


def test_velocity_by_the_samples_own_times():
    time = np.array([0, 10, 30, 40, 60, 70], dtype=float)
    degrees = np.stack([time / 1000 * 5, -time / 1000 * 12], axis=1)
    assert velocity_deg_s(time, degrees, 10) == pytest.approx(np.tile([5, -12], (6, 1)))
    assert velocity_deg_s(time / 10, degrees, 1) == pytest.approx(np.tile([50, -120], (6, 1)))
    assert velocity_deg_s(time[:2], degrees[:2], 10) == pytest.approx(np.tile([5, -12], (2, 1)))


@pytest.mark.parametrize("method", DETECTORS)
@pytest.mark.parametrize("count", [0, 1])
def test_without_samples_no_fixation(steps, method, count):
    assert detect(steps((0, 0, count), rate_hz=100), method).empty


def test_degrees_from_the_viewing_geometry():
    xy = np.array([[500, 250], [1000, 250], [500, 0]])
    degrees = to_degrees(xy, "a.asc", Rect(0, 0, 1000, 500), (40, 20), 50.0, None)
    assert degrees == pytest.approx(np.degrees([[0, 0], [np.arctan(0.4), 0], [0, np.arctan(-0.2)]]))
    # As pymovements 0.28 has it.
    degrees = to_degrees(np.array([[900, 100.5]]), "a.asc", Rect(0, 0, 1000, 500), (40, 20), 50.0, None)
    assert degrees == pytest.approx(np.array([[17.74467163, -6.82017937]]))
    assert to_degrees(np.array([[60, 80]]), "a.asc", None, None, None, (30, 40)).tolist() == [[2, 2]]
    with pytest.raises(ValueError, match=r"a\.asc: expected the viewing geometry .* give --screen_px W,H --screen_cm"):
        to_degrees(np.zeros((1, 2)), "a.asc", Rect(0, 0, 1, 1), None, 50.0, None)
