"""The table of trials: what fits, what it overrides, rows that are wrong."""

import re

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.recording import ReadingSettings
from datasets.recordings.trial_table import apply_trial_table, read_trial_table, trial_template, with_image


@pytest.fixture
def apply(tmp_path):
    def apply(text: str):
        path = tmp_path / "trials.csv"
        path.write_text(text)
        return lambda recording: apply_trial_table(recording, read_trial_table(path)[0])

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


def test_each_of_several_rows_of_a_trial_counts_what_is_of_its_time(write, convert, apply, rows):
    # The right eye was lost from 900 ms on; what lies between two rows is left out once.
    lines = [f"{start},{eye},50,50,100" for start in (0, 400, 800) for eye in "LR"]
    lines += ["1200,L,50,50,110", "1600,L,50,50,120"]
    path = write("plain", "\n".join(["start_ms,eye,x,y,duration_ms", *lines]) + "\n")
    edit = apply("image,start_ms,end_ms\na,0,300\nb,700,1500\nc,1510,2000\n")
    table, summary = convert(path, settings=ConversionSettings(screen_px=(100, 100)), edit=edit)
    assert [row[0::3] for row in rows(table)] == [("a", 100), ("b", 100), ("c", 120)]
    assert (summary.off_trial, summary.other_eyes) == (1, 4)


def test_more_time_than_a_trial_has_gaze_of_is_said(write, convert, apply, rows):
    # Fixations at 2050 to 2350 and 2380 to 2580 ms; the image appeared at 2100 ms.
    table, summary = convert(write("eyelink"), edit=apply("number,start_ms,end_ms\n1,2090,3000\n2,,\n"))
    assert rows(table)[0] == ("polyp1.jpg", 0.5, 0.5, 260, 0)
    assert [note.partition(", whose")[0] for note in summary.notes] == [
        "1 rows of the trial table reach beyond the time of their trial"
    ]


def test_times_in_other_units_and_columns_that_say_nothing(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("number,image,start_s,end [us],offset_ms,x\n1,a,1.5,2000000,7,8\n")
    rows, unused = read_trial_table(path)
    assert (rows[0].start_ms, rows[0].end_ms, unused) == (1500, 2000, ["offset_ms", "x"])


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


def filled(template: str, images: dict[int, str]) -> str:
    """The template with image names by number, as a spreadsheet saves it."""
    header, *rows = template.splitlines()
    cells = [row.split(",") for row in rows]
    return "\n".join([header, *(",".join([*c[:3], images.get(int(c[1]), ""), *c[4:]]) for c in cells)])


@pytest.mark.parametrize("name", ["eyelink", "gazepoint", "jspsych", "tobii"])
def test_a_template_as_it_was_written_changes_nothing(write, convert, apply, name):
    path, method = write(name), "idt" if name == "jspsych" else None
    settings = ConversionSettings(method=method, screen_px=(1280, 720), screen_cm=(30, 20), distance_cm=60)
    expected, _ = convert(path, settings=settings)
    recording = read_recording(path, ReadingSettings())
    again, summary = convert(path, settings=settings, edit=apply(trial_template([recording])))
    assert again.equals(expected)
    assert summary.left_out.get("fixations in trials that are not in the trial table", 0) == 0


def test_a_template_filled_in_part(write, convert, apply, rows, examples):
    # Labels that are not unique, of which the first has no image.
    text = re.sub("!V IMGLOAD.*", "x", examples["eyelink"][1]).replace("TRIALID 2", "TRIALID 1")
    path = write("eyelink", text.replace("2349\t300", "2349.5\t300.5"))
    template = trial_template([read_recording(path, ReadingSettings())])
    assert template.splitlines()[:2] == [
        "recording,number,trial,image,start_ms,end_ms,left,top,width,height",
        "a.asc,1,1,,2100,3000,,,,",
    ]
    table, summary = convert(path, edit=apply(filled(template, {2: "my polyp.jpg"})))
    assert [row[0] for row in rows(table)] == ["my polyp.jpg"] * 2
    assert summary.left_out["fixations in trials without an image"] == 4
    with pytest.raises(ValueError, match="row 2: expected the recording to name the image of a trial, found none in 2"):
        convert(path, edit=apply(template))


def test_a_template_for_recordings_of_one_name(write, tmp_path, apply, examples):
    paths = [tmp_path / who / "rec.asc" for who in ("s1", "s2")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(examples["eyelink"][1])
    recordings = [read_recording(path, ReadingSettings()) for path in paths]
    edit = apply(trial_template(recordings).replace("polyp1.jpg", "first.jpg", 1))
    images = [[trial.image for trial in edit(recording).trials] for recording in recordings]
    assert [names[0].rpartition("\\")[2] for names in images] == ["first.jpg", "polyp1.jpg"]
    # Fewer folders are enough; without any, a row is of both.
    assert [t.label for t in apply("recording,number\ns2/rec,1\n./rec.asc,2\n")(recordings[1]).trials] == ["1", "2"]
    for other in ("s2/rec", "rec.2", "rec2.edf"):
        with pytest.raises(ValueError, match="expected a row of the trial table for one of its trials"):
            apply(f"recording,number\n{other},1\n")(recordings[0])
    assert len(apply("recording,number\nrec.edf,1\n")(recordings[0]).trials) == 1


def test_recordings_that_are_links_go_by_their_own_names(write, tmp_path, apply):
    # As DataLad and git-annex keep large files.
    paths = [tmp_path / who / "rec.asc" for who in ("s1", "s2")]
    for path in paths:
        path.parent.mkdir()
        path.symlink_to(write("eyelink", name=f"MD5-{path.parent.name}.asc"))
    recordings = [read_recording(path, ReadingSettings()) for path in paths]
    for text in (trial_template(recordings), "recording,number\ns1/rec.asc,1\ns1/rec.asc,2\ns2/rec,1\ns2/rec,2\n"):
        assert [len(apply(text)(recording).trials) for recording in recordings] == [2, 2]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3,,,", "row 2: expected the number of one of 2 trials, found 3"),
        ("0,,,", "row 2: expected a trial's number of 1 or more, found 0"),
        ("1.5,,,", "row 2: expected a trial's number of 1 or more, found 1.5"),
        ("1,2,,", "row 2: expected trial 1 to be called '1', as the recording does, found '2'"),
        ("1,1,5000,5100.25", "row 2: expected a time in 2100 to 3000 ms, when trial 1 was, found 5000 to 5100.25 ms"),
        (",,,", "expected rows under the header"),
    ],
)
def test_numbers_that_fit_no_trial(write, apply, row, message):
    recording = read_recording(write("eyelink"), ReadingSettings())
    with pytest.raises(ValueError, match=message):
        apply(f"number,trial,start_ms,end_ms\n{row}\n")(recording)


def test_a_label_is_the_same_as_a_spreadsheet_writes_it(write, apply, examples):
    path = write("eyelink", examples["eyelink"][1].replace("TRIALID 1", "TRIALID 007"))
    assert apply("number,trial\n1,7.0\n")(read_recording(path, ReadingSettings())).trials[0].label == "007"


def test_an_image_is_found_with_its_accent_written_either_way(write, apply):
    path = write("plain", "image,start_ms,x,y,duration\ne\u0301.png,0,1,2,100\n")
    assert len(apply("image,trial\n\u00c9.PNG,\n")(read_recording(path, ReadingSettings())).trials) == 1


@pytest.mark.parametrize("labels", [("1", "2", "3"), ("1.0", "2.0", "3.0"), ("001", "002", "003")])
def test_a_label_without_a_number_is_found_as_a_spreadsheet_writes_it(tmp_path, apply, labels):
    lines = ["time,x,y,trial"]
    for number, name in enumerate(("003", "001", "002")):
        lines += [f"{10 * index},50,50,{name}" for index in range(20 * number, 20 * number + 20)]
    path = tmp_path / "gaze.csv"
    path.write_text("\n".join(lines) + "\n")
    recording = read_recording(path, ReadingSettings())
    text = "trial,image\n" + "".join(f"{label},{image}.png\n" for label, image in zip(labels, "abc", strict=True))
    assert {t.label: t.image for t in apply(text)(recording).trials} == {"003": "c.png", "001": "a.png", "002": "b.png"}
    with pytest.raises(ValueError, match="expected a row of the trial table for one of its trials"):
        apply("trial,image\n4,a.png\n")(recording)
