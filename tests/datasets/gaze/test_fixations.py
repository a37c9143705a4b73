"""The fixation table: what is read, and which row is to blame."""

from pathlib import Path

import numpy as np
import pytest

from datasets.gaze.fixations import read_fixations

HEADER = "IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION"
GOOD = "a.jpg,1,0.25,0.5,100"


def _table(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "fixations.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_fixations_by_image_in_the_order_of_the_table(tmp_path):
    path = _table(tmp_path, "b.jpg,1,0.1,0.2,300", GOOD, "b.jpg,2,0.3,0.4,50")
    fixations = read_fixations(path)
    assert list(fixations) == ["b", "a"]
    assert fixations["b"].xy.tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert fixations["b"].duration_ms.tolist() == [300, 50]
    assert fixations["a"].xy.dtype == fixations["a"].duration_ms.dtype == np.float64


@pytest.mark.parametrize(
    ("image", "stem"),
    [("case_5.jpg", "case_5"), ("case_5.dcm", "case_5"), ("case_5", "case_5"), ("folder/a.png", "a"), ("007", "007")],
)
def test_images_go_by_their_stem(tmp_path, image, stem):
    assert list(read_fixations(_table(tmp_path, f"{image},1,0.1,0.2,300"))) == [stem]


def test_two_images_of_one_id_are_refused(tmp_path):
    path = _table(tmp_path, GOOD, "a.png,1,0.1,0.2,300")
    with pytest.raises(ValueError, match="expected one image name an id, found a.jpg and a.png"):
        read_fixations(path)


def test_other_columns_and_their_order_do_not_matter(tmp_path):
    path = _table(
        tmp_path, "9,100,0.5,0.25,a.jpg", header="PUPIL,CURRENT_FIX_DURATION,CURRENT_FIX_Y,CURRENT_FIX_X,IMAGE"
    )
    assert read_fixations(path)["a"].xy.tolist() == [[0.25, 0.5]]


def test_border_and_zero_duration_are_in_range(tmp_path):
    fixations = read_fixations(_table(tmp_path, "a.jpg,1,0,1,0"))["a"]
    assert fixations.xy.tolist() == [[0, 1]] and fixations.duration_ms.tolist() == [0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,2,1.5,0.5,100", r"expected a number in 0\.\.1 in CURRENT_FIX_X, found '1\.5'; 1 rows are wrong"),
        ("a.jpg,2,0.5,-0.01,100", r"expected a number in 0\.\.1 in CURRENT_FIX_Y, found '-0\.01'"),
        ("a.jpg,2,0.5,,100", "expected a number .* in CURRENT_FIX_Y, found 'nan'"),
        ("a.jpg,2,left,0.5,100", "expected a number .* in CURRENT_FIX_X, found 'left'"),
        ("a.jpg,2,0.5,0.5,-1", "expected a number of at least 0 in CURRENT_FIX_DURATION, found '-1'"),
        ("a.jpg,2,0.5,0.5,inf", "expected a number .* in CURRENT_FIX_DURATION, found 'inf'"),
        ("a.jpg,2,0.5,0.5,long", "expected a number .* in CURRENT_FIX_DURATION, found 'long'"),
        (",2,0.5,0.5,100", "expected an image name in IMAGE, found nothing"),
    ],
)
def test_wrong_value_is_named_with_its_row(tmp_path, row, message):
    with pytest.raises(ValueError, match=rf"fixations\.csv, row 4: {message}"):
        read_fixations(_table(tmp_path, GOOD, GOOD, row, GOOD))


def test_all_wrong_rows_are_counted(tmp_path):
    with pytest.raises(ValueError, match=r"row 2: .*found '480\.0'; 2 rows are wrong"):
        read_fixations(_table(tmp_path, "a.jpg,1,480,0.5,100", GOOD, "a.jpg,3,520,0.5,100"))


def test_missing_column_lists_what_is_there(tmp_path):
    path = _table(tmp_path, "a.jpg,1,0.5", header="IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X")
    with pytest.raises(ValueError) as caught:
        read_fixations(path)
    assert "found no CURRENT_FIX_Y, CURRENT_FIX_DURATION" in str(caught.value)
    assert "the file has IMAGE, CURRENT_FIX_INDEX, CURRENT_FIX_X" in str(caught.value)


def test_only_a_header(tmp_path):
    with pytest.raises(ValueError, match=r"fixations\.csv: expected one row a fixation, found none"):
        read_fixations(_table(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe" * 20, b"\0" * 500, b"a,b\n1,2,3\n1,2,3,4\n"],
    ids=["empty", "blank_lines", "png", "zeros", "ragged"],
)
def test_file_that_is_no_table_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "fixations.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"fixations\.csv: expected ") as caught:
        read_fixations(path)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv: expected a fixation table"):
        read_fixations(tmp_path / "none.csv")


def test_the_real_table(kvasir_fixation_table):
    fixations = read_fixations(kvasir_fixation_table)
    assert len(fixations) == 1000
    counts = [len(f.duration_ms) for f in fixations.values()]
    assert (sum(counts), min(counts), max(counts)) == (26832, 5, 99)
