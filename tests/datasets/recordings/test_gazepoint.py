"""Gazepoint exports: shares of the screen, seconds, a fixation that grows from row to row."""

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.detection import DetectionSettings
from datasets.recordings.recording import ReadingSettings


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
    with pytest.raises(ValueError, match=r"row 3: expected a time in TIME\(2023"):
        text = examples["gazepoint"][1].replace("1,0.117", "1,")
        read_recording(write("gazepoint", text), ReadingSettings())


FIXATIONS = """\
MEDIA_ID,MEDIA_NAME,CNT,TIME(2026/11/23 10:00:00.000),TIMETICK(f=10000000),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV,BPOGX,
0,polyp1.jpg,45,0.72363,7236300,0.45,0.33,0.01794,0.70569,2,1,0.46,
0,polyp1.jpg,68,1.09607,10960700,0.44,0.25,0.73987,0.35620,3,1,0.37,
1,polyp2.jpg,86,1.38690,13869000,0.39,0.5,1.11212,0.27478,4,1,0.39,
"""


def test_a_row_a_fixation_written_when_it_ends_keeps_the_first_of_every_image(write, convert, rows):
    # As in real exports TIME is FPOGS + FPOGD.
    table, summary = convert(write("gazepoint", FIXATIONS, name="User 1_fixations.csv"))
    assert rows(table) == [
        ("polyp1.jpg", 0.45, 0.33, 705.69, None),
        ("polyp1.jpg", 0.44, 0.25, 356.2, None),
        ("polyp2.jpg", 0.39, 0.5, 274.78, None),
    ]
    assert summary.off_trial == 0


def test_one_number_and_two_starts_are_two_fixations(write, convert, rows):
    repeated = FIXATIONS.replace("0.35620,3,1", "0.35620,2,1")
    table, _ = convert(write("gazepoint", repeated, name="User 1_fixations.csv"))
    assert [row[3] for row in rows(table)] == [705.69, 356.2, 274.78]


GROWING = """\
MEDIA_ID,MEDIA_NAME,CNT,TIME(2023/03/01 10:00:00.000),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV
0,polyp1.jpg,0,0.100,0.5,0.5,0.100,0.010,7,1
0,polyp1.jpg,1,0.150,0.5,0.4,0.100,0.060,7,1
0,polyp1.jpg,2,0.310,0.2,0.2,0.300,0.020,7,1
0,polyp1.jpg,3,0.370,0.2,0.1,0.300,0.080,7,1
"""


def test_fixations_of_one_number_grow_apart(write, convert, rows):
    table, _ = convert(write("gazepoint", GROWING))
    assert rows(table) == [("polyp1.jpg", 0.5, 0.4, 60, 0), ("polyp1.jpg", 0.2, 0.1, 80, 200)]


def test_images_of_egd_cxr(write, convert):
    lines = [line.split(",", 2)[1:] for line in GROWING.splitlines()[1:]]
    text = "DICOM_ID,CNT,TIME,FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV\n" + "\n".join(map(",".join, lines))
    table, _ = convert(write("gazepoint", text))
    assert table["IMAGE"].tolist() == ["polyp1.jpg", "polyp1.jpg"]
