"""The table of trials: what fits, what it overrides, rows that are wrong."""

import pytest

from datasets.gaze.recordings.detect import read_recording
from datasets.gaze.recordings.recording import ReadingSettings
from datasets.gaze.recordings.trial_table import apply_trial_table, read_trial_table, with_image


@pytest.fixture
def apply(tmp_path):
    def apply(text: str):
        path = tmp_path / "trials.csv"
        path.write_text(text)
        return lambda recording: apply_trial_table(recording, read_trial_table(path))

    return apply


def test_by_trial_with_image_place_and_size(write, convert, apply, rows):
    text = "trial,image,left,top,width,height,image_width,image_height\n1,new.png,256,192,512,384,80,60\n"
    table, summary = convert(write("eyelink"), edit=apply(text))
    assert rows(table) == [("new.png", 0.5, 0.5, 250, 0), ("new.png", 0, 0, 200, 280)]
    assert (table["IMAGE_HEIGHT"].tolist(), table["IMAGE_WIDTH"].tolist()) == ([60, 60], [80, 80])
    assert summary.notes == ["1 trials are not in the trial table and were left out"]


def test_by_image_alone(write, convert, apply, rows):
    table, _ = convert(write("tobii"), edit=apply("image;left;top;width;height\npolyp2.jpg;0;0;1420;1160\n"))
    assert rows(table) == [("polyp2.jpg", 0.5, 0.25, 83, 0)]


def test_by_time_the_same_image_twice(write, convert, apply, rows):
    text = "image,start_ms,end_ms,left,top,width,height\na,-100600,-100400,0,0,1,1\nb,-100400,-99000,0,0,1,1\n"
    table, _ = convert(write("pupil_player"), edit=apply(text))
    assert rows(table) == [
        ("a", 0.25, 0.1, 100, 100),
        ("b", 0.25, 0.1, 150, 0),
        ("b", 0.75, 0.8, 120, 500),
    ]


def test_rows_of_other_recordings_do_not_fit(write, apply):
    recording = read_recording(write("eyelink"), ReadingSettings())
    fitted = apply("recording,trial,image\nb.asc,1,x\na.asc,2,y\n")(recording)
    assert [(trial.label, trial.image) for trial in fitted.trials] == [("2", "y")]
    with pytest.raises(ValueError, match=r"expected a row of the trial table for one of its trials \(1, 2\)"):
        apply("recording,trial,image\nb.asc,1,x\n")(recording)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,left\na,1\n", "expected a column 'image' or 'trial', found name, left"),
        ("image,left\na,1\n", "expected the columns left, top, width, height together, found left alone"),
        ("image,left,top,width,height\na,1,2,0,4\n", "row 2: expected left, top, width, height with a positive width"),
        ("image,left,top,width,height\na,1,,3,4\n", "row 2: expected left, top, width, height"),
        ("image,start_ms,end_ms\na,1,2\nb,5,5\n", "row 3: expected an end after the start, found 5 to 5 ms"),
        ("image,image_width,image_height\na,600.5,500\n", r"row 2: expected image_width .* found \(600.5, 500.0\)"),
        ("image,image_width,image_height\na,600,\n", "row 2: expected image_width and image_height in whole pixels"),
        ("image,start_ms\n,7\n", "row 2: expected an image or a trial"),
    ],
)
def test_rows_that_are_wrong(tmp_path, text, message):
    path = tmp_path / "trials.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_trial_table(path)


def test_one_image_for_all_trials_unless_they_name_several(write):
    recording = read_recording(write("pupil_player"), ReadingSettings())
    assert with_image(recording, "a").trials[0].image == "a"
    assert with_image(recording, None) is recording
    with pytest.raises(ValueError, match="--image a: expected a recording of one image, found 2"):
        with_image(read_recording(write("eyelink"), ReadingSettings()), "a")


def test_names_that_count_from_0_are_names_and_not_numbers(write, apply, examples):
    text = examples["eyelink"][1].replace("TRIALID 1", "TRIALID 0").replace("TRIALID 2", "TRIALID 1")
    recording = read_recording(write("eyelink", text), ReadingSettings())
    # Trial 2 is not in the recording, though it has two trials.
    fitted = apply("trial,image\n0,a\n1,b\n2,c\n")(recording)
    assert [(trial.label, trial.image) for trial in fitted.trials] == [("0", "a"), ("1", "b")]


def test_two_rows_for_the_same_time_of_a_trial_would_count_twice(write, apply):
    recording = read_recording(write("pupil_player"), ReadingSettings())
    for text in ("trial,image\n1,a\n1,b\n", "image,start_ms,end_ms\na,-100600,-99000\nb,-100400,-99000\n"):
        with pytest.raises(ValueError, match=r"trials.csv, row 3: expected one row .* \(.*row 2\)"):
            apply(text)(recording)


def test_a_place_is_refused_for_shares_of_the_image(write, apply, examples):
    text = examples["tobii"][1].replace("point X", "point X (MCSnorm)").replace("point Y", "point Y (MCSnorm)")
    recording = read_recording(write("tobii", text), ReadingSettings())
    with pytest.raises(ValueError, match="row 2: expected no place of the image"):
        apply("image,left,top,width,height\npolyp1.jpg,1,2,3,4\n")(recording)
