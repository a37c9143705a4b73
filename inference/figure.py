"""Qualitative figure: drawing and writing it, and the choice of the table that ranks its cases."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from evaluation.per_case import PER_CASE_FILE, SUMMARY_FILE
from evaluation.run_names import BEST_FILE, NamedPath
from evaluation.summary import read_summary
from inference.qualitative import FigureRequest, contents
from reporting.publication import FORMATS
from reporting.qualitative_figure import Layout, write_qualitative
from utils.files import replacing
from utils.inputs import paths_of


def draw_figure(
    wanted: FigureRequest, to: str | Path | Sequence[str | Path], *, width_mm: float = 174.0, dpi: float = 300.0
) -> tuple[Layout, list[str]]:
    """Draw and write a figure, all files together or none.

    Args:
        wanted: the content and style.
        to: a file or several, .pdf, .svg or .png.
        width_mm: of the whole figure.
        dpi: finest resolution of pictures.

    Returns:
        Its layout, and sentences: columns left out, and what the colours mean.

    Raises:
        OSError, ValueError: as of ``inference.qualitative.contents``, and for files that cannot be written.
    """
    paths = paths_of(to)
    for path in paths:
        if path.suffix[1:].lower() not in FORMATS:
            raise ValueError(f"--to {path}: expected a file name ending in .{', .'.join(FORMATS)}, found another")
    titles, rows, notes = contents(wanted)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(replacing(path)) for path in paths]
        layout = write_qualitative(rows, titles, files, width_mm=width_mm, dpi=dpi)
    return layout, notes


def ranking_table(run: str | Path | None, drawn: Sequence[NamedPath]) -> Path | None:
    """The per-case table that ranks cases: of ``run``, or of the first drawn run that has one; None where none has.

    For a run whose checkpoint is drawn, that checkpoint's table, else the headline's.
    """
    folders = [one.path for one in drawn if (one.path / PER_CASE_FILE).is_file()]
    if run is None and not folders:
        return None
    folder = Path(run or folders[0])
    checkpoints = [
        one.path for one in drawn if one.path.suffix == ".pth" and one.path.parent.resolve() == folder.resolve()
    ]
    if not checkpoints or not (folder / SUMMARY_FILE).is_file():
        return folder
    summary = read_summary(folder)
    selected = [label for label in summary["results"] if label.endswith("_selected")]
    label = selected[0] if checkpoints[0].name == BEST_FILE and selected else "last"
    # A summary of evaluate has one table.
    return folder if label == summary.get("headline", label) else folder / f"per_case_{label}.csv"
