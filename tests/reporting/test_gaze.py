"""The picture of prepared gaze, alone and as the command writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from commands import prepare
from datasets import io
from datasets.gaze.fixations import read_fixations
from datasets.gaze.prepare import prepare_gaze
from datasets.specs import get_spec
from parse_args import parse_args
from reporting.gaze import CELL_PX, EXAMPLES_FILE, gaze_picture
from reporting.visualize import GAP_PX, TITLE_PX, TRUTH_COLOUR


def _size(num_rows: int, num_columns: int) -> tuple[int, int, int]:
    return TITLE_PX + GAP_PX + num_rows * (CELL_PX + GAP_PX), GAP_PX + num_columns * (CELL_PX + GAP_PX), 3


def _shows_truth(picture: np.ndarray) -> bool:
    return bool((picture == TRUTH_COLOUR).all(axis=2).any())


def _run(data: str, root: Path, *options: str) -> int:
    table = str(root / "fixations.csv")
    return prepare.main(
        parse_args(["prepare", "--data", data, "--root", str(root), "--fixations", table, "--workers", "1", *options])
    )


@pytest.mark.parametrize(("data", "fixture"), [("kvasir", "tiny_root"), ("prostate", "tiny_prostate_root")])
def test_prepare_writes_the_first_four_images(data: str, fixture: str, request, capsys):
    root = request.getfixturevalue(fixture)
    assert _run(data, root) == 0
    picture = io.read_image(root / EXAMPLES_FILE, 3)
    assert picture.shape == _size(4, 5) and _shows_truth(picture)
    assert f"examples: {root / EXAMPLES_FILE}" in capsys.readouterr().out


def test_a_column_a_level(tiny_root: Path):
    _run("kvasir", tiny_root, "--num_levels", "3")
    assert io.read_image(tiny_root / EXAMPLES_FILE, 3).shape == _size(4, 6)


def test_images_left_out_are_not_shown(tiny_root: Path):
    names = list(read_fixations(tiny_root / "fixations.csv"))
    for name in names[:-2]:
        (tiny_root / "images" / f"{name}.jpg").unlink()
    _run("kvasir", tiny_root)
    assert io.read_image(tiny_root / EXAMPLES_FILE, 3).shape == _size(2, 5)


def test_nothing_prepared_makes_no_picture(tiny_root: Path, capsys):
    table = tiny_root / "fixations.csv"
    # A fixation that lasts no time makes no map.
    table.write_text("IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\npolyp1.jpg,0.5,0.5,0\n", encoding="utf-8")
    assert _run("kvasir", tiny_root) == 1
    assert not (tiny_root / EXAMPLES_FILE).exists()
    assert "examples:" not in capsys.readouterr().out


def test_truth_is_shown_where_all_the_images_have_a_mask(tiny_root: Path):
    table = tiny_root / "fixations.csv"
    prepare_gaze("kvasir", tiny_root, table, workers=1)
    arguments = get_spec("kvasir"), tiny_root, ["polyp1", "polyp2"], read_fixations(table), (0.5, 0.3)
    assert _shows_truth(gaze_picture(*arguments))
    (tiny_root / "masks" / "polyp2.jpg").unlink()
    assert not _shows_truth(gaze_picture(*arguments))


def test_an_image_that_is_not_prepared_is_named(tiny_root: Path):
    table = tiny_root / "fixations.csv"
    with pytest.raises(FileNotFoundError, match="heatmap/polyp1.jpg"):
        gaze_picture(get_spec("kvasir"), tiny_root, ["polyp1"], read_fixations(table), (0.5, 0.3))
