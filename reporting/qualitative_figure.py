"""Qualitative figure: cases as rows, images, maps and masks as columns, in a computed layout."""

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reporting.publication import FONT_PT, paper_style, write_figure
from reporting.visualize import FIXATION_COLOUR, RING_RADIUS, resized

MM_PER_INCH, PT_PER_INCH = 25.4, 72
GAP_MM = 1.0
LINE_MM = 1.2 * FONT_PT / PT_PER_INCH * MM_PER_INCH
# Descent of letters like g, as a share of a line.
DESCENT = 0.25
# A cell is at most so many times as high as wide; a longer image is centred in it, narrower.
MAX_ASPECT = 1.6
MAX_TITLE_LINES = 3
# Line widths in cells of ``FULL_LINES_MM`` and more; lines are thinner in narrower ones.
OUTLINE_PT, SCAN_PATH_PT, RING_PT = 0.9, 0.35, 0.6
FULL_LINES_MM = 22.0
# A title may be broken after these, but not inside a number.
BREAKS = re.compile(r"[\s_\-/,+]|\.(?!\d)")


@dataclass(frozen=True)
class Cell:
    """One cell of the figure: a picture, and the lines drawn on it.

    Attributes:
        picture: (H,W,3) uint8.
        outlines: masks (H,W) bool and their colours, 0..255 each, the last on top.
        fixations: xy (N,2) in 0..1 and durations (N,) in ms, or None.
        caption: a word below it.
    """

    picture: np.ndarray
    outlines: tuple[tuple[np.ndarray, tuple[int, int, int]], ...] = ()
    fixations: tuple[np.ndarray, np.ndarray] | None = None
    caption: str = ""


class Layout(NamedTuple):
    """Layout of the figure, in mm from the left and the top.

    Attributes:
        width, height: of the figure.
        lefts: of the columns, all ``cell_width`` wide.
        tops, cell_heights: of the rows.
        title_bottom: where the titles end.
    """

    width: float
    height: float
    lefts: tuple[float, ...]
    cell_width: float
    tops: tuple[float, ...]
    cell_heights: tuple[float, ...]
    title_bottom: float


def lay_out(
    num_columns: int, aspects: Sequence[float], *, width_mm: float, title_lines: int, with_captions: bool
) -> Layout:
    """Compute the layout; horizontal measures depend on the width and the number of columns alone.

    Args:
        num_columns: one or more.
        aspects: height over width of each row's images.
        width_mm: of the whole figure, without margins: journals add their own.
        title_lines: of the longest title.
        with_captions: leave a line below every row.

    Raises:
        ValueError: if the cells come out narrower than the gaps between them.
    """
    cell_width = (width_mm - (num_columns - 1) * GAP_MM) / num_columns
    if cell_width < GAP_MM:
        raise ValueError(f"--width_mm {width_mm:g}: expected room for {num_columns} columns, found too little of it")
    heights = tuple(cell_width * min(aspect, MAX_ASPECT) for aspect in aspects)
    title_bottom = title_lines * LINE_MM
    top, tops = title_bottom + GAP_MM, []
    for height in heights:
        tops.append(top)
        top += height + GAP_MM + with_captions * LINE_MM
    lefts = tuple(column * (cell_width + GAP_MM) for column in range(num_columns))
    return Layout(width_mm, top - GAP_MM, lefts, cell_width, tuple(tops), heights, title_bottom)


def write_qualitative(
    rows: Sequence[Sequence[Cell]],
    titles: Sequence[str],
    paths: Sequence[Path],
    *,
    width_mm: float,
    dpi: float,
) -> Layout:
    """Draw and write the figure.

    Args:
        rows: one or more, each with a cell a title; the pictures of a row have one size.
        titles: of the columns.
        paths: files that end in one of ``publication.FORMATS``.
        width_mm: of the figure, met exactly; in a PNG to the next pixel.
        dpi: of a PNG; in any format, pictures are reduced to it, and never enlarged.

    Returns:
        The layout.
    """
    with paper_style():
        cell_mm = (width_mm - (len(titles) - 1) * GAP_MM) / len(titles)
        wrapped = [wrap_title(title, cell_mm) for title in titles]
        layout = lay_out(
            len(titles),
            [row[0].picture.shape[0] / row[0].picture.shape[1] for row in rows],
            width_mm=width_mm,
            title_lines=max(map(len, wrapped)),
            with_captions=any(cell.caption for row in rows for cell in row),
        )
        for path in paths:
            vector = path.suffix.lower() != ".png"
            figure = _figure(rows, wrapped, layout, dpi, vector)
            if not vector:
                _whole_pixels(figure, layout, dpi)
            write_figure(figure, path, dpi=dpi)
    return layout


def wrap_title(title: str, width_mm: float) -> list[str]:
    """Wrap a title to the width, after words or parts of names; a title that is too long ends in an ellipsis."""
    lines, rest = [], title
    while rest:
        fits = _fitting(rest, width_mm)
        if fits == len(rest):
            return [*lines, rest]
        if len(lines) == MAX_TITLE_LINES - 1:
            return [*lines, f"{rest[: _fitting(rest, width_mm, '…')]}…"]
        # A space at the end of a line takes no room, anything else does.
        ends = [found.end() for found in BREAKS.finditer(rest)]
        breaks = [end for end in ends if end <= fits or (end == fits + 1 and rest[fits].isspace())]
        end = breaks[-1] if breaks else max(1, fits)
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return lines or [""]


def _fitting(text: str, width_mm: float, after: str = "") -> int:
    """Number of letters of a text that fit the width, together with ``after``."""
    return bisect.bisect_right(range(1, len(text) + 1), width_mm, key=lambda end: _text_mm(text[:end] + after))


def _text_mm(text: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=FONT_PT), ismath=False)
    return width / PT_PER_INCH * MM_PER_INCH


def _figure(rows: Sequence[Sequence[Cell]], titles: Sequence[list[str]], layout: Layout, dpi: float, vector: bool):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(layout.width / MM_PER_INCH, layout.height / MM_PER_INCH))
    for left, lines in zip(layout.lefts, titles, strict=True):
        for above, line in enumerate(reversed(lines)):
            _text(figure, layout, left, layout.title_bottom - above * LINE_MM, line)
    for row, top, height in zip(rows, layout.tops, layout.cell_heights, strict=True):
        for cell, left in zip(row, layout.lefts, strict=True):
            _draw_cell(_axes(figure, layout, left, top, height, cell), cell, height, layout.cell_width, dpi, vector)
            if cell.caption:
                _text(figure, layout, left, top + height + LINE_MM, cell.caption)
    return figure


def _text(figure, layout: Layout, left: float, line_bottom: float, text: str) -> None:
    """A centred line of text in a column, on the common baseline of its row."""
    x, y = left + layout.cell_width / 2, line_bottom - DESCENT * LINE_MM
    # parse_math: a dollar sign in a name is no formula.
    figure.text(x / layout.width, 1 - y / layout.height, text, ha="center", va="baseline", parse_math=False)


def _axes(figure, layout: Layout, left: float, top: float, height: float, cell: Cell):
    """Axes of the picture's shape in the middle of its cell."""
    pixels = cell.picture.shape
    width = min(layout.cell_width, height * pixels[1] / pixels[0])
    left += (layout.cell_width - width) / 2
    bottom = layout.height - top - height
    axes = figure.add_axes((left / layout.width, bottom / layout.height, width / layout.width, height / layout.height))
    axes.set_axis_off()
    return axes


def _draw_cell(axes, cell: Cell, height_mm: float, width_mm: float, dpi: float, vector: bool) -> None:
    """Draw a cell; coordinates are pixels of the reduced picture from its left upper corner."""
    picture = _reduced(cell.picture, height_mm, width_mm, dpi)
    height, width = picture.shape[:2]
    # "none" keeps the pixels in a vector file; a PNG is resampled, where "auto" smooths.
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="none" if vector else "auto", aspect="auto")
    thin = min(1.0, width_mm / FULL_LINES_MM)
    for mask, colour in cell.outlines:
        for x, y in outlines(_reduced(mask.astype(np.uint8) * 255, height_mm, width_mm, dpi) / 255):
            axes.plot(x, y, color=_hex(colour), lw=OUTLINE_PT * thin, solid_joinstyle="round")
    if cell.fixations is not None:
        _draw_fixations(axes, *cell.fixations, (height, width), thin)
    axes.set(xlim=(0, width), ylim=(height, 0))


def outlines(mask: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Closed contours of a mask (H,W) in 0..1 at one half: x and y in pixels from the left upper corner."""
    # Slow to import.
    from skimage.measure import find_contours

    # Padding closes contours at the image's edge.
    return [(line[:, 1] - 0.5, line[:, 0] - 0.5) for line in find_contours(np.pad(mask, 1), 0.5)]


def _draw_fixations(axes, xy: np.ndarray, duration_ms: np.ndarray, size: tuple[int, int], thin: float) -> None:
    from matplotlib.patches import Circle

    points = xy * (size[1], size[0])
    colour = _hex(FIXATION_COLOUR)
    axes.plot(points[:, 0], points[:, 1], color=colour, lw=SCAN_PATH_PT * thin)
    for point, duration in zip(points, duration_ms, strict=True):
        radius = RING_RADIUS * max(size) * np.sqrt(duration)
        axes.add_patch(Circle(tuple(point), radius, fill=False, ec=colour, lw=RING_PT * thin))


def _reduced(picture: np.ndarray, height_mm: float, width_mm: float, dpi: float) -> np.ndarray:
    """A picture reduced to ``dpi`` at its printed size; a coarser one unchanged."""
    scale = min(height_mm / picture.shape[0], width_mm / picture.shape[1]) / MM_PER_INCH * dpi
    return resized(picture, scale) if scale < 1 else picture


def _whole_pixels(figure, layout: Layout, dpi: float) -> None:
    """Round the size to whole pixels, as matplotlib cuts fractions off; a hundredth more guards against rounding."""
    sides = (round(side / MM_PER_INCH * dpi) for side in (layout.width, layout.height))
    figure.set_size_inches(*((max(1, side) + 0.01) / dpi for side in sides))


def _hex(colour: tuple[int, int, int]) -> str:
    return f"#{bytes(colour).hex()}"
