"""The figure of examples: measures by hand, and files that are as wide and as fine as asked for."""

import re

import numpy as np
import pytest
from PIL import Image

from reporting.qualitative_figure import GAP_MM, LINE_MM, MAX_TITLE_LINES, Cell, lay_out, outlines, wrap_title
from reporting.qualitative_figure import write_qualitative as write

TITLES = ["image", "run $x^2$ <b>"]


def picture(height=20, width=30, value=120):
    return np.full((height, width, 3), value, np.uint8)


def square(height=20, width=30):
    mask = np.zeros((height, width), bool)
    mask[5:10, 5:10] = True
    return mask


def rows(**more):
    return [[Cell(picture()), Cell(picture(), ((square(), (255, 0, 0)),), **more)]]


def drawn(tmp_path, *formats, width_mm=90.0, dpi=100, figure=None, titles=TITLES):
    paths = [tmp_path / f"figure.{format}" for format in formats]
    return paths, write(figure or rows(caption="51.2"), titles, paths, width_mm=width_mm, dpi=dpi)


def test_measures_by_hand():
    layout = lay_out(4, [0.5, 1.0], width_mm=83, title_lines=2, with_captions=True)
    # 83 less three gaps of 1 is 80, a quarter of it 20.
    assert layout.cell_width == 20 and layout.lefts == (0, 21, 42, 63)
    assert layout.cell_heights == (10, 20) and layout.title_bottom == 2 * LINE_MM
    assert layout.tops == pytest.approx((2 * LINE_MM + GAP_MM, 2 * LINE_MM + GAP_MM + 10 + GAP_MM + LINE_MM))
    assert layout.height == pytest.approx(layout.tops[1] + 20 + LINE_MM)


def test_figures_of_as_many_columns_align_whatever_is_in_them():
    first = lay_out(3, [0.9, 0.8], width_mm=174, title_lines=1, with_captions=False)
    second = lay_out(3, [1.0], width_mm=174, title_lines=3, with_captions=True)
    assert first.lefts == second.lefts and first.cell_width == second.cell_width


def test_a_very_tall_image_does_not_fill_the_page():
    assert lay_out(1, [100], width_mm=20, title_lines=1, with_captions=False).cell_heights == (32,)


def test_too_many_columns_for_the_width():
    with pytest.raises(ValueError, match="--width_mm 20: expected room for 11 columns"):
        lay_out(11, [1], width_mm=20, title_lines=1, with_captions=False)


def test_widths_are_met_in_every_format(tmp_path):
    (pdf, png, svg), layout = drawn(tmp_path, "pdf", "png", "svg", width_mm=88.9)
    box = re.search(rb"/MediaBox \[ ([\d. ]+) \]", pdf.read_bytes())[1].split()
    # 88.9 mm are 3.5 inches, and 252 points.
    assert [float(side) for side in box] == pytest.approx([0, 0, 252, layout.height / 25.4 * 72])
    with Image.open(png) as image:
        assert image.width == 350 and image.height == round(layout.height / 25.4 * 100)
        assert image.info["dpi"] == pytest.approx((100, 100), abs=0.01)
    assert float(re.search(r'<svg [^>]*width="([\d.]+)pt"', svg.read_text())[1]) == pytest.approx(252)


@pytest.mark.parametrize("width_mm", [174, 84.3, 119.99])
def test_a_png_has_the_nearest_whole_number_of_pixels(tmp_path, width_mm):
    (png,), _ = drawn(tmp_path, "png", width_mm=width_mm, dpi=150)
    with Image.open(png) as image:
        assert image.width == round(width_mm / 25.4 * 150)


def test_text_stays_text(tmp_path):
    (pdf, svg), _ = drawn(tmp_path, "pdf", "svg")
    assert b"/Subtype /CIDFontType2" in pdf.read_bytes() and b"/FontFile2" in pdf.read_bytes()
    assert ">run $x^2$ &lt;b&gt;</text>" in svg.read_text() and ">51.2</text>" in svg.read_text()


def test_the_same_input_gives_the_same_bytes(tmp_path):
    formats = ("pdf", "png", "svg")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        drawn(tmp_path / folder, *formats)
    for format in formats:
        content = (tmp_path / "one" / f"figure.{format}").read_bytes()
        assert content == (tmp_path / "two" / f"figure.{format}").read_bytes()
        assert b"Date" not in content and b"<dc:date>" not in content and b"Matplotlib v" not in content


def test_the_users_matplotlib_settings_neither_count_nor_change(tmp_path):
    import matplotlib

    (before,), _ = drawn(tmp_path, "pdf")
    content = before.read_bytes()
    with matplotlib.rc_context({"font.size": 30, "pdf.fonttype": 3, "savefig.bbox": "tight"}):
        (after,), _ = drawn(tmp_path, "pdf")
        assert matplotlib.rcParams["font.size"] == 30
    assert after.read_bytes() == content


def test_pictures_are_kept_no_finer_than_printed_and_never_made_finer(tmp_path):
    # Two cells of 25.4 mm at 100 dpi: 100 pixels a side at most.
    figure = [[Cell(picture(400, 400)), Cell(picture(400, 400))], [Cell(picture(7, 9)), Cell(picture(7, 9))]]
    (pdf,), _ = drawn(tmp_path, "pdf", width_mm=2 * 25.4 + GAP_MM, figure=figure)
    found = re.findall(rb"/Subtype /Image /Width (\d+) /Height (\d+)", pdf.read_bytes())
    assert set(found) == {(b"100", b"100"), (b"9", b"7")}


def test_pixels_lie_where_they_should(tmp_path):
    half = picture(20, 20, 0)
    half[:, 10:] = 255
    (png,), layout = drawn(tmp_path, "png", width_mm=25.4, dpi=100, figure=[[Cell(half)]], titles=[""])
    with Image.open(png) as image:
        pixels = np.array(image.convert("L"))
    middle = round((layout.tops[0] + layout.cell_heights[0] / 2) / 25.4 * 100)
    assert (pixels[middle, 5:40] < 10).all() and (pixels[middle, 60:95] > 245).all()


def test_an_outline_runs_along_the_pixels_sides():
    ((x, y),) = outlines(square().astype(float))
    assert (x.min(), x.max(), y.min(), y.max()) == (5, 10, 5, 10)
    assert (x[0], y[0]) == (x[-1], y[-1])


def test_an_outline_of_everything_is_closed_at_the_edge_and_one_of_nothing_is_none():
    ((x, y),) = outlines(np.ones((4, 6)))
    assert (x.min(), x.max(), y.min(), y.max()) == (0, 6, 0, 4)
    assert outlines(np.zeros((4, 6))) == []


def test_fixations_of_no_and_of_some_points_are_drawn(tmp_path):
    gaze = [np.zeros((0, 2)), np.zeros(0)], [np.array([[0.5, 0.5], [1, 0]]), np.array([200.0, 0])]
    figure = [[Cell(picture(), fixations=tuple(one)) for one in gaze]]
    (svg,), _ = drawn(tmp_path, "svg", figure=figure)
    # Of the second: two circles.
    assert svg.read_text().count('<g id="patch_') >= 2


def test_titles_are_broken_after_words():
    assert wrap_title("image", 20) == ["image"]
    assert wrap_title("two levels of gaze", 16) == ["two levels of", "gaze"]
    assert wrap_title("gaze_two_levels", 14) == ["gaze_two_", "levels"]
    assert wrap_title("level 1 (≥0.5)", 16) == ["level 1", "(≥0.5)"]
    assert wrap_title("", 20) == [""]


def test_titles_that_are_too_long_end_in_dots():
    lines = wrap_title("abcdefghijklmnopqrstuvwxyz" * 4, 20)
    assert len(lines) == MAX_TITLE_LINES and lines[-1].endswith("…")
    assert "".join(lines)[:-1] == ("abcdefghijklmnopqrstuvwxyz" * 4)[: len("".join(lines)) - 1]
    assert len(wrap_title("many words " * 30, 0.1)) == MAX_TITLE_LINES
