"""Figures for publication: text stays text, and the same input gives the same bytes."""

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
    # TrueType, which is editable, searchable and accepted by journals, not outlines.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # Otherwise the ids of elements are random.
    "svg.hashsalt": "figure",
}
# Mark of our figures; no date and no version, for equal bytes.
MADE_BY = "GazeMedSeg figure"
METADATA = {
    "pdf": {"CreationDate": None, "Creator": MADE_BY, "Producer": None},
    "png": {"Software": MADE_BY},
    "svg": {"Date": None, "Creator": MADE_BY},
}


@contextlib.contextmanager
def paper_style() -> Iterator[None]:
    """Context in which matplotlib has our style, whatever the user's settings, which are restored afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def write_figure(figure, path: Path, *, dpi: float = 300) -> None:
    """Write a matplotlib figure at its own size, without dates; to be called inside ``paper_style``.

    Args:
        figure: with its size in inches.
        path: the file, written in place (see ``utils.files.replacing``), in one of ``FORMATS`` by its ending.
        dpi: of a PNG, and of rasterised parts of the others.
    """
    format = path.suffix[1:].lower()
    # It logs every subset of a font.
    logging.getLogger("fontTools.subset").setLevel(logging.WARNING)
    figure.savefig(path, format=format, dpi=dpi, metadata=METADATA[format])
