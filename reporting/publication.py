"""Figures as papers want them: text that stays text, and the same bytes from the same input."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

FORMATS = ("pdf", "png", "svg")
FONT_PT = 7.0
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": FONT_PT,
    "axes.titlesize": FONT_PT,
    "axes.labelsize": FONT_PT,
    "xtick.labelsize": FONT_PT - 1,
    "ytick.labelsize": FONT_PT - 1,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # TrueType, which editors can change and journals take; as outlines text could not be searched.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # Names of elements are drawn at random otherwise.
    "svg.hashsalt": "figure",
}
# By which a figure of ours is known; no date, and no version of what drew it.
MADE_BY = "GazeMedSeg figure"
METADATA = {
    "pdf": {"CreationDate": None, "Creator": MADE_BY, "Producer": None},
    "png": {"Software": MADE_BY},
    "svg": {"Date": None, "Creator": MADE_BY},
}


@contextlib.contextmanager
def paper_style() -> Iterator[None]:
    """Inside, matplotlib draws in our style whatever the user's settings are; they are back afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def write_figure(figure, path: Path, *, dpi: float = 300) -> None:
    """Write a matplotlib figure at its own size, without dates; to be called inside ``paper_style``.

    Args:
        figure: with its size in inches.
        path: the file, which is written as it stands (see ``utils.files.replacing``) in the one of ``FORMATS`` that it
            ends in.
        dpi: of a PNG, and of what cannot be a vector in the others.
    """
    format = path.suffix[1:].lower()
    # It tells of every subset of a font.
    logging.getLogger("fontTools.subset").setLevel(logging.WARNING)
    figure.savefig(path, format=format, dpi=dpi, metadata=METADATA[format])
