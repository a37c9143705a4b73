"""Per-case tables read back: what is taken, and every refusal in one sentence."""

import math

import pandas as pd
import pytest

from evaluation.per_case import find_per_case, metrics_of, read_per_case, table_of, write_per_case

HEADER = "name,group,level,dice,hd95_px\n"


def table(tmp_path, text):
    path = tmp_path / "per_case.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_values_levels_groups_and_empty_cells(tmp_path):
    path = table(
        tmp_path,
        HEADER + "b,p1,ensemble,0.5,12\nb,p1,1,0.25,13.5\na,p1,ensemble,,\na,p1,1,1,0\n\n",
    )
    read = read_per_case(path)
    nan = math.nan
    expected = {
        "name": ["b", "b", "a", "a"], "group": ["p1"] * 4, "level": ["ensemble", "1"] * 2,
        "dice": [0.5, 0.25, nan, 1], "hd95_px": [12, 13.5, nan, 0],
    }  # fmt: skip
    pd.testing.assert_frame_equal(read, pd.DataFrame(expected), check_dtype=False)


def test_what_evaluation_writes_is_read_with_the_columns_that_it_has(tmp_path):
    rows = [{"name": n, "level": "ensemble", "dice": d, "iou": d / 2} for n, d in (("x", 0.1), ("=1+1", 0.3))]
    for row in rows:
        row |= {"predicted_px": 3, "precision": 0.5, "recall": math.nan, "hd95_px": 4.5, "assd_px": 2.25}
    written = table_of(rows)
    write_per_case(tmp_path / "per_case.csv", written)
    read = read_per_case(tmp_path / "per_case.csv")
    assert read["iou"].tolist() == [0.05, 0.15] and read["recall"].isna().all()
    assert metrics_of(read) == ["dice", "iou", "precision", "recall", "hd95_px", "assd_px"]
    assert read["group"].tolist() == ["x", "=1+1"]
    pd.testing.assert_frame_equal(read, written.drop(columns="predicted_px"), check_dtype=False)


def test_an_older_table_has_no_groups_and_other_columns_are_passed_over(tmp_path):
    read = read_per_case(table(tmp_path, "\ufeffname,level,comment,dice,iou\na,ensemble,fine,1,1\n"))
    assert list(read) == ["name", "level", "dice", "iou"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "a,g,ensemble,1.5,3\n", "row 2: expected a number in 0..1, or nothing, in dice, found '1.5'"),
        (HEADER + "a,g,ensemble,-0.1,3\n", "in dice, found '-0.1'"),
        (
            HEADER + "a,g,ensemble,1,3\nb,g,ensemble,1,inf\n",
            "row 3: expected a finite number from 0, or nothing, in hd95",
        ),
        (HEADER + "a,g,ensemble,nan,3\n", "in dice, found 'nan'"),
        (HEADER + "a,g,ensemble,0_1,3\n", "in dice, found '0_1'"),
        (HEADER + "a,g,ensemble,high,3\n", "in dice, found 'high'"),
        (
            HEADER + "a,g,ensemble,1,3\n\na,g,ensemble,1,3\n",
            "row 4: expected every case once a level, found 'a' of level",
        ),
        (
            HEADER + "a,g,ensemble,1,3\na,h,1,1,3\n",
            "row 3: expected 'g' in group, as in an earlier row of 'a', found 'h'",
        ),
        (HEADER + "a,g,ensemble,1,3\nb,g,ensemble,1,3\na,g,1,1,3\n", "no row of level '1' for 1 of 2 ('b')"),
        (HEADER + "a,g,ensemble,1\n", "row 2: expected 5 fields as in the header, found 4"),
        (HEADER + ",g,ensemble,1,3\n", "row 2: expected a name on one line in name, found nothing"),
        (HEADER + '"a\nb",g,ensemble,1,3\n', "expected a name on one line in name, found 'a\\nb'"),
        (HEADER + "../a,g,ensemble,1,3\n", "row 2: expected a plain id, without folders, in name, found '../a'"),
        (HEADER + "a\\b,g,ensemble,1,3\n", "expected a plain id, without folders, in name, found 'a\\\\b'"),
        (HEADER, "expected rows below the header, found none"),
        ("", "expected a table (CSV), found an empty file"),
        ("name,dice\na,1\n", "expected the columns name, level, found no level; the file has name, dice"),
        ("name,level,dice,dice\na,1,1,1\n", "expected one column dice, found 2"),
        ("name,level,score\na,1,1\n", "expected one or more of the columns dice, iou"),
        (b"name,level,dice\n\xff,1,1\n", "expected a table (CSV) in UTF-8, found the byte 0xff in line 2"),
        (b'name,level,dice\n"a"b,1,1\n', "expected a table (CSV), found something else"),
    ],
)
def test_refusals_name_file_row_and_column(tmp_path, text, message):
    path = table(tmp_path, text)
    with pytest.raises(ValueError) as error:
        read_per_case(path)
    assert str(error.value).startswith(str(path)) and message in str(error.value)
    assert "\n" not in str(error.value)


def test_where_the_table_is(tmp_path):
    path = table(tmp_path, HEADER)
    assert find_per_case(tmp_path) == find_per_case(path) == path
    with pytest.raises(FileNotFoundError, match="nowhere: expected a results folder or its per_case.csv, found none"):
        find_per_case(tmp_path / "nowhere")
    # As results are named elsewhere.
    assert find_per_case(tmp_path / "summary.json") == path
    (tmp_path / "model_latest.pth").touch()
    with pytest.raises(ValueError, match="found a checkpoint, which run.py evaluate scores"):
        find_per_case(tmp_path / "model_latest.pth")


@pytest.mark.parametrize("other", ["per_case_mean_map.csv", "seed0/per_case.csv"])
def test_a_folder_with_other_tables_names_them(tmp_path, other):
    (tmp_path / other).parent.mkdir(exist_ok=True)
    (tmp_path / other).write_text(HEADER)
    with pytest.raises(FileNotFoundError, match=f"found none in it; name one of {tmp_path / other}"):
        find_per_case(tmp_path)
