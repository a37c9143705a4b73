"""Positions of a table's rows: which are trusted, and whether they can be what they are taken for."""

import numpy as np
import pandas as pd

from datasets.recordings import codings
from datasets.recordings.content import SIDES, Content
from datasets.recordings.recording import BOTH

# Shares of the screen lie in 0..1, and a little beyond where the eye leaves it.
MAX_SHARE, MAX_PERCENT = 2, 100
# Eyes move: so many rows in one corner are no chance.
MANY_ROWS = 10
# So large a part that is so far left of or above the origin, in usual distances from it, is no look over the edge.
MANY_NEGATIVE, FAR_NEGATIVE = 0.25, 0.25


def positions(content: Content) -> dict[str, list[tuple[pd.DataFrame, np.ndarray]]]:
    """``fixations`` and ``samples``: x, y, pupil and whether they are distrusted, and the eye, of every row; once for
    every eye that has columns of its own.

    Raises:
        ValueError: for positions that are plainly of another unit or origin.
    """
    found: dict[str, list[tuple[pd.DataFrame, np.ndarray]]] = {"fixations": [], "samples": []}
    if content.mode in ("growing", "runs"):
        found["fixations"].append(_of_side(content, "fix_" if content.has("fix_x", "fix_y") else ""))
    kind = "fixations" if content.mode == "rows" else "samples"
    found[kind] += [_of_side(content, side) for side in content.sides]
    for table, _ in [*found["fixations"], *found["samples"]]:
        _check(content, table[["x", "y"]].dropna().to_numpy())
    return found


def _of_side(content: Content, side: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Positions of one eye, NaN where they are not to be trusted or say that there is none."""
    xy = np.stack([content.numbers(f"{side}x"), content.numbers(f"{side}y")])
    for value, there in codings.missing_codes(xy).items():
        whose = f"{side.rstrip('_')} eye's " if side in ("left_", "right_") else ""
        what = f"{there.sum()} of the {whose}positions are ({value:g}, {value:g})"
        content.notes.append(f"{what}, which stands for lost: missing")
        xy[:, there] = np.nan
    if content.format.y_up:
        xy[1] = 1 - xy[1]
    bad = _distrusted(content, side)
    xy[:, bad] = np.nan
    eyes = [f"{side}pupil"] if side in ("left_", "right_") else ["left_pupil", "right_pupil"]
    pupils = {role: content.numbers(role) for role in (["pupil"] if content.has("pupil") else eyes)}
    eye = SIDES.get(side, BOTH)
    eyes = content.eye if eye == BOTH else np.full(len(bad), eye, dtype=object)
    return pd.DataFrame({"x": xy[0], "y": xy[1], "pupil": pd.DataFrame(pupils).mean(axis=1), "bad": bad}), eyes


def _distrusted(content: Content, side: str) -> np.ndarray:
    def invalid(role: str) -> np.ndarray:
        return codings.invalid(
            content.table, content.columns.get(role), content.format.validity, content.settings.valid
        )

    if content.has(f"{side}valid"):
        bad = invalid(f"{side}valid")
    elif side == "" and (eyes := [role for role in ("left_valid", "right_valid") if content.has(role)]):
        bad = np.all([invalid(role) for role in eyes], axis=0)
    else:
        bad = invalid("valid" if side != "fix_" else "fix_valid")
    bad = bad | (content.table.words(content.columns.get("on")) == "false")
    return bad | (content.numbers("confidence") < (content.format.min_confidence or -np.inf))


def _check(content: Content, xy: np.ndarray) -> None:
    given, path = content.settings.xy_unit, content.table.path
    if not len(xy) or given == "px":
        return
    many = len(xy) >= MANY_ROWS
    usual = np.quantile(np.abs(xy), 0.9, axis=0)
    if content.plane.unit == "px" and given is None:
        # Of a few rows, whole numbers may be pixels of a corner; parts of the first pixel are not.
        if (usual <= MAX_SHARE).all() and (many or (xy % 1).any()):
            names = [content.columns[f"{side}{axis}"] for side in content.sides for axis in "xy"]
            raise ValueError(
                f"{path}: expected pixels in {' and '.join(map(repr, names))}, found hardly any above {MAX_SHARE}; if "
                "they are shares of the screen, give --xy_unit fraction, else --xy_unit px"
            )
        if many and xy.min() >= 0 and xy.max() <= MAX_PERCENT:
            content.notes.append(
                f"all positions lie within {MAX_PERCENT} pixels of the left upper corner: if they are percent, divide "
                "them by 100 and give --xy_unit fraction"
            )
    negative = (xy < -FAR_NEGATIVE * usual).mean(axis=0).max()
    if many and negative > MANY_NEGATIVE and content.plane.of == "screen":
        raise ValueError(
            f"{path}: expected positions from the left upper corner of the screen, found {negative:.0%} negative; are "
            "they degrees, or is the origin the centre of the screen? Convert them to pixels from the corner, y "
            "downwards, or, for pixels from elsewhere, give --xy_unit px and --stimulus_rect"
        )
