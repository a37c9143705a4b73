"""Fixation detection among samples by velocity (I-VT) or dispersion (I-DT), Salvucci and Goldberg, ETRA 2000.

Both work in degrees of visual angle, into which ``to_degrees`` converts coordinates on a screen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from datasets.recordings.recording import Rect, equal_runs
from utils.settings import NOT_NEGATIVE, POSITIVE, setting

# A step longer than this many usual ones is a gap of missing samples.
GAP_STEPS = 4
# From this rate on, velocity is taken over two samples to each side, which averages noise; below, over one.
FAST_HZ = 200
# Samples that a window grows by at once, so that a long recording is not searched whole for every fixation.
LOOK_AHEAD = 1024
# As in Olsen, The Tobii I-VT Fixation Filter, 2012, whose longest gap is the default too.
MERGE_DEG = 0.5


@dataclass(frozen=True)
class DetectionSettings:
    """Thresholds; see ``run.py fixations --help``."""

    velocity_deg_s: float = setting(30.0, "ivt: slower samples are a fixation", POSITIVE)
    dispersion_deg: float = setting(1.0, "idt: extent in x plus extent in y, at most", POSITIVE)
    min_duration_ms: float = setting(50.0, "shorter fixations are left out", NOT_NEGATIVE)
    merge_gap_ms: float = setting(75.0, "ivt: fixations no further apart, nor by 0.5 deg, are one", NOT_NEGATIVE)


def to_degrees(
    xy: np.ndarray,
    path: Path,
    screen: Rect | None,
    screen_cm: tuple[float, float] | None,
    distance_cm: float | None,
    px_per_degree: tuple[float, float] | None,
) -> np.ndarray:
    """Convert (N,2) coordinates on a screen into degrees of visual angle from its centre; without the screen's sizes
    (``screen`` in the unit of the coordinates), by the tracker's ``px_per_degree``; ValueError without either.
    """
    if screen and screen_cm and distance_cm:
        centre = (screen.left + screen.width / 2, screen.top + screen.height / 2)
        cm = (xy - centre) * np.divide(screen_cm, (screen.width, screen.height))
        return np.degrees(np.arctan2(cm, distance_cm))
    if px_per_degree:
        return xy / px_per_degree
    raise ValueError(
        f"{path}: expected the viewing geometry to find fixations among samples, in degrees, found none in the "
        "file; give --screen_px W,H --screen_cm W,H --distance_cm D"
    )


def detect_fixations(
    samples: pd.DataFrame,
    method: str,
    degrees: np.ndarray,
    settings: DetectionSettings,
    *,
    sampling_rate_hz: float | None = None,
) -> pd.DataFrame:
    """Detect fixations among the samples of one eye in one trial.

    Args:
        samples: ``start_ms`` in increasing order, ``x``, ``y``, ``pupil``; NaN where the eye was not found.
        method: a key of ``DETECTORS``.
        degrees: (N,2), the samples' positions as ``to_degrees`` has them.
        sampling_rate_hz: None takes the usual step between samples.

    Returns:
        ``start_ms``, ``duration_ms``, ``x``, ``y``, ``pupil``: position and pupil are means over the fixation, a
        sample lasts one step, so that ten samples at 100 Hz are 100 ms. Missing samples and gaps end a fixation,
        unless ``ivt`` merges the parts: those no further apart than ``merge_gap_ms`` and half a degree.
        Empty without samples.
    """
    time = samples["start_ms"].to_numpy()
    if len(time) < 2:
        return pd.DataFrame(columns=["start_ms", "duration_ms", "x", "y", "pupil"], dtype=np.float64)
    step_ms = 1e3 / sampling_rate_hz if sampling_rate_hz else float(np.median(np.diff(time)))
    values, rows = samples[["x", "y", "pupil"]], []
    for first, last in DETECTORS[method](time, degrees, step_ms, settings):
        rows.append((time[first], time[last - 1] - time[first] + step_ms, *values.iloc[first:last].mean()))
    return pd.DataFrame(rows, columns=["start_ms", "duration_ms", "x", "y", "pupil"], dtype=np.float64)


def velocity_deg_s(time_ms: np.ndarray, degrees: np.ndarray, step_ms: float) -> np.ndarray:
    """Velocities (N,2): means of central differences by the samples' own times, NaN beside missing samples.

    At the ends of the signal, and for slow trackers, one neighbour to each side is used.
    """
    signal = np.column_stack([time_ms, degrees])
    change = np.full_like(signal, np.nan)
    change[[0, -1]] = signal[[1, -1]] - signal[[0, -2]]
    for reach in (1, 2) if 1e3 / step_ms >= FAST_HZ else (1,):
        if len(signal) > 2 * reach:
            # (p[i+1]+p[i+2]) - (p[i-1]+p[i-2]), as in Engbert and Kliegl 2003, where there are two.
            windows = sliding_window_view(signal, 2 * reach + 1, axis=0)
            change[reach:-reach] = windows[..., reach + 1 :].sum(-1) - windows[..., :reach].sum(-1)
    return change[:, 1:] / change[:, :1] * 1e3


def _whole_stretches(time_ms: np.ndarray, degrees: np.ndarray, step_ms: float) -> Iterator[tuple[int, int]]:
    """Start and stop indices of the stretches without a missing sample or a gap."""
    present = np.isfinite(degrees).all(1)
    gaps = np.append(0, np.cumsum(np.diff(time_ms) > GAP_STEPS * step_ms))
    for first, last in equal_runs(np.where(present, gaps, -1)):
        if present[first]:
            yield int(first), int(last)


def _ivt(time_ms, degrees, step_ms, settings: DetectionSettings) -> Iterator[tuple[int, int]]:
    """I-VT: stretches slower than the threshold, merged where noise or a lost sample splits them."""
    merged: list[tuple[int, int]] = []
    for first, last in _slow_stretches(time_ms, degrees, step_ms, settings.velocity_deg_s):
        if merged:
            start, stop = merged[-1]
            apart = np.nanmean(degrees[first:last], axis=0) - np.nanmean(degrees[start:stop], axis=0)
            gap_ms = time_ms[first] - time_ms[stop - 1] - step_ms
            if settings.merge_gap_ms and gap_ms <= settings.merge_gap_ms + 1e-6 and np.hypot(*apart) <= MERGE_DEG:
                merged[-1] = (start, last)
                continue
        merged.append((first, last))
    yield from merged


def _slow_stretches(time_ms, degrees, step_ms, threshold_deg_s: float) -> Iterator[tuple[int, int]]:
    for first, last in _whole_stretches(time_ms, degrees, step_ms):
        if last - first < 2:
            yield first, last
            continue
        slow = np.hypot(*velocity_deg_s(time_ms[first:last], degrees[first:last], step_ms).T) < threshold_deg_s
        yield from ((first + start, first + stop) for start, stop in equal_runs(slow) if slow[start])


def _idt(time_ms, degrees, step_ms, settings: DetectionSettings) -> Iterator[tuple[int, int]]:
    """I-DT: stretches of at least the minimum duration whose extents in x and y sum to no more than the threshold."""
    for first, last in _whole_stretches(time_ms, degrees, step_ms):
        points = degrees[first:last]
        # The window that starts here holds the minimum duration when it reaches this far.
        enough = (
            np.searchsorted(time_ms[first:last], time_ms[first:last] + settings.min_duration_ms - step_ms - 1e-6) + 1
        )
        start = 0
        while start < len(points) and enough[start] <= len(points):
            stop = max(int(enough[start]), start + 1)
            if np.ptp(points[start:stop], axis=0).sum() > settings.dispersion_deg:
                start += 1
                continue
            stop = _last_within(points, start, stop, settings.dispersion_deg)
            yield first + start, first + stop
            start = stop


def _last_within(points: np.ndarray, start: int, stop: int, dispersion_deg: float) -> int:
    """How far the window start..stop can grow."""
    low, high = points[start:stop].min(0), points[start:stop].max(0)
    while stop < len(points):
        ahead = points[stop : stop + LOOK_AHEAD]
        lows, highs = np.minimum.accumulate(np.vstack([low, ahead])), np.maximum.accumulate(np.vstack([high, ahead]))
        beyond = np.flatnonzero((highs - lows).sum(1) > dispersion_deg)
        if len(beyond):
            return stop + int(beyond[0]) - 1
        low, high, stop = lows[-1], highs[-1], stop + len(ahead)
    return stop


DETECTORS = {"ivt": _ivt, "idt": _idt}
