"""Predictions as files."""

import numpy as np
from PIL import Image

from utils.images import write_image
from utils.predictions import MaskWriter


def test_mask_is_written_as_0_and_255_under_its_name(tmp_path):
    MaskWriter(tmp_path / "predictions")("case_5", np.array([[True, False]]))
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["case_5.png"]
    assert np.array(Image.open(tmp_path / "predictions" / "case_5.png")).tolist() == [[255, 0]]


def test_name_with_a_dot_keeps_it(tmp_path):
    MaskWriter(tmp_path)("case.1", np.array([[True]]))
    assert (tmp_path / "case.1.png").is_file()


def test_picture_keeps_its_colours(tmp_path):
    write_image(tmp_path / "a.png", np.array([[[255, 0, 7]]], np.uint8))
    assert np.array(Image.open(tmp_path / "a.png")).tolist() == [[[255, 0, 7]]]
