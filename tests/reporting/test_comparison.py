"""The figure of a comparison: whose panel is whose."""

import re
from pathlib import Path

from evaluation.comparison import ComparedRun, compare_paired, paired_table
from evaluation.per_case import table_of
from reporting.comparison import draw_comparison

NAMES = [f"experiments/kvasir/of_november/{which}/evaluate_test" for which in ("masks", "one_level", "two_levels")]


def _run(name: str, dices: tuple[float, ...]) -> ComparedRun:
    rows = [{"name": f"case{number}", "level": "ensemble", "dice": dice} for number, dice in enumerate(dices)]
    return ComparedRun(name, Path(name), table_of(rows))


def test_runs_of_long_names_are_told_apart(tmp_path):
    runs = [_run(name, (0.5, 0.6, 0.1 * number)) for number, name in enumerate(NAMES)]
    paired = paired_table(runs, metrics=["dice"])
    draw_comparison(compare_paired(paired, [run.name for run in runs], ["dice"]), paired, [tmp_path / "figure.svg"])
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "figure.svg").read_text(encoding="utf-8"))
    # A title is several lines, each a text of its own.
    said = "".join(texts)
    assert [said.count(name) for name in NAMES] == [2, 1, 1]
