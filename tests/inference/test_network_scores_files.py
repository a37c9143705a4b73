"""Predictions as files."""

import numpy as np
from PIL import Image

from inference.network_scores import Case, write_mask, write_probabilities
from utils.images import write_image


def _case(name, *probabilities):
    maps = np.array(probabilities, np.float32)
    return Case(name, maps > 0.5, maps, maps[0] > 0.5, [])


def test_mask_is_written_as_0_and_255_under_its_name(tmp_path):
    write_mask(tmp_path / "predictions", _case("case_5", [[0.75, 0.25]]))
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["case_5.png"]
    assert np.array(Image.open(tmp_path / "predictions" / "case_5.png")).tolist() == [[255, 0]]


def test_name_with_a_dot_keeps_it(tmp_path):
    write_mask(tmp_path, _case("case.1", [[1.0]]))
    assert (tmp_path / "case.1.png").is_file()


def test_probabilities_of_ensemble_and_levels_in_16_bits(tmp_path):
    write_probabilities(tmp_path, _case("a", [[0.0, 1.0]], [[0.25, 0.5]]))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == [
        "ensemble/a.png",
        "level1/a.png",
    ]
    assert np.array(Image.open(tmp_path / "ensemble" / "a.png")).tolist() == [[0, 65535]]
    assert np.array(Image.open(tmp_path / "level1" / "a.png")).tolist() == [[16384, 32768]]


def test_picture_keeps_its_colours(tmp_path):
    write_image(tmp_path / "a.png", np.array([[[255, 0, 7]]], np.uint8))
    assert np.array(Image.open(tmp_path / "a.png")).tolist() == [[[255, 0, 7]]]
