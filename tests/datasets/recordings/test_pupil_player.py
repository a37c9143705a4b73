"""Pupil Player exports: y upwards, seconds, surfaces."""

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.detection import DetectionSettings
from datasets.recordings.recording import ReadingSettings, Rect
from datasets.recordings.trial_table import with_image, with_rect

SURFACE = """\
world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,norm_pos_y,x_scaled,y_scaled,on_surf
10.01,1,7,10.0,200.0,0.5,0.2,0.9,1,1,True
10.05,2,7,10.0,200.0,0.5,0.4,0.7,1,1,True
10.30,3,8,10.3,150.0,0.5,1.4,0.7,1,1,False
10.60,4,9,10.6,30.0,0.5,0.4,0.7,1,1,True
"""


def whole(recording):
    return with_rect(with_image(recording, "polyp1"), Rect(0, 0, 1, 1))


def test_fixations_with_y_upwards_and_distrusted_ones_left_out(write, convert, rows):
    table, summary = convert(write("pupil_player"), edit=whole)
    # When the image appeared is not known: no start.
    assert rows(table) == [("polyp1", 0.25, 0.1, 250, None), ("polyp1", 0.75, 0.8, 120, None)]
    assert summary.outside == 1


def test_a_surface_is_the_image_and_its_frames_are_averaged(write, convert, rows):
    table, summary = convert(write("pupil_player", SURFACE, name="fixations_on_surface_polyp1.csv"))
    assert rows(table) == [("polyp1", 0.3, 0.2, 200, None)]
    assert (summary.short, summary.outside) == (1, 1)


def test_a_part_of_the_scene_cameras_picture_in_pixels(write, convert, rows):
    def left_upper_quarter(recording):
        return with_rect(with_image(recording, "polyp1"), Rect(0, 0, 640, 360))

    table, _ = convert(write("pupil_player"), None, ConversionSettings(screen_px=(1280, 720)), left_upper_quarter)
    assert rows(table) == [("polyp1", 0.5, 0.2, 250, None)]
    with pytest.raises(ValueError, match="rectangle as shares of the screen.*give --screen_px"):
        convert(write("pupil_player"), edit=left_upper_quarter)


def test_gaze_on_a_surface_by_dispersion(write, convert, rows):
    lines = ["gaze_timestamp,world_timestamp,world_index,x_norm,y_norm,on_surf,confidence"]
    lines += [f"{5 + index / 100:.2f},5,1,0.5,0.25,True,1.0" for index in range(20)]
    path = write("pupil_player", "\n".join(lines) + "\n", name="gaze_positions_on_surface_polyp1.csv")
    settings = ConversionSettings(method="idt", screen_cm=(40, 30), distance_cm=60)
    table, _ = convert(path, settings=settings)
    assert rows(table) == [("polyp1", 0.5, 0.75, 200, None)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("norm_pos_y", "y", r"found none for y \('norm_pos_y' or 'y_norm'\) among"),
        ("-100.2,180.0", "-100.2,-180.0", "row 3: expected a duration of at least 0, found -180"),
        ("-100.2,180.0", "-100.2,", "row 3: expected a duration in duration, found nothing"),
        ("0.75,0.2", "0.75,inf", "row 4: expected a number in norm_pos_y, found 'inf'"),
    ],
)
def test_exports_that_are_not_as_described(write, examples, old, new, message):
    with pytest.raises(ValueError, match=message):
        read_recording(write("pupil_player", examples["pupil_player"][1].replace(old, new)), ReadingSettings())


def test_nothing_says_which_image_or_where(write, convert):
    with pytest.raises(ValueError, match="expected the recording to name the image .* --image NAME"):
        convert(write("pupil_player"))
    with pytest.raises(ValueError, match="found neither its rectangle nor the size of the screen"):
        convert(write("pupil_player"), edit=lambda recording: with_image(recording, "a"))


def test_every_fixation_too_short_is_an_error_with_the_reason(write, convert):
    with pytest.raises(ValueError, match=r"found none \(2 shorter than the minimum, 1 outside the image"):
        settings = ConversionSettings(detection=DetectionSettings(min_duration_ms=300))
        convert(write("pupil_player", PLAYER_ONE_OUT), None, settings, whole)


PLAYER_ONE_OUT = """\
id,start_timestamp,duration,norm_pos_x,norm_pos_y,confidence
1,1.0,250.0,0.25,0.9,0.95
2,2.0,180.0,0.5,0.5,0.9
3,3.0,320.0,1.75,0.2,0.99
"""
