"""Gazepoint exports: shares of the screen, seconds, a fixation that grows from row to row."""

import pytest

from datasets.gaze.recordings.convert import ConversionSettings
from datasets.gaze.recordings.detect import read_recording
from datasets.gaze.recordings.detection import DetectionSettings
from datasets.gaze.recordings.recording import ReadingSettings


def test_the_last_valid_row_of_a_fixation_counts(write, convert, rows):
    table, _ = convert(write("gazepoint"))
    assert rows(table) == [("polyp1.jpg", 0.5, 0.25, 100, 0)]


def test_samples_leave_invalid_ones_out(write, convert):
    detection = DetectionSettings(min_duration_ms=0)
    settings = ConversionSettings(method="idt", detection=detection, screen_cm=(4, 3), distance_cm=600)
    table, summary = convert(write("gazepoint"), ReadingSettings(want_samples=True), settings)
    assert (summary.samples, summary.missing_samples) == (4, 1)
    # Rows are missing between the second and the third.
    assert table["CURRENT_FIX_Y"].tolist() == [0.45, 0.25]


def test_a_missing_time_is_named(write, examples):
    with pytest.raises(ValueError, match=r"row 3: expected a time in 'TIME\(2023"):
        text = examples["gazepoint"][1].replace("1,0.117", "1,")
        read_recording(write("gazepoint", text), ReadingSettings())
