"""Pupil Cloud exports: nanoseconds, pixels of the scene camera, shares of a surface with y downwards."""

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.detection import DetectionSettings
from datasets.recordings.recording import ReadingSettings, Rect
from datasets.recordings.trial_table import with_image, with_rect


def placed(recording):
    return with_rect(with_image(recording, "polyp1.jpg"), Rect(200, 100, 400, 400))


def test_fixations_in_pixels_within_the_given_rectangle(write, convert, rows):
    table, summary = convert(write("pupil_cloud"), edit=placed)
    assert rows(table) == [("polyp1.jpg", 0.5, 0.5, 250, None)]
    assert (summary.format, summary.outside) == ("pupil_cloud", 1)


def test_fixations_on_a_surface_with_y_downwards(write, convert, rows, examples):
    text = examples["pupil_cloud"][1].replace("[px]", "[normalized]").replace("y [normalized]", "y [normalized],")
    text = text.replace("400,300", "0.4,0.3").replace("800,300", "0.8,0.3").replace("y [normalized],", "y [normalized]")
    text = text.replace("y [normalized]\n", "y [normalized],fixation detected on surface\n")
    text = text.replace("0.3\nr", "0.3,True\nr").replace("0.8,0.3\n", "0.8,0.3,False\n")
    table, summary = convert(write("pupil_cloud", text), edit=lambda recording: with_image(recording, "polyp1"))
    assert rows(table) == [("polyp1", 0.4, 0.3, 250, None)]
    assert summary.outside == 1


def test_gaze_by_velocity(write, convert, rows):
    lines = ["section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id"]
    start = 1_700_000_000_000_000_000
    lines += [f"s,r,{start + index * 5_000_000},400,300,True,," for index in range(20)]
    path = write("pupil_cloud", "\n".join(lines) + "\n", name="gaze.csv")
    settings = ConversionSettings(screen_px=(1600, 1200), screen_cm=(80, 60), distance_cm=60)
    assert rows(convert(path, None, settings, placed)[0]) == [("polyp1.jpg", 0.5, 0.5, 100, None)]
    with pytest.raises(ValueError, match="expected the viewing geometry .* --screen_px W,H --screen_cm W,H --distance"):
        convert(path, edit=placed)


def test_two_recordings_are_two_trials(write, examples):
    text = examples["pupil_cloud"][1].replace("\nr,2", "\nq,2")
    assert [trial.label for trial in read_recording(write("pupil_cloud", text), ReadingSettings()).trials] == ["r", "q"]


def test_a_missing_column_is_named(write, examples):
    with pytest.raises(ValueError, match=r"found none for y \('fixation y' or"):
        text = examples["pupil_cloud"][1].replace("fixation y [px]", "elevation [deg]")
        read_recording(write("pupil_cloud", text), ReadingSettings())


def test_a_fixation_of_exactly_the_minimum_is_kept_beside_nanoseconds_since_1970(write, convert, rows, examples):
    text = examples["pupil_cloud"][1].replace(",250,400", ",83.4,400")
    settings = ConversionSettings(detection=DetectionSettings(min_duration_ms=83.4))
    table, _ = convert(write("pupil_cloud", text), None, settings, placed)
    assert rows(table) == [("polyp1.jpg", 0.5, 0.5, 83.4, None)]
