"""Whatever a fixation table holds: maps that can be used, or one sentence about the file. 2,050 made tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.gaze.fixations import read_fixations
from datasets.gaze.heatmap import fixation_heatmap

# The same cases in every run, however slow the machine, and no folder of past failures.
SETTINGS = settings(derandomize=True, deadline=None, database=None)
NEEDED = ("IMAGE", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION")
OTHERS = ("CURRENT_FIX_INDEX", "NOTE", "IMAGE_HEIGHT", "IMAGE_WIDTH")
SIZE_OF = {"a.jpg": (529, 621), "b/polype é 5.dcm": (1, 7), "007": (320, 320)}
ID_OF = {"a.jpg": "a", "b/polype é 5.dcm": "polype é 5", "007": "007"}

# What people, spreadsheets and other programs write where a number belongs.
NO_NUMBERS = ["", "nan", "inf", "-1", "1e400", "1e9", "0x10", "١", "True", "0_1", "0,5", "left", "NA", "-", "9" * 99]
NO_NAMES = ["", "..", ".", "/", ".jpg", "..jpg", "a\t\x07.jpg", "x\ny", "y\u2028z", "é" * 121]
ODD_BYTES = [b"", b'"', b",", b"\n", b"\r", b"\0", b"\xff", b";", b"-", b"e9", b"\xef\xbb\xbf", "é".encode()]
BYTES = st.binary(max_size=2) | st.integers(0, 99).map(lambda number: b"%d" % number)
ODD_TEXTS = st.one_of(
    st.sampled_from(
        [*NO_NUMBERS, *NO_NAMES, "a.png", "A.JPG", '"', "'", ";", "1,000", "\ufeffa.jpg", "5e-324", "1e308"]
    ),
    st.floats().map(str),
    st.integers().map(str),
    st.text(max_size=5),
)


@st.composite
def good_rows(draw, others=(OTHERS, OTHERS[:1], OTHERS[1:], ())) -> list[dict[str, str]]:
    """One to five rows of a table without a mistake."""
    shares, durations = st.floats(0, 1), st.floats(5, 60_000) | st.integers(0, 60_000)
    columns = draw(st.permutations([*NEEDED, *draw(st.sampled_from(others))]))
    rows = []
    for index in range(draw(st.integers(1, 5))):
        image = draw(st.sampled_from(list(SIZE_OF)))
        height, width = SIZE_OF[image]
        cells = {
            "IMAGE": image,
            "CURRENT_FIX_X": str(draw(shares)),
            "CURRENT_FIX_Y": str(draw(shares)),
            "CURRENT_FIX_DURATION": str(draw(durations)),
            "CURRENT_FIX_INDEX": str(index),
            "NOTE": draw(st.sampled_from(["", "two\nlines", 'say "yes", no'])),
            "IMAGE_HEIGHT": str(float(height)),
            "IMAGE_WIDTH": str(width),
        }
        rows.append({column: cells[column] for column in columns})
    return rows


# Ways of writing a table that must not matter.
FORMS = st.fixed_dictionaries(
    {
        "quote_all": st.booleans(),
        "spaces": st.sampled_from(["", " "]),
        "line_end": st.sampled_from(["\n", "\r\n", "\r"]),
        "mark": st.booleans(),
        "blank_before": st.sampled_from([(), (0,), (1, 1), (2,), (2, 3, 3, 3)]),
    }
)


def written(rows: list[list[str]], form: dict, delimiter: str = ",") -> tuple[bytes, list[int]]:
    """The file, and the row in it of each of ``rows``, of which the first is the header."""
    lines, at = [], []
    for index, cells in enumerate(rows):
        lines += [""] * form["blank_before"].count(index)
        cells = [f"{form['spaces']}{cell}{form['spaces']}" for cell in cells]
        quoted = [form["quote_all"] or bool(set(cell) & set('",\r\n')) for cell in cells]
        cells = ['"' + cell.replace('"', '""') + '"' if q else cell for cell, q in zip(cells, quoted, strict=True)]
        lines.append(delimiter.join(cells))
        at.append(len(lines))
    text = "\ufeff" * form["mark"] + "".join(line + form["line_end"] for line in lines)
    return text.encode("utf-8", "surrogatepass"), at


def with_header(rows: list[dict[str, str]]) -> list[list[str]]:
    return [list(rows[0]), *(list(row.values()) for row in rows)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """One file for all cases: each overwrites it."""
    return tmp_path_factory.mktemp("table") / "fixations.csv"


def check_outcome(path, content: bytes, sigma_px: float = 3.0, size: tuple[int, int] = (5, 7)) -> str:
    """The message, empty where there is none; fails on any other exception and on maps that cannot be used."""
    path.write_bytes(content)
    try:
        fixations = read_fixations(path)
    except (ValueError, OSError) as error:
        message = str(error)
        assert message.startswith(f"{path}") and message.isprintable() and len(message) < 2000
        return message
    assert fixations
    for name, found in fixations.items():
        assert name.strip(".") and not set(name) & set("/\\\n\0")
        assert found.xy.shape == (len(found.duration_ms), 2) and len(found.xy)
        try:
            heatmap = fixation_heatmap(found.xy, found.duration_ms, size, sigma_px=sigma_px, canvas_px=16)
        except ValueError as error:
            assert str(error).startswith("heatmap: expected ") and str(error).isprintable()
            # The only things that may be wrong with fixations that were read.
            assert not found.duration_ms.any() or "same heat everywhere" in str(error)
        else:
            assert heatmap.shape == size and heatmap.dtype == np.float32
            assert np.isfinite(heatmap).all() and heatmap.min() >= 0 and heatmap.max() <= 1
    return ""


@settings(SETTINGS, max_examples=350)
@given(good_rows(), FORMS)
def test_form_of_a_good_table_does_not_matter(path, rows, form):
    content, _ = written(with_header(rows), form)
    assert check_outcome(path, content) == ""
    fixations = read_fixations(path)
    assert list(fixations) == list(dict.fromkeys(ID_OF[row["IMAGE"]] for row in rows))
    for image, name in ID_OF.items():
        expected = [row for row in rows if row["IMAGE"] == image]
        if expected:
            found = fixations[name]
            assert found.xy.tolist() == [[float(row["CURRENT_FIX_X"]), float(row["CURRENT_FIX_Y"])] for row in expected]
            assert found.duration_ms.tolist() == [float(row["CURRENT_FIX_DURATION"]) for row in expected]
            assert found.image_size == (SIZE_OF[image] if "IMAGE_WIDTH" in rows[0] else None)


@settings(SETTINGS, max_examples=400)
@given(good_rows(), FORMS, st.data())
def test_one_wrong_value_is_found_in_its_row(path, rows, form, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(NEEDED))
    wrong = data.draw(st.sampled_from(NO_NAMES if column == "IMAGE" else NO_NUMBERS))
    content, at = written(with_header([*rows[:index], {**rows[index], column: wrong}, *rows[index + 1 :]]), form)
    message = check_outcome(path, content)
    assert message.startswith(f"{path}, row {at[index + 1]}: expected ") and f" in {column}, found " in message


@settings(SETTINGS, max_examples=200)
@given(good_rows([OTHERS, OTHERS[:1]]), FORMS, st.data())
def test_copied_row_is_found_with_its_original(path, rows, form, data):
    original = data.draw(st.integers(0, len(rows) - 1))
    copy = data.draw(st.integers(original + 1, len(rows)))
    content, at = written(with_header([*rows[:copy], rows[original], *rows[copy:]]), form)
    expected = f"{path}, row {at[copy + 1]}: expected every row once, found a copy of row {at[original + 1]}; "
    assert check_outcome(path, content).startswith(expected)


@settings(SETTINGS, max_examples=500)
@given(good_rows(), FORMS, st.floats(0.001, 16), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.data())
def test_table_with_any_mistakes(path, rows, form, sigma_px, size, data):
    table = with_header(rows)
    for _ in range(data.draw(st.integers(0, 3))):
        cells = data.draw(st.sampled_from(table))
        mistake = data.draw(st.sampled_from(["value", "value", "drop", "add", "repeat"]))
        if mistake == "value" and cells:
            cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(ODD_TEXTS)
        elif mistake == "drop" and cells:
            cells.pop(data.draw(st.integers(0, len(cells) - 1)))
        elif mistake == "add":
            cells.insert(data.draw(st.integers(0, len(cells))), data.draw(ODD_TEXTS))
        else:
            table.append(list(cells))
    content, _ = written(table, form, data.draw(st.sampled_from(",,,,,;\t|")))
    check_outcome(path, content, sigma_px, size)


@settings(SETTINGS, max_examples=600)
@given(good_rows(), FORMS, st.data())
def test_table_with_any_bytes_changed(path, rows, form, data):
    content = bytearray(written(with_header(rows), form)[0])
    for _ in range(data.draw(st.integers(1, 2))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.sampled_from([0, 1, 1, 1, 5, 50]))
        content[start:end] = data.draw(st.sampled_from(ODD_BYTES) | BYTES)
    check_outcome(path, bytes(content))
