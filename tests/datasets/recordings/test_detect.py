"""Which format a file has, files that are none, and any text at all."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.recordings.convert import ConversionSettings, convert_recordings
from datasets.recordings.detect import formats, read_recording
from datasets.recordings.recording import ReadingSettings, Rect
from datasets.recordings.trial_table import with_image, with_rect


@pytest.mark.parametrize("name", formats())
def test_every_format_is_known_by_its_content(examples, name, tmp_path):
    path = tmp_path / "x"
    path.write_text(examples[name][1])
    assert read_recording(path, ReadingSettings()).format == name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (b"\xef\xbb\xbf \r\n", "found an empty file"),
        (b"SR_RESEARCH_combined_file\x00\x01", "found an EyeLink .edf file; convert it with SR Research's edf2asc"),
        (b"PK\x03\x04\x14\x00", "found a zip or Excel file"),
        (b"\x1f\x8b\x08", "found a gzip file"),
        (b"abc\x00def", "found a binary file"),
        (b"\xff\xfea", "expected UTF-16 as its first bytes say"),
        (b"IMAGE,CURRENT_FIX_X\na,1\n", "expected a recording of eyelink, tobii, .*; give --format"),
        (b"IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\na,0.1,0.2,90\n", "give it to prepare --fixations"),
        (b"[[1, 2]]", "expected a JSON list of records"),
        (b'[{"a": [}]', "expected a JSON list of records"),
        (b"hello\n", "found a text that begins with 'hello"),
    ],
)
def test_files_of_another_kind(tmp_path, content, message):
    path = tmp_path / "file.asc"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_recording(path, ReadingSettings())
    assert str(path) in str(caught.value)


def test_no_such_format(tmp_path):
    with pytest.raises(ValueError, match="format: expected one of eyelink, .*, jspsych, found 'tobbii'"):
        read_recording(tmp_path / "x", ReadingSettings(), format="tobbii")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a file, found none"):
        read_recording(tmp_path / "none.asc", ReadingSettings())


@pytest.mark.parametrize("name", formats())
@pytest.mark.parametrize("forced", formats())
def test_a_forced_format_reads_or_says_what_is_missing(write, name, forced):
    path = write(name)
    try:
        recording = read_recording(path, ReadingSettings(), format=forced)
    except ValueError as error:
        assert forced != name and re.search("expected .*, found", str(error))
    else:
        # What a plain table is called, others may call so too.
        assert recording.format == forced and (forced == name or forced == "plain" and name in ("tobii", "pupil_cloud"))


PIECES = (
    "",
    ".",
    "-1",
    "1e9",
    "nan",
    "inf",
    "1e400",
    "EFIX L 1 2",
    "START 5 LEFT",
    "MSG 1",
    '"',
    "\t",
    ",",
    ";",
    "\r",
    "\x85",
    "é",
)


def mutated(text: str, seed: int, count: int) -> str:
    """The text with lines or words dropped, doubled, moved, or replaced."""
    rng = random.Random(seed)
    for _ in range(count):
        separator = rng.choice(["\n", "\t", ",", " ", ";"])
        parts = text.split(separator)
        first, second = rng.randrange(len(parts)), rng.randrange(len(parts))
        action = rng.randrange(5)
        if action == 0:
            del parts[first]
        elif action == 1:
            parts.insert(first, parts[second])
        elif action == 2:
            parts[first], parts[second] = parts[second], parts[first]
        elif action == 3:
            parts[first] = rng.choice(PIECES)
        else:
            parts = [separator.join(parts)[: rng.randrange(len(text) + 1)]]
        text = separator.join(parts)
    return text


def convert_or_refuse(path: Path, content: bytes, method: str | None, format: str | None) -> None:
    """Reading and converting must succeed or raise what the command line turns into one line."""
    path.write_bytes(content)
    try:
        recording = read_recording(path, ReadingSettings(want_samples=method is not None), format=format)
        if len({trial.image for trial in recording.trials}) < 2:
            recording = with_rect(with_image(recording, "a"), Rect(0, 0, 1, 1))
        table, _, _ = convert_recordings(
            [recording], ConversionSettings(method=method, screen_cm=(40, 30), distance_cm=60)
        )
    except (ValueError, OSError) as error:
        assert str(error)
    else:
        assert len(table)
        assert table["CURRENT_FIX_X"].between(0, 1).all() and table["CURRENT_FIX_Y"].between(0, 1).all()
        assert (table["CURRENT_FIX_DURATION"] >= 50 - 1e-3).all()


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(tuple(formats())),
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.sampled_from([None, None, "idt", "ivt"]),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
def test_damaged_recordings_are_read_or_refused(tmp_path, examples, name, seed, count, method, encoding):
    text = mutated(examples[name][1], seed, count)
    convert_or_refuse(tmp_path / examples[name][0], text.encode(encoding, errors="replace"), method, name)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)), st.sampled_from([None, *formats()]))
def test_any_bytes_are_read_or_refused(tmp_path, content, format):
    convert_or_refuse(tmp_path / "any.csv", content, None, format)
