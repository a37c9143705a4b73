"""A simulated viewer: eye fixations on an image whose target is known.

For demonstrations, tests and "what if the gaze were worse" studies, where no eye tracker is at hand. The
defaults are calibrated against the real viewer's table of 26,832 fixations on the 1,000 Kvasir-SEG images.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

FIXATION_DTYPE = np.dtype([("x", "f8"), ("y", "f8"), ("duration_ms", "i8"), ("start_ms", "i8"), ("searching", "?")])
EDGE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Parameters of a simulated viewer; every default is fitted to the real Kvasir viewer.

    Lengths are shares of the image's width (x) or height (y). "Rank" is a point's position between core and outline:
    the share of the target's pixels that lie deeper inside, 0 at its core and 1 at its outline. `area` below is the
    target's share of the image.
    """

    # How many: exp(log_count + log_count_per_log_area * ln(area) + noise), within min_count..max_count.
    log_count: float = 3.95
    log_count_per_log_area: float = 0.316
    log_count_sd: float = 0.241
    min_count: int = 5
    max_count: int = 99

    # The rough search: the first fixation's place and scatter, the mean number of further ones, their scatter.
    start_xy: tuple[float, float] = (0.563, 0.452)
    start_sd_xy: tuple[float, float] = (0.058, 0.044)
    extra_search: float = 0.06
    search_sd: float = 0.22

    # The thorough scan: it lands at one rank, moves out to the next within a few fixations, ends at the last.
    landing_rank: float = 0.1
    outer_rank: float = 0.48
    final_rank: float = 0.25
    outward_fixations: float = 0.5
    rank_sd: float = 0.25
    # A saccade's usual length is step * area ** 0.25; its direction tends to go on; seen places repel.
    # No length is less likely than exp(-jump_cost) of the usual one.
    step: float = 0.13
    log_step_sd: float = 0.42
    jump_cost: float = 4.5
    persistence: float = 1.35
    novelty: float = 0.55
    novelty_width: float = 0.35

    # Errors of eye and tracker: an offset for the whole image, one for each fixation, and a few strays. Some
    # images are looked at more carefully than others: all of these shrink and grow together, by this much.
    bias_sd: float = 0.012
    noise_sd: float = 0.019
    stray_share: float = 0.03
    stray_sd: float = 0.11
    log_error_image_sd: float = 0.6

    # Durations: a median, its change with area and from image to image, and a heavy-tailed (log-Student) rest.
    duration_ms: float = 321.0
    log_duration_per_log_area: float = -0.09
    log_duration_image_sd: float = 0.12
    log_duration_scale: float = 0.315
    duration_freedom: float = 4.0
    duration_range_ms: tuple[float, float] = (50.0, 4000.0)
    # The first glances are shorter: exp(-haste) of the usual, wearing off with this number of fixations.
    haste: float = 0.33
    haste_fixations: float = 3.0

    # Gaps between fixations: a saccade each, now and then a blink on top. When the recording starts.
    saccade_ms: float = 22.0
    log_saccade_sd: float = 0.4
    blink_share: float = 0.06
    blink_ms: float = 250.0
    first_start_ms: int = 7


def simulate_fixations(mask: np.ndarray, *, rng: np.random.Generator, viewer: Viewer | None = None) -> np.ndarray:
    """Simulate fixations of a viewer who first searches for the target and then scans it.

    The scan begins at the target's core and moves out towards its outline within a few fixations, as the real
    viewer's does, then goes over the whole target.

    Args:
        mask: (H,W) bool, true on the target, which may have several parts.
        rng: the only source of chance: the same mask, viewer and generator state give the same answer.
        viewer: how the person looks; None for the defaults, fitted to the real one.

    Returns:
        Structured array (N,) of FIXATION_DTYPE in the order of viewing, N within the viewer's range: ``x`` and
        ``y`` as shares of width and height, strictly inside 0..1, 0 at the left and top; ``duration_ms``, 50
        and more; ``start_ms``, each fixation starting after the one before has ended; ``searching``, true
        before the target is found.

    Source: the protocol of Zhong et al., MICCAI 2024, section 2 (rough scan, then centre, then boundary).
    """
    viewer = viewer or Viewer()
    area = mask.mean()
    log_count = rng.normal(viewer.log_count + viewer.log_count_per_log_area * np.log(area), viewer.log_count_sd)
    count = int(np.clip(np.round(np.exp(log_count)), viewer.min_count, viewer.max_count))
    # At least one fixation is left for the target, however long the search.
    searched = min(1 + rng.poisson(viewer.extra_search), count - 1)
    xy = _search(searched, viewer, rng)
    scanned = _scan(mask, xy[-1], count - searched, viewer, rng)
    xy = np.concatenate([xy, _with_errors(scanned, viewer, rng)])
    fixations = np.zeros(count, FIXATION_DTYPE)
    # Mirrored at the borders: clipping alone would heap points up there.
    fixations["x"], fixations["y"] = np.clip(1 - np.abs(1 - np.abs(xy)), EDGE, 1 - EDGE).T
    fixations["searching"] = np.arange(count) < searched
    fixations["duration_ms"] = _durations_ms(count, area, viewer, rng)
    ends = np.cumsum(fixations["duration_ms"][:-1] + _gaps_ms(count - 1, viewer, rng))
    fixations["start_ms"] = viewer.first_start_ms + np.concatenate([[0], ends])
    return fixations


def _search(count: int, viewer: Viewer, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) x, y: one fixation around the start, the others anywhere with a leaning to the middle."""
    first = rng.normal(viewer.start_xy, viewer.start_sd_xy, size=(1, 2))
    return np.concatenate([first, rng.normal(0.5, viewer.search_sd, size=(count - 1, 2))])


def _scan(mask: np.ndarray, start: np.ndarray, count: int, viewer: Viewer, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) x, y of the points meant to be looked at, all of them on the target.

    Each point is drawn among candidates all over the target, so that any shape and number of parts will do,
    with odds for a fitting rank, a usual saccade, going on in the same direction, and places not yet seen.
    """
    points, ranks = _candidates(mask, rng)
    wanted = _wanted_ranks(count, viewer)
    step = viewer.step * mask.mean() ** 0.25
    width = viewer.novelty_width * mask.mean() ** 0.5
    seen = np.zeros(len(points))
    here, heading, scanned = start, None, []
    for turn in range(count):
        log_odds = -0.5 * ((ranks - wanted[turn]) / viewer.rank_sd) ** 2 - viewer.novelty * seen
        way = points - here
        length = np.hypot(*way.T) + EDGE
        if turn > 0:  # the jump from the search to the core is as long as it must be
            unusual = 0.5 * (np.log(length / step) / viewer.log_step_sd) ** 2
            # However far, another part of the target stays within reach.
            log_odds -= np.minimum(unusual, viewer.jump_cost)
        if turn > 1:
            log_odds += viewer.persistence * (way @ heading) / length
        chosen = np.argmax(log_odds + rng.gumbel(size=len(points)))
        heading, here = way[chosen] / length[chosen], points[chosen]
        seen += np.exp(-0.5 * ((points - here) ** 2).sum(axis=1) / width**2)
        scanned.append(here)
    return np.array(scanned).reshape(-1, 2)


def _candidates(mask: np.ndarray, rng: np.random.Generator, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """(count, 2) x, y spread evenly over the target, and their (count,) ranks in their part of it."""
    rows, cols = np.nonzero(mask)
    ranks = _ranks(mask)[rows, cols]
    picked = rng.integers(len(rows), size=count)
    jitter = rng.uniform(size=(count, 2))
    points = np.stack([cols[picked], rows[picked]], axis=1) + jitter
    return points / (mask.shape[1], mask.shape[0]), ranks[picked]


def _ranks(mask: np.ndarray) -> np.ndarray:
    """(H, W): for each pixel of the target, the share of its connected part that lies deeper inside."""
    # The padding makes the image's border an outline too: nobody can look beyond it.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    parts, count = ndimage.label(mask)
    ranks = np.zeros(mask.shape)
    for box, part in zip(ndimage.find_objects(parts), range(1, count + 1), strict=True):
        inside = parts[box] == part
        depths = depth[box][inside]
        deeper = len(depths) - np.searchsorted(np.sort(depths), depths, side="right")
        ranks[box][inside] = deeper / len(depths)
    return ranks


def _wanted_ranks(count: int, viewer: Viewer) -> np.ndarray:
    """(count,): from the core outwards in the first fixations, then slowly back over the whole target."""
    turn = np.arange(count)
    outwards = 1 - np.exp(-turn / viewer.outward_fixations)
    late = viewer.outer_rank + (viewer.final_rank - viewer.outer_rank) * turn / max(count - 1, 1)
    return viewer.landing_rank + outwards * (late - viewer.landing_rank)


def _with_errors(xy: np.ndarray, viewer: Viewer, rng: np.random.Generator) -> np.ndarray:
    errors = np.exp(rng.normal(0, viewer.log_error_image_sd))
    bias = errors * rng.normal(0, viewer.bias_sd, size=(1, 2))
    # The landing is never a stray, so that the scan always starts at the core.
    strays = (rng.uniform(size=(len(xy), 1)) < errors * viewer.stray_share) & (np.arange(len(xy)) > 0)[:, None]
    scatter = np.where(strays, viewer.stray_sd, errors * viewer.noise_sd)
    return xy + bias + scatter * rng.normal(size=xy.shape)


def _durations_ms(count: int, area: float, viewer: Viewer, rng: np.random.Generator) -> np.ndarray:
    centre = np.log(viewer.duration_ms) + rng.normal(0, viewer.log_duration_image_sd)
    centre += viewer.log_duration_per_log_area * np.log(area / 0.11)
    centre = centre - viewer.haste * np.exp(-np.arange(count) / viewer.haste_fixations)
    low, high = viewer.duration_range_ms
    durations = np.zeros(count)
    # Drawn again rather than clipped: clipping would heap up durations at the shortest one.
    while (wrong := (durations < low) | (durations > high)).any():
        rest = rng.standard_t(viewer.duration_freedom, size=count)
        durations = np.where(wrong, np.exp(centre + viewer.log_duration_scale * rest), durations)
    return np.round(durations).astype(np.int64)


def _gaps_ms(count: int, viewer: Viewer, rng: np.random.Generator) -> np.ndarray:
    saccades = viewer.saccade_ms * np.exp(rng.normal(0, viewer.log_saccade_sd, size=count))
    blinks = rng.exponential(viewer.blink_ms, size=count) * (rng.uniform(size=count) < viewer.blink_share)
    return np.ceil(saccades + blinks).astype(np.int64)
