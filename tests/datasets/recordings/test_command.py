"""``run.py fixations`` as a user types it, and ``run.py prepare`` after it."""

import json
import re

import pandas as pd
import pytest
from PIL import Image

import run


def asc(images: list[str]) -> str:
    """A screen of 800x600; on each image 300 ms left above its middle, 40 ms elsewhere, 200 ms at its middle."""
    lines = ["** CONVERTED FROM a.edf", "MSG\t10 GAZE_COORDS 0.00 0.00 799.00 599.00"]
    for index, image in enumerate(images):
        at = 1000 * (index + 1)
        lines += [
            f"MSG\t{at} TRIALID {index + 1}",
            f"START\t{at + 10} \tRIGHT\tSAMPLES\tEVENTS",
            "EVENTS\tGAZE\tRIGHT\tRATE\t1000.00\tTRACKING\tCR\tFILTER\t2",
            f"MSG\t{at + 20} SYNCTIME",
            f"MSG\t{at + 20} !V IMGLOAD TOP_LEFT stimuli/{image} 200 100 400 400",
            f"EFIX R   {at + 30}\t{at + 329}\t300\t  300.0\t  200.0\t   1000",
            f"EFIX R   {at + 350}\t{at + 389}\t40\t  350.0\t  200.0\t   1000",
            f"EFIX R   {at + 400}\t{at + 599}\t200\t  400.0\t  300.0\t   1100",
            f"END\t{at + 700} \tSAMPLES\tEVENTS\tRES\t  30.00\t  30.00",
            f"MSG\t{at + 710} TRIAL_RESULT 0",
        ]
    return "\n".join(lines) + "\n"


def test_from_a_recording_to_crf_maps(tiny_root, tmp_path, capsys):
    recording, table = tmp_path / "rec.asc", tmp_path / "out" / "fix.csv"
    recording.write_text(asc(["polyp1.jpg", "polyp2.jpg", "polyp1.jpg"]))
    for path in (tiny_root / "gaze" / "crf_compat1").iterdir():
        path.unlink()
    assert run.main(["fixations", str(recording), "--to", str(table)]) == 0
    said = capsys.readouterr().out
    assert f"{recording}: eyelink, events, right eye: 6 fixations kept on 2 images in 3 trials" in said
    assert "left out: 3 shorter than the minimum, 0 outside the image" in said
    assert "1 images were seen in several trials (polyp1.jpg): all kept, the index runs on" in said
    rows = pd.read_csv(table)
    assert rows["IMAGE"].tolist() == ["polyp1.jpg"] * 4 + ["polyp2.jpg"] * 2
    assert rows["CURRENT_FIX_INDEX"].tolist() == [1, 2, 3, 4, 1, 2]
    assert rows["CURRENT_FIX_X"].tolist() == [0.25, 0.5] * 3
    assert rows["CURRENT_FIX_START"].tolist() == [10, 380] * 3
    prepare = ["prepare", "--data", "kvasir", "--root", str(tiny_root), "--fixations", str(table), "--workers", "1"]
    # The other images of the data set have no gaze.
    assert run.main(prepare) == 1
    assert json.loads((tiny_root / "gaze" / "report.json").read_text())["num_images"] == 2
    for name in ("polyp1", "polyp2"):
        with (
            Image.open(tiny_root / "gaze" / "crf_compat1" / f"{name}.jpg") as crf,
            Image.open(tiny_root / "images" / f"{name}.jpg") as image,
        ):
            assert crf.size == image.size


def test_the_same_recordings_give_the_same_bytes(write, tmp_path):
    paths = [str(write("eyelink")), str(write("tobii"))]
    for name in ("a.csv", "b.csv"):
        assert run.main(["fixations", *paths, "--to", str(tmp_path / name), "--min_duration_ms", "0"]) == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    # One recording knows the images' sizes, the other leaves them empty.
    assert pd.read_csv(tmp_path / "a.csv")["IMAGE_WIDTH"].isna().any()


def test_columns_geometry_and_place_by_options(tmp_path, capsys):
    path, table = tmp_path / "webgazer.csv", tmp_path / "fix.csv"
    lines = ["elapsed_ms,pred_x,pred_y,picture"]
    lines += [f"{index * 33},{400 if index < 15 else 600},300,img\\p.jpg" for index in range(30)]
    path.write_text("\n".join(lines) + "\n")
    line = f"fixations {path} --to {table} --columns t=elapsed_ms,x=pred_x,y=pred_y,image=picture --method idt"
    line += " --stimulus_rect 200,100,800,400 --screen_px 1280,720 --screen_cm 34,19 --distance_cm 55"
    assert run.main(line.split()) == 0
    rows = pd.read_csv(table)
    assert rows["IMAGE"].tolist() == ["p.jpg", "p.jpg"]
    assert rows["CURRENT_FIX_X"].tolist() == [0.25, 0.5]
    assert rows["CURRENT_FIX_DURATION"].tolist() == [495, 495]
    assert "plain, idt, both eyes: 2 fixations kept" in capsys.readouterr().out


def test_a_table_of_trials_by_option(write, tmp_path):
    trials, table = tmp_path / "trials.csv", tmp_path / "fix.csv"
    trials.write_text("image,start_ms,end_ms,left,top,width,height\na.jpg,-100500,-99000,0,0,1,1\n")
    assert run.main(["fixations", str(write("pupil_player")), "--to", str(table), "--trials", str(trials)]) == 0
    assert pd.read_csv(table)["CURRENT_FIX_START"].tolist() == [0, 600]


def test_trials_are_listed_and_their_table_filled_in(tmp_path, capsys):
    recording, template, table = (tmp_path / name for name in ("rec.asc", "trials.csv", "fix.csv"))
    text = re.sub("MSG.*IMGLOAD.*\n", "", asc(["", ""])).replace("TRIALID 2", "TRIALID my polyp.jpg")
    recording.write_text(re.sub(r"\b2(\d{3})\b", r"12345672\1", text.replace("1030", "1030.5")))
    assert run.main(["fixations", str(recording), "--list", "--trials_template", str(template)]) == 0
    said = capsys.readouterr().out
    assert [line.split("  ") for line in re.sub(" {3,}", "  ", said).splitlines()[1:4]] == [
        ["number", "trial", "start_ms", "end_ms", "image", "gaze", "at", "named by"],
        ["1", "1", "1020", "1700", "-", "3 fixations (right)", "line 3", "-"],
        ["2", "my polyp.jpg", "12345672020", "12345672700", "my polyp.jpg"]
        + ["3 fixations (right)", "line 12", "TRIALID my polyp.jpg"],
    ]
    assert "next: name the images by --image_message REGEX, --image NAME or the table of --trials_template CSV" in said
    assert f"{template}: 2 trials" in said
    rows = pd.read_csv(template, dtype=str)
    assert rows["start_ms"].tolist() == ["1020", "12345672020"]
    rows = rows.assign(onset_ms="7")
    rows.loc[0, "image"] = "a.jpg"
    pd.concat([rows, rows.tail(1).assign(recording="", number="", trial="8", start_ms="", end_ms="")]).to_csv(
        template, index=False
    )
    line = ["fixations", str(recording), "--trials", str(template), "--to", str(table)]
    assert run.main(line) == 0
    said = capsys.readouterr().out
    assert "4 fixations kept on 2 images in 2 trials" in said
    assert f"{template}: 1 rows fit no trial (first: {template}, row 4)" in said
    assert f"{template}: columns not used: onset_ms (fixations --help" in said
    starts = pd.read_csv(table).groupby("IMAGE")["CURRENT_FIX_START"].apply(list).to_dict()
    assert starts == {"a.jpg": [10.5, 380], "my polyp.jpg": [10, 380]}


def test_options_that_nothing_reads_are_said(write, tmp_path, capsys):
    line = ["--columns", "x=foo", "--valid", "1", "--onset_message", "SYNCTIME", "--dispersion_deg", "2"]
    assert run.main(["fixations", str(write("eyelink")), "--to", str(tmp_path / "fix.csv"), *line]) == 0
    said = capsys.readouterr().out
    assert "note: not used for eyelink: --columns, --valid" in said
    assert "note: not used for --method events: --dispersion_deg" in said
    assert run.main(["fixations", str(write("gazepoint")), "--list", "--onset_message", "SYNCTIME"]) == 0
    assert "note: not used for gazepoint: --onset_message" in capsys.readouterr().out


def fails(capsys, words: list) -> str:
    capsys.readouterr()
    assert run.main([str(word) for word in words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def test_mistakes_are_one_line_and_leave_the_old_table(write, tmp_path, capsys):
    table = tmp_path / "fix.csv"
    old = "IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\na.jpg,1,0.5,0.5,100.0\n"
    table.write_text(old)
    path = write("pupil_player")
    assert "--image NAME" in fails(capsys, ["fixations", path, "--to", table])
    assert "expected a file, found none" in fails(capsys, ["fixations", "no.asc", "--to", table])
    assert "expected a regular file, found a folder" in fails(capsys, ["fixations", table.parent, "--to", table])
    loop = table.with_name("loop.asc")
    loop.symlink_to(loop)
    assert "Too many levels of symbolic links" in fails(capsys, ["fixations", loop, "--to", table])
    assert "expected the column 'q'" in fails(capsys, ["fixations", write("plain"), "--to", table, "--columns", "t=q"])
    geometry = fails(capsys, ["fixations", write("plain"), "--to", table, "--screen_px", "100,100"])
    assert "give --screen_px W,H --screen_cm W,H --distance_cm D" in geometry
    assert "found it twice" in fails(capsys, ["fixations", path, path, "--to", table])
    assert table.read_text() == old
    assert "expected another file than the input" in fails(capsys, ["fixations", path, "--to", path])
    assert "expected another file than the input" in fails(capsys, ["fixations", path, "--trials_template", path])
    assert "expected --to CSV, --list or --trials_template CSV" in fails(capsys, ["fixations", path])
    assert path.read_text().startswith("id,")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--stimulus_rect", "1,2,3", "expected 4 numbers separated by commas, the last 2 above 0, found '1,2,3'"),
        ("--stimulus_rect", "1,2,0,4", "the last 2 above 0"),
        ("--screen_px", "0,5", "expected 2 numbers separated by commas above 0"),
        ("--screen_cm", "nan,5", "expected 2 numbers"),
        ("--columns", "t=a,t=b", "expected role=NAME,... with each role of t, end, duration, x, y"),
        ("--columns", "time=a", "expected role=NAME"),
        ("--image_message", "(", "expected a regular expression"),
        ("--velocity_deg_s", "0", "expected a number above 0"),
        ("--format", "edf", "invalid choice"),
    ],
)
def test_options_that_make_no_sense(capsys, option, value, message):
    with pytest.raises(SystemExit) as caught:
        run.main(["fixations", "a.asc", "--to", "b.csv", option, value])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
