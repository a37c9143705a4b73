"""The figure of gaze quality is drawn from whatever numbers there are."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reporting.figures import write_gaze_figure, write_hours_figure

THRESHOLDS = (0.3, 0.5)
COLUMNS = ["share_inside", "offset_x", "offset_y", "seconds"]
DICES = [f"{kind}_dice_{t:g}" for kind in ("heatmap", "crf") for t in THRESHOLDS]


def _draw(tmp_path, columns) -> np.ndarray:
    write_gaze_figure(tmp_path / "quality.png", pd.DataFrame(columns))
    assert [path.name for path in tmp_path.iterdir()] == ["quality.png"]
    with Image.open(tmp_path / "quality.png") as image:
        return np.array(image.convert("RGB"))


def _has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture.astype(int) - colour).max(axis=-1) < 8).any())


HEATMAP, CRF, SHARES = (0xD1, 0x66, 0x2B), (0x2B, 0x6C, 0xB0), (0x5A, 0x8F, 0x5A)


def test_everything_is_drawn(tmp_path):
    rng = np.random.default_rng(0)
    picture = _draw(tmp_path, {name: rng.uniform(0, 1, 50) for name in COLUMNS + DICES})
    assert picture.shape[0] > 600 and picture.shape[1] > 1000
    assert all(_has(picture, colour) for colour in (HEATMAP, CRF, SHARES))


def test_kind_of_map_that_is_not_there_is_not_drawn(tmp_path):
    rng = np.random.default_rng(0)
    columns = {name: rng.uniform(0, 1, 50) for name in COLUMNS + DICES}
    columns |= {name: np.full(50, np.nan) for name in DICES if name.startswith("heatmap")}
    picture = _draw(tmp_path, columns)
    assert _has(picture, CRF) and not _has(picture, HEATMAP)


@pytest.mark.parametrize("number", [0, 1])
def test_no_numbers_at_all(tmp_path, number):
    picture = _draw(tmp_path, {name: np.full(number, np.nan) for name in COLUMNS + DICES})
    assert not any(_has(picture, colour) for colour in (HEATMAP, CRF, SHARES))


def test_one_image(tmp_path):
    picture = _draw(tmp_path, {name: np.array([0.5]) for name in COLUMNS + DICES})
    assert _has(picture, CRF) and _has(picture, SHARES)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ((0.01, 0.08), ["0.01", "0.02", "0.05"]),
        ((0.5, 2), ["0.5", "1", "2"]),
        ((90, 900), ["100", "200", "500", "1000"]),
    ],
)
def test_hours_of_few_images_and_of_many_have_numbers_on_their_axis(tmp_path, monkeypatch, hours, expected):
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *args, **options: drawn.append(figure))
    tracks = {"gaze": "gaze", "few": "a few masks", "both": "both", "all": "every mask"}
    runs = pd.DataFrame({"track": "gaze", "hours": hours, "dice": (0.5, 0.6)})
    write_hours_figure(tmp_path / "hours.png", runs, tracks)
    assert [label.get_text() for label in drawn[0].axes[0].get_xticklabels()] == expected
