"""The fixation table: what is read, and which row is to blame."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.gaze.fixations import Fixations, read_fixations

HEADER = "IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION"
GOOD = "a.jpg,1,0.25,0.5,100"
SIZED = "IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION,IMAGE_HEIGHT,IMAGE_WIDTH"
SHORT = "IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION"


def _file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "fixations.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _table(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    return _file(tmp_path, "\n".join([header, *rows]) + "\n")


def _refusal(path: Path, kind: type[Exception] = ValueError) -> str:
    """The message without the path that it has to begin with."""
    with pytest.raises(kind) as caught:
        read_fixations(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and message.isprintable()
    return message.removeprefix(str(path))


# ---- what is read -------------------------------------------------------------------------------------------


def test_fixations_by_image_in_the_order_of_the_table(tmp_path):
    path = _table(tmp_path, "b.jpg,1,0.1,0.2,300", GOOD, "b.jpg,2,0.3,0.4,50")
    fixations = read_fixations(path)
    assert list(fixations) == ["b", "a"]
    assert fixations["b"].xy.tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert fixations["b"].duration_ms.tolist() == [300, 50]
    assert fixations["a"].xy.tolist() == [[0.25, 0.5]] and fixations["a"].duration_ms.tolist() == [100]
    assert fixations["a"].xy.dtype == fixations["a"].duration_ms.dtype == np.float64


def test_same_as_pandas_on_many_scattered_rows(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((3000, 2)), columns=["CURRENT_FIX_X", "CURRENT_FIX_Y"])
    table["IMAGE"] = [f"{i}.jpg" for i in rng.integers(0, 70, len(table))]
    table["CURRENT_FIX_DURATION"] = rng.integers(50, 900, len(table))
    path = tmp_path / "fixations.csv"
    table.to_csv(path)  # with pandas' unnamed first column
    fixations = read_fixations(path)
    assert list(fixations) == [name.removesuffix(".jpg") for name in table.IMAGE.unique()]
    for name, rows in table.groupby("IMAGE"):
        found = fixations[name.removesuffix(".jpg")]
        np.testing.assert_array_equal(found.xy, rows[["CURRENT_FIX_X", "CURRENT_FIX_Y"]])
        np.testing.assert_array_equal(found.duration_ms, rows.CURRENT_FIX_DURATION)


@pytest.mark.parametrize(
    ("image", "stem"),
    [
        ("case_5.jpg", "case_5"),
        ("case_5.dcm", "case_5"),
        ("case_5", "case_5"),
        ("007", "007"),
        ("p1.v0", "p1.v0"),
        ("p1.v0.jpg", "p1.v0"),
        ("scan.JPG", "scan"),
        ("NA", "NA"),
        (" a.jpg ", "a"),
        ("a b.jpg", "a b"),
        ("polype_é.jpg", "polype_é"),
        ("folder/a.png", "a"),
        ("../a.png", "a"),
        ("/data/images/a.png", "a"),
        (r"C:\images\a.png", "a"),
    ],
)
def test_images_go_by_their_stem(tmp_path, image, stem):
    assert list(read_fixations(_table(tmp_path, f"{image},1,0.1,0.2,300"))) == [stem]


def test_other_columns_and_their_order_do_not_matter(tmp_path):
    path = _table(
        tmp_path,
        "9,100,0.5,0.25,8,a.jpg",
        header="PUPIL,CURRENT_FIX_DURATION,CURRENT_FIX_Y,CURRENT_FIX_X,PUPIL,IMAGE",
    )
    assert read_fixations(path)["a"].xy.tolist() == [[0.25, 0.5]]


def test_border_and_zero_duration_are_in_range(tmp_path):
    fixations = read_fixations(_table(tmp_path, "a.jpg,1,0,1,0", "a.jpg,2,1,0,60000"))["a"]
    assert fixations.xy.tolist() == [[0, 1], [1, 0]] and fixations.duration_ms.tolist() == [0, 60000]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + f"{HEADER}\n{GOOD}\n",
        f"{HEADER}\r\n{GOOD}\r\n",
        f"{HEADER}\r{GOOD}\r",
        f"{HEADER}\n{GOOD}",
        f"\n{HEADER}\n\n \n{GOOD}\n,,,,\n\n",
        f"{HEADER},\n{GOOD},\n",
        f"{HEADER}\n{GOOD},,,\n",
        f"{HEADER},\n{GOOD}\n",
        " IMAGE , CURRENT_FIX_X,CURRENT_FIX_Y ,CURRENT_FIX_DURATION \n a.jpg , 0.25,0.5 , 100 \n",
        '"IMAGE","CURRENT_FIX_X","CURRENT_FIX_Y","CURRENT_FIX_DURATION"\n"a.jpg","0.25","0.5","100"\n',
        "IMAGE,NOTE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\n"
        'a.jpg,"two\nlines, and ""quotes""",2.5e-1,+.5,1e2\n',
    ],
    ids=[
        "byte_order_mark",
        "windows_line_ends",
        "old_mac_line_ends",
        "no_last_line_end",
        "blank_rows",
        "comma_at_every_end",
        "empty_fields_at_a_row_end",
        "comma_at_the_header_end",
        "spaces",
        "quotes",
        "line_break_in_quotes",
    ],
)
def test_forms_that_a_table_may_have(tmp_path, content):
    fixations = read_fixations(_file(tmp_path, content))
    assert list(fixations) == ["a"]
    assert fixations["a"].xy.tolist() == [[0.25, 0.5]] and fixations["a"].duration_ms.tolist() == [100]


def test_100_000_fixations_on_one_image(tmp_path):
    rows = [f"a.jpg,{i},0.{i:06d},0.5,100" for i in range(100_000)]
    found = read_fixations(_table(tmp_path, *rows))["a"]
    np.testing.assert_allclose(found.xy[:, 0], np.arange(100_000) / 1e6)


def test_missing_file(tmp_path):
    assert _refusal(tmp_path / "none.csv", FileNotFoundError) == ": expected a file, found none"


def test_the_real_table(kvasir_fixation_table):
    fixations = read_fixations(kvasir_fixation_table)
    assert len(fixations) == 1000
    counts = [len(f.duration_ms) for f in fixations.values()]
    assert (sum(counts), min(counts), max(counts)) == (26832, 5, 99)
    assert next(iter(fixations.values())).image_size == (529, 621)
    assert all(f.image_size for f in fixations.values())


# ---- values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,2,1.5,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found '1.5'; 1 row is wrong; leave out fixations"),
        ("a.jpg,2,0.5,-0.01,100", "a number in 0..1 in CURRENT_FIX_Y, found '-0.01'; 1 row is wrong; leave out"),
        ("a.jpg,2,311,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found '311'; 1 row is wrong; it looks like pixels"),
        ("a.jpg,2,0.5,,100", "a number in 0..1 in CURRENT_FIX_Y, found nothing; 1 row is wrong; write a number"),
        ("a.jpg,2,0.5,nan,100", "a number in 0..1 in CURRENT_FIX_Y, found 'nan'; 1 row is wrong; write a number"),
        ("a.jpg,2,left,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found 'left'"),
        ("a.jpg,2,True,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found 'True'"),
        ("a.jpg,2,0x1,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found '0x1'"),
        ("a.jpg,2,١,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found '١'"),
        ("a.jpg,2,0_1,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found '0_1'"),
        ('a.jpg,2,"0,5",0.5,100', "a number in 0..1 in CURRENT_FIX_X, found '0,5'; 1 row is wrong; write a"),
        ("a.jpg,2,1e400,0.5,100", "a number in 0..1 in CURRENT_FIX_X, found '1e400'"),
        ("a.jpg,2,0.5,0.5,-1", "a number in 0..60000 in CURRENT_FIX_DURATION, found '-1'; 1 row is wrong; write"),
        ("a.jpg,2,0.5,0.5,310000", "a number in 0..60000 in CURRENT_FIX_DURATION, found '310000'; 1 row is wrong; it"),
        ("a.jpg,2,0.5,0.5,inf", "a number in 0..60000 in CURRENT_FIX_DURATION, found 'inf'"),
        ('a.jpg,2,0.5,0.5,"1,000"', "a number in 0..60000 in CURRENT_FIX_DURATION, found '1,000'"),
        ("a.jpg,2,0.5,0.5,1_000", "a number in 0..60000 in CURRENT_FIX_DURATION, found '1_000'"),
        ("a.jpg,2,0.5,0.5,long", "a number in 0..60000 in CURRENT_FIX_DURATION, found 'long'"),
        (f"a.jpg,2,0.5,0.5,{'9' * 5000}", f"a number in 0..60000 in CURRENT_FIX_DURATION, found '{'9' * 60}'... ("),
        (",2,0.5,0.5,100", "an image name in IMAGE, found nothing; 1 row is wrong"),
        ("..,2,0.5,0.5,100", "an image name in IMAGE, found '..'"),
        ("a/..,2,0.5,0.5,100", "an image name in IMAGE, found 'a/..'"),
        (".,2,0.5,0.5,100", "an image name in IMAGE, found '.'"),
        ("/,2,0.5,0.5,100", "an image name in IMAGE, found '/'"),
        (".jpg,2,0.5,0.5,100", "an image name in IMAGE, found '.jpg'"),
        ("..jpg,2,0.5,0.5,100", "an image name in IMAGE, found '..jpg'"),
        ("a\x07.jpg,2,0.5,0.5,100", r"an image name in IMAGE, found 'a\x07.jpg'"),
        ('"a\nb.jpg",2,0.5,0.5,100', r"an image name in IMAGE, found 'a\nb.jpg'"),
        (f"{'é' * 121}.jpg,2,0.5,0.5,100", "a name of up to 240 bytes in IMAGE, found 'ééé"),
    ],
)
def test_wrong_value_is_named_with_its_row(tmp_path, row, message):
    found = _refusal(_table(tmp_path, GOOD, "a.jpg,3,0.5,0.5,100", row, "a.jpg,4,0.5,0.5,100"))
    assert found.startswith(f", row 4: expected {message}")


def test_all_wrong_rows_are_counted(tmp_path):
    found = _refusal(_table(tmp_path, "a.jpg,1,480,0.5,100", GOOD, "a.jpg,3,520.5,0.5,100"))
    assert found == (
        ", row 2: expected a number in 0..1 in CURRENT_FIX_X, found '480'; 2 rows are wrong; "
        "it looks like pixels: divide by the image's width"
    )


@pytest.mark.parametrize(
    ("between", "row"),
    [("\n\n", 5), (" \n,,,,\n", 5), ("\r\n\r\n", 5), ('a.jpg,"1\n2\n3",0.5,0.5,100\n', 4)],
    ids=["blank", "without_content", "blank_windows", "line_breaks_in_quotes"],
)
def test_rows_count_as_in_a_spreadsheet(tmp_path, between, row):
    assert _refusal(_file(tmp_path, f"{HEADER}\n{GOOD}\n{between}a.jpg,2,9,0.5,100\n")).startswith(f", row {row}: ")


def test_two_images_of_one_id_are_refused(tmp_path):
    found = _refusal(_table(tmp_path, GOOD, "b.jpg,1,0.5,0.5,100", "a.png,1,0.1,0.2,300"))
    assert found == (
        ", row 4: expected one name an id, 'a.jpg' as above, in IMAGE, found 'a.png'; 1 row is wrong; "
        "rename one of the images"
    )


# ---- repeated rows ------------------------------------------------------------------------------------------


def test_copied_row_is_refused_with_both_rows(tmp_path):
    found = _refusal(_table(tmp_path, "b.jpg,1,0.25,0.5,100", GOOD, "a.jpg,2,0.25,0.5,100", GOOD, GOOD))
    assert found.startswith(", row 5: expected every row once, found a copy of row 3; 2 rows are copies")


def test_rows_that_differ_in_a_column_that_is_not_read_are_no_copies(tmp_path):
    path = _table(tmp_path, f"{GOOD},ann", f"{GOOD},bob", header=f"{HEADER},VIEWER")
    assert read_fixations(path)["a"].duration_ms.tolist() == [100, 100]


def test_without_index_and_start_two_fixations_may_be_alike(tmp_path):
    path = _table(tmp_path, "a.jpg,0.5,0.5,100", "a.jpg,0.5,0.5,100", header=SHORT)
    assert read_fixations(path)["a"].xy.tolist() == [[0.5, 0.5], [0.5, 0.5]]


# ---- the size of the image ----------------------------------------------------------------------------------


def test_image_size_where_the_table_has_one(tmp_path):
    rows = ("a.jpg,0.5,0.5,100,529.0,621.0", "b.jpg,0.5,0.5,100,,", "a.jpg,0.5,0.6,100,529,621")
    fixations = read_fixations(_table(tmp_path, *rows, header=SIZED))
    assert fixations["a"].image_size == (529, 621)
    assert [type(side) for side in fixations["a"].image_size] == [int, int]
    assert fixations["b"].image_size is None
    assert read_fixations(_table(tmp_path, GOOD))["a"].image_size is None
    assert Fixations(np.zeros((0, 2)), np.zeros(0)).image_size is None


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("529.5,621", "a whole number of pixels in 1..1000000 in IMAGE_HEIGHT, found '529.5'; 1 row is wrong"),
        ("0,621", "a whole number of pixels in 1..1000000 in IMAGE_HEIGHT, found '0'"),
        ("529,-1", "a whole number of pixels in 1..1000000 in IMAGE_WIDTH, found '-1'"),
        ("529,1e300", "a whole number of pixels in 1..1000000 in IMAGE_WIDTH, found '1e300'"),
        ("529,wide", "a whole number of pixels in 1..1000000 in IMAGE_WIDTH, found 'wide'"),
        ("NA,NA", "a whole number of pixels in 1..1000000 in IMAGE_HEIGHT, found 'NA'"),
        ("529,", "a whole number of pixels in 1..1000000 in IMAGE_WIDTH, found nothing"),
        ("530,621", "'529' as in row 2, the same image, in IMAGE_HEIGHT, found '530'; 1 row is wrong; give an image"),
        ("529,620.0", "'621.0' as in row 2, the same image, in IMAGE_WIDTH, found '620.0'"),
        (",", "'529' as in row 2, the same image, in IMAGE_HEIGHT, found nothing"),
    ],
)
def test_wrong_image_size(tmp_path, size, message):
    rows = ("a.jpg,0.5,0.5,100,529,621.0", "b.jpg,0.5,0.5,100,300,300", f"a.jpg,0.5,0.5,100,{size}")
    assert _refusal(_table(tmp_path, *rows, header=SIZED)).startswith(f", row 4: expected {message}")


def test_both_eyes_on_one_image_are_refused(tmp_path):
    header = f"{HEADER},EYE_USED"
    rows = [f"{GOOD},LEFT", "b.jpg,1,0.25,0.5,100,RIGHT", "b.jpg,2,0.3,0.5,100,RIGHT"]
    assert {"a", "b"} == set(read_fixations(_table(tmp_path, *rows, header=header)))
    found = _refusal(_table(tmp_path, *rows, "a.jpg,2,0.26,0.5,100,RIGHT", header=header))
    assert found == (
        ", row 5: expected one eye an image in EYE_USED, found 'RIGHT'; 1 row is wrong; keep one's, as "
        "run.py fixations --eye does"
    )


def test_height_without_width(tmp_path):
    found = _refusal(_table(tmp_path, "a.jpg,0.5,0.5,100,529", header=f"{SHORT},IMAGE_HEIGHT"))
    assert found == ": expected both IMAGE_HEIGHT and IMAGE_WIDTH or none, found only IMAGE_HEIGHT"


# ---- the form of the file -----------------------------------------------------------------------------------


def test_missing_column_lists_what_is_there(tmp_path):
    found = _refusal(_table(tmp_path, "a.jpg,1,0.5", header="IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X"))
    assert "found no CURRENT_FIX_Y, CURRENT_FIX_DURATION" in found
    assert found.endswith("the file has IMAGE, CURRENT_FIX_INDEX, CURRENT_FIX_X")


def test_a_header_of_ten_thousand_columns_is_cut_in_the_message(tmp_path):
    found = _refusal(_table(tmp_path, "1", header=",".join(f"column{i}" for i in range(10_000))))
    assert len(found) < 400 and found.endswith("characters)")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (f"{HEADER},IMAGE", ": expected one column IMAGE, found 2; remove or rename one"),
        (f"{HEADER},IMAGE_WIDTH,IMAGE_WIDTH,IMAGE_HEIGHT", ": expected one column IMAGE_WIDTH, found 2"),
    ],
)
def test_column_that_is_there_twice(tmp_path, header, message):
    assert _refusal(_table(tmp_path, header=header)).startswith(message)


def test_only_a_header(tmp_path):
    assert _refusal(_table(tmp_path)) == ": expected rows below the header, found none"
    assert _refusal(_table(tmp_path, "", ",,,,")) == ": expected rows below the header, found none"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,2,0.5,0.5", "expected 5 fields as in the header, found 4; complete or remove the row"),
        ("a.jpg", "expected 5 fields as in the header, found 1"),
        ("a.jpg,2,0,5,0,5,100", "expected 5 fields as in the header, found 7; look for decimal commas"),
    ],
)
def test_ragged_row(tmp_path, row, message):
    assert _refusal(_table(tmp_path, GOOD, "", row)).startswith(f", row 4: {message}")


@pytest.mark.parametrize(
    ("delimiter", "found"),
    [
        (";", "semicolons"),
        ("\t", "tabs"),
        ("|", "vertical bars"),
    ],
)
@pytest.mark.parametrize(("point", "and_commas"), [(".", ""), (",", " and decimal commas")])
@pytest.mark.parametrize("quote", ["", '"'])
def test_wrong_delimiter_is_named(tmp_path, delimiter, found, point, and_commas, quote):
    header, row = (
        delimiter.join(f"{quote}{field}{quote}" for field in line.split(",")) for line in (f"\ufeff{HEADER}", GOOD)
    )
    message = _refusal(_table(tmp_path, row.replace("0.", f"0{point}"), header=header))
    assert message.startswith(f": expected commas between the columns, found {found}{and_commas}; save it with commas")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (b"\n\n", "found an empty file"),
        (b"\xef\xbb\xbf", "found an empty file"),
        (b"\xef\xbb\xbf\n", "found an empty file"),
        (b",,,\n", "found an empty file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe" * 20, "found a NUL byte in line 3"),
        (b"\0" * 500, "found a NUL byte in line 1"),
        (f"{HEADER}\n{GOOD}\n\0\0\0\n".encode(), "found a NUL byte in line 3; save the table as UTF-8"),
        (b"a,b\n1,2,3\n1,2,3,4\n", "found no IMAGE, CURRENT_FIX_X"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "found a NUL byte in line 1; save the table as UTF-8"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16-be"), "found a NUL byte in line 1; save the table as UTF-8"),
        (f"{HEADER}\n{GOOD}\ncafé.jpg,1,0.5,0.5,9\n".encode("latin-1"), "in UTF-8, found the byte 0xe9 in line 3"),
        (gzip.compress(f"{HEADER}\n{GOOD}\n".encode(), mtime=0), "found a gzip file; unpack it"),
        (b"PK\x03\x04\x14\0\6\0", "found a zip or Excel file; unpack it, or save it as text (.csv)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "found an old Excel file; save it as text (.csv)"),
    ],
)
def test_file_that_is_no_table(tmp_path, content, message):
    found = _refusal(_file(tmp_path, content))
    assert found.startswith(": expected ") and message in found


@pytest.mark.parametrize(
    "row",
    ['"a.jpg,2,0.5,0.5,100', '"a"b.jpg,2,0.5,0.5,100', f'a.jpg,2,0.5,0.5,"{"9" * 200_000}"'],
    ids=["never_closed", "text_behind", "longer_than_the_csv_module_reads"],
)
def test_stray_quotation_mark(tmp_path, row):
    found = _refusal(_table(tmp_path, GOOD, row))
    assert found.startswith(", row 3: expected a table (CSV), found something else (")
    assert found.endswith("look for a stray quotation mark")


def test_line_of_a_million_fields(tmp_path):
    assert "expected 5 fields as in the header, found 1000000" in _refusal(_table(tmp_path, "1," * 999_999 + "1"))


def test_a_folder_in_place_of_the_table(tmp_path):
    assert _refusal(tmp_path, OSError) == ": expected a regular file, found a folder; name a file, or leave it out"


def test_a_pipe_in_place_of_the_table(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "found a pipe" in _refusal(tmp_path / "pipe", OSError)


def test_a_table_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    # Not by taking the right away, as the administrator may read it still.
    monkeypatch.setattr("utils.inputs.open", refuse, raising=False)
    found = _refusal(_table(tmp_path, GOOD), OSError)
    assert found == ": expected a readable file, found that it cannot be read: Permission denied"


def test_a_name_that_no_file_can_have(tmp_path):
    assert "found that it cannot be read: File name too long" in _refusal(tmp_path / ("a" * 300), OSError)


@pytest.mark.parametrize("column", ["CURRENT_FIX_INDEX", "CURRENT_FIX_START"])
def test_the_order_is_that_of_index_or_start(tmp_path, column):
    path = tmp_path / "fix.csv"
    rows = ["a,0.3,0.5,300,3", "b,0.9,0.5,100,1", "a,0.1,0.5,100,1", "a,0.2,0.5,200,2"]
    path.write_text(f"IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION,{column}\n" + "\n".join(rows))
    found = read_fixations(path)
    assert list(found) == ["a", "b"] and found["a"].duration_ms.tolist() == [100, 200, 300]
    path.write_text(path.read_text().replace(",300,3", ",300,"))
    assert read_fixations(path)["a"].duration_ms.tolist() == [300, 100, 200]


def test_durations_in_seconds_are_refused(tmp_path):
    path = tmp_path / "fix.csv"
    header = "IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\n"
    path.write_text(header + "a,0.1,0.5,0.25\na,0.2,0.5,0.31\na,0.3,0.5,12.5\n")
    with pytest.raises(ValueError, match="row 2: expected a number of ms in .*, found .*0.25.*seconds"):
        read_fixations(path)
    # Without durations, all weigh the same.
    path.write_text(header + "a,0.1,0.5,1\na,0.2,0.5,1\n")
    assert read_fixations(path)["a"].duration_ms.tolist() == [1, 1]
