"""EyeLink .asc: events, samples, trials, images, and lines that are not as described."""

import re

import numpy as np
import pytest

from datasets.recordings import eyelink
from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.recording import ReadingSettings, Rect
from datasets.recordings.trial_table import with_image, with_rect


def test_the_trackers_fixations_cut_to_the_image_on_the_screen(write, convert, rows):
    table, summary = convert(write("eyelink"))
    # The first began 50 ms before the image appeared; the last lasted 100 ms longer than the image.
    assert rows(table) == [
        ("polyp1.jpg", 0.5, 0.5, 250, 0),
        ("polyp1.jpg", 0.25, 0.25, 200, 280),
        ("polyp 2.jpg", 0.25, 0.75, 100, 100),
        ("polyp 2.jpg", 0.5, 0.5, 100, 800),
    ]
    assert table["CURRENT_FIX_INDEX"].tolist() == [1, 2, 1, 2]
    assert table["CURRENT_FIX_PUPIL"].fillna(-1).tolist() == [900, 910, -1, 905]
    assert (summary.short, summary.outside, summary.blinks, summary.trials, summary.cut) == (1, 1, 1, 2, 2)
    assert (summary.method, summary.eye) == ("events", "left")


def test_screen_rate_and_resolution_are_read(write):
    recording = read_recording(write("eyelink"), ReadingSettings())
    assert recording.screen == Rect(0, 0, 1024, 768)
    assert (recording.sampling_rate_hz, recording.px_per_degree) == (1000, (35, 36))
    assert recording.notes == ()


BEFORE_THE_RECORDING = """\
MSG\t3976681 RETRACE_INTERVAL  16.65
MSG\t3977219 0 is_practice_block
INPUT\t120868\t127
MSG\t900 !CAL
>>>>>>> CALIBRATION (HV9,P-CR) FOR LEFT: <<<<<<<<<
MSG\t900 !CAL eye check box: (L,R,T,B)
\t  -59     5   -46   -17

MSG\t900 !CAL Cal coeff:(X=a+bx+cy+dxx+eyy,Y=f+gx+goaly+ixx+jyy)
   0.0002854  137.26  1.2339  0.40941  1.528
MSG\t944 !CAL VALIDATION HV9 L LEFT  GOOD ERROR 0.28 avg. 0.72 max  OFFSET 0.19 deg. 3.0,11.6 pix.
MSG\t944 VALIDATE L POINT 0  LEFT  at 960,540  OFFSET 0.17 deg.  -5.5,9.3 pix.
"""


def test_calibration_and_other_lines_change_nothing(write, convert, examples):
    text = examples["eyelink"][1]
    plain, _ = convert(write("eyelink"))
    noisy, _ = convert(write("eyelink", text.replace("MSG\t1500", BEFORE_THE_RECORDING + "MSG\t1500", 1)))
    assert noisy.equals(plain)


@pytest.mark.parametrize(
    ("coords", "size"),
    [
        ("0 0 1919 1079", (1920, 1080)),
        ("0.00 0.00 1920.00 1080.00", (1920, 1080)),
        ("= 0, 0, 1279, 1023", (1280, 1024)),
    ],
)
def test_screens_given_by_their_last_pixel_or_by_their_size(write, examples, coords, size):
    text = examples["eyelink"][1].replace("DISPLAY_COORDS 0 0 1023 767", f"GAZE_COORDS {coords}")
    screen = read_recording(write("eyelink", text), ReadingSettings()).screen
    assert (screen.width, screen.height) == size


def test_another_screen_by_option_is_said(write, convert):
    table, summary = convert(write("eyelink"), settings=ConversionSettings(screen_px=(2048, 1536)))
    # The first image fills the screen; the second has a place of its own.
    assert table["CURRENT_FIX_X"].tolist() == [0.25, 0.125, 0.25, 0.5]
    assert summary.notes == ["--screen_px is used, though the recording says 1024,768"]


def both_eyes(text: str) -> str:
    """The left eye's fixations, and shorter ones of the right eye elsewhere."""
    lines = []
    for line in text.replace("\tLEFT\t", "\tLEFT\tRIGHT\t").splitlines():
        lines.append(line)
        if found := re.match(r"EFIX L   (\d+)\t(\d+)\t(\d+)", line):
            start, end, duration = map(int, found.groups())
            lines.append(f"EFIX R   {start}\t{end - 10}\t{duration - 10}\t  600.0\t  400.0\t    800")
    return "\n".join(line for line in lines if not line[:1].isdigit())


def test_binocular_events_count_once(write, convert, examples):
    path = write("eyelink", both_eyes(examples["eyelink"][1]))
    right, summary = convert(path)
    assert summary.eye == "right"
    assert right["CURRENT_FIX_PUPIL"].unique().tolist() == [800]
    left, summary = convert(path, settings=ConversionSettings(eye="left"))
    assert summary.eye == "left"
    assert len(left) == 4
    with pytest.raises(ValueError, match="--eye both: expected --method ivt or idt"):
        convert(path, settings=ConversionSettings(eye="both"))


def test_an_eye_that_was_changed_between_trials_is_followed_and_said(write, convert, examples):
    first, second = examples["eyelink"][1].split("MSG\t4500")
    second = second.replace("LEFT", "RIGHT").replace("EFIX L", "EFIX R")
    path = write("eyelink", first + "MSG\t4500" + second)
    table, summary = convert(path)
    assert len(table) == 4
    assert summary.notes == ["in 1 trials the right eye was not recorded and the other one taken"]
    assert len(convert(path, settings=ConversionSettings(eye="left"))[0]) == 2


def test_an_eye_that_was_not_recorded(write, convert):
    with pytest.raises(ValueError, match="expected fixations of the right eye, found those of left; leave --eye out"):
        convert(write("eyelink"), settings=ConversionSettings(eye="right"))


SAMPLES = [
    "MSG\t90 DISPLAY_COORDS 0 0 1023 767",
    "MSG\t95 TRIALID polyp1.jpg",
    "START\t100 \tLEFT\tRIGHT\tSAMPLES\tEVENTS",
]


def binocular_samples() -> str:
    """100 ms at (512,384), both eyes 10 px apart; 80 ms blink; 100 ms with the right eye alone."""
    lines = [*SAMPLES, "SAMPLES\tGAZE\tLEFT\tRIGHT\tRATE\t1000.00\tTRACKING\tCR\tFILTER\t2"]
    for time in range(100, 380):
        left = "507.0\t384.0\t900.0" if time < 200 else ".\t.\t0.0"
        right = ".\t.\t0.0" if 200 <= time < 280 else "517.0\t384.0\t900.0"
        lines.append(f"{time}\t{left}\t{right}\t.....")
    return "\n".join([*lines, "END\t380 \tSAMPLES\tEVENTS\tRES\t30.0\t30.0"])


def test_samples_give_fixations_where_the_tracker_marked_none(write, convert, rows):
    path = write("eyelink", binocular_samples())
    table, summary = convert(path)
    assert (summary.method, summary.eye, summary.samples, summary.missing_samples) == ("ivt", "right", 280, 80)
    assert rows(table) == [
        ("polyp1.jpg", 517 / 1024, 0.5, 100, 0),
        ("polyp1.jpg", 517 / 1024, 0.5, 100, 180),
    ]
    table, _ = convert(path, settings=ConversionSettings(eye="both"))
    assert table["CURRENT_FIX_X"].tolist() == [0.5, 517 / 1024]


def test_two_lines_a_millisecond_at_2000_hz(write):
    lines = [*SAMPLES[:2], "START\t100 \tLEFT\tSAMPLES\tEVENTS", "SAMPLES\tGAZE\tLEFT\tRATE\t2000.00\tTRACKING\tCR"]
    lines += ["100\t1.0\t2.0\t3.0\t...", "100\t1.0\t2.0\t3.0\t...", "101\t1.0\t2.0\t3.0\t..."]
    samples = read_recording(write("eyelink", "\n".join(lines)), ReadingSettings()).trials[0].samples
    assert samples["start_ms"].tolist() == [100, 100.5, 101]


def trial(*messages: str, head: str = "TRIALID 7") -> str:
    """A trial of 1 s with one fixation from 200 to 299 ms after START, at 1000 ms."""
    lines = ["MSG\t1 GAZE_COORDS 0 0 99 99", f"MSG\t900 {head}", "START\t1000 \tLEFT\tEVENTS", *messages]
    return "\n".join(
        [*lines, "EFIX L 1200 1299 100 50.0 50.0 9", "END\t2000 \tEVENTS\tRES 30 30", "MSG\t2001 TRIAL_RESULT 0"]
    )


@pytest.mark.parametrize(
    ("text", "reading", "image", "start"),
    [
        (trial(head="TRIALID 3 folder/a.png"), {}, "a.png", 200),
        (trial("MSG\t2000 !V TRIAL_VAR image b.jpg"), {}, "b.jpg", 200),
        (trial("MSG\t1010 -30 SYNCTIME_SCREEN_1", "MSG\t2000 !V TRIAL_VAR img_file_name b.jpg"), {}, "b.jpg", 160),
        (trial("MSG\t2000 !V TRIAL_VAR slide b.jpg"), {"image_message": "TRIAL_VAR slide (.+)"}, "b.jpg", 200),
        (trial("MSG\t1100 !V IMGLOAD FILL c.jpg", "MSG\t2000 !V TRIAL_VAR image b.jpg"), {}, "b.jpg", 200),
        (trial("MSG\t1999 !V IMGLOAD FILL ..\\shots\\c.jpg"), {}, "c.jpg", 200),
        (trial("MSG\t1050 shows d"), {"image_message": r"shows (\w+)"}, "d", 200),
        (trial("MSG\t1050 e.jpg"), {"image_message": r"\w+\.jpg", "onset_message": r"^e\.jpg"}, "e.jpg", 150),
        (trial("MSG\t1150 -40 STIM_ONSET", head="TRIALID f.bmp"), {}, "f.bmp", 10),
        (trial("MSG\t1000 start", "MSG\t1180 go", head="TRIALID g.dcm"), {"onset_message": "GO"}, "g.dcm", 20),
        (trial("MSG\t1150 image online at 1151", head="TRIALID f.bmp"), {}, "f.bmp", 50),
        (trial("MSG\t1250 gone", head="TRIALID h.jpg"), {"offset_message": "gone"}, "h.jpg", 200),
    ],
)
def test_images_and_onsets_by_message(write, convert, rows, text, reading, image, start):
    table, _ = convert(write("eyelink", text), ReadingSettings(**reading))
    duration = 50 if "offset_message" in reading else 100
    assert rows(table) == [(image, 0.5, 0.5, duration, start)]


@pytest.mark.parametrize(
    "loads",
    [
        ["..\\images\\B.JPG 25 0 50 100"],
        ["images/b.png 25 0 50 100"],
        ["cue.png 0 0 10 10", "runtime/images/b.jpg 25 0 50 100"],
        ["renamed.png 25 0 50 100"],
    ],
    ids=["windows_folder", "other_ending", "one_of_two", "the_only_one"],
)
def test_image_of_a_variable_is_where_its_load_put_it(write, convert, rows, loads):
    messages = [f"MSG\t950 !V IMGLOAD TOP_LEFT {load}" for load in loads]
    # The fixation at x = 50 of 100 lies in the middle of the image, which reaches from 25 to 75; so does y.
    text = trial(*messages, "MSG\t2000 !V TRIAL_VAR image b.jpg")
    assert rows(convert(write("eyelink", text))[0]) == [("b.jpg", 0.5, 0.5, 100, 200)]
    moved = trial(*messages, "MSG\t2000 !V TRIAL_VAR image b.jpg").replace("299 100 50.0", "299 100 30.0")
    assert rows(convert(write("eyelink", moved))[0]) == [("b.jpg", 0.1, 0.5, 100, 200)]


def test_image_of_a_variable_that_none_of_several_loads_names_needs_a_rectangle(write, convert, rows):
    loads = [f"MSG\t950 !V IMGLOAD TOP_LEFT {name}.png 25 0 50 100" for name in ("one", "two")]
    path = write("eyelink", trial(*loads, "MSG\t2000 !V TRIAL_VAR image b.jpg"))
    with pytest.raises(ValueError, match="expected where on the screen the image was, found its place alone; give"):
        convert(path)
    table, _ = convert(path, edit=lambda recording: with_rect(recording, Rect(0, 0, 100, 100)))
    assert rows(table) == [("b.jpg", 0.5, 0.5, 100, 200)]


def test_several_images_in_one_recording_block(write, convert, rows):
    text = trial(
        "MSG\t1000 !V IMGLOAD FILL a.jpg", "EFIX L 1000 1099 100 10.0 20.0 9", "MSG\t1150 !V IMGLOAD FILL b.jpg"
    )
    table, _ = convert(write("eyelink", text))
    assert rows(table) == [("a.jpg", 0.1, 0.2, 100, 0), ("b.jpg", 0.5, 0.5, 100, 50)]


def test_without_trialid_a_recording_block_is_a_trial(write, convert, rows):
    text = trial(head="image i.jpg").replace("MSG\t2001 TRIAL_RESULT 0", "")
    table, _ = convert(write("eyelink", text), ReadingSettings(image_message=r"image (\S+)"))
    assert rows(table) == [("i.jpg", 0.5, 0.5, 100, 200)]


def test_trials_in_one_long_recording_block(write, convert, rows):
    lines = [
        "MSG\t1 GAZE_COORDS 0 0 99 99",
        "START\t10 \tLEFT\tEVENTS",
        "MSG\t100 TRIALID a.jpg",
        "MSG\t500 TRIALID b.jpg",
    ]
    text = "\n".join([*lines, "EFIX L 400 599 200 50.0 50.0 9", "END\t900 \tEVENTS\tRES 30 30"])
    table, _ = convert(write("eyelink", text))
    assert rows(table) == [("a.jpg", 0.5, 0.5, 100, 300), ("b.jpg", 0.5, 0.5, 100, 0)]


def test_a_trial_without_image_is_left_out_and_said(write, convert, examples):
    text = examples["eyelink"][1].replace("MSG\t2111 !V IMGLOAD FILL images\\polyp1.jpg\n", "")
    table, summary = convert(write("eyelink", text))
    assert table["IMAGE"].unique().tolist() == ["polyp 2.jpg"]
    assert summary.notes == ["1 trials name no image (first: 1) and were left out"]


def test_an_image_without_a_size_needs_a_rectangle(write, convert, examples):
    text = examples["eyelink"][1].replace("512 384 400 200", "512 384")
    with pytest.raises(ValueError, match=r"expected where on the screen the image was, found its place alone.*--stim"):
        convert(write("eyelink", text))


def test_an_interrupted_recording_is_read_and_said(write, convert, examples):
    text = examples["eyelink"][1].split("END\t6000")[0]
    table, summary = convert(write("eyelink", text))
    assert len(table) == 4
    assert summary.notes == ["1 recording blocks have no END: the recording was interrupted"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2579\t200\t  256.0\t  192.0\t    910", "2579\t200", "line 19: expected EFIX, eye, start, end"),
        ("EFIX L   2380\t2579", "EFIX L   2380\t2300", "line 19: expected a fixation that starts at 0 or later"),
        (
            "  256.0\t  192.0\t    910\nEFIX L   2600",
            "  2x6.0\t 1 1\nEFIX L   2600",
            "line 19: expected a number in place of",
        ),
        (
            "EFIX L   2050",
            "EFIX L   1050",
            "line 16: expected a fixation that lasts from its start to its end, 1299 ms",
        ),
        ("EFIX L   2050", "EFIX L   -250", "line 16: expected a fixation that starts at 0 or later"),
        ("\n2050\t", "\n-2050\t", "line 15: expected a time of at least 0"),
        ("EBLINK L 2820\t2900\t81", "EBLINK L", "line 23: expected EBLINK"),
        ("START\t4800 \tLEFT", "START\t4800 \t", "line 27: expected START, a time and LEFT or RIGHT"),
        ("START\t4800", "START\t1800", "recording block 2: expected times that do not decrease"),
        ("MSG\t4500 TRIALID 2", "MSG\t500 TRIALID 2", "line 26: expected a trial after 1500 ms, found 500 ms"),
        ("EVENTS\tGAZE", "EVENTS\tHREF", "line 10: expected gaze positions"),
        ("START\t2000 \tLEFT\tSAMPLES\tEVENTS\n", "", "line 14: expected a line START before the first sample"),
    ],
)
def test_lines_that_are_not_as_described(write, examples, old, new, message):
    text = examples["eyelink"][1]
    assert old in text
    path = write("eyelink", text.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        read_recording(path, ReadingSettings())
    assert str(path) in str(caught.value)


def test_samples_cut_short_or_out_of_order_name_their_line(write):
    text = binocular_samples()
    with pytest.raises(ValueError, match="line 10: expected a time and 3 values an eye"):
        read_recording(
            write("eyelink", text.replace("105\t507.0\t384.0\t900.0\t517.0\t384.0\t900.0\t.....", "105\t507.0")),
            ReadingSettings(),
        )
    with pytest.raises(ValueError, match="line 11: expected times that do not decrease, found 98 ms after 105 ms"):
        read_recording(write("eyelink", text.replace("\n106\t", "\n98\t")), ReadingSettings())
    with pytest.raises(ValueError, match="line 11: expected numbers, or '.'"):
        read_recording(write("eyelink", text.replace("\n106\t507.0", "\n106\t5x7")), ReadingSettings())


def test_a_file_of_messages_alone(write):
    with pytest.raises(ValueError, match="expected a recording block"):
        read_recording(write("eyelink", "MSG\t1 hello\n"), ReadingSettings())


def test_missing_positions_are_no_fixation(write, convert, examples):
    text = examples["eyelink"][1].replace("200\t  256.0\t  192.0", "200\t  .\t  .")
    table, summary = convert(write("eyelink", text))
    assert len(table) == 3
    assert summary.outside == 2
    assert np.isfinite(table["CURRENT_FIX_X"]).all()


def test_image_named_by_a_message_is_where_its_load_put_it(write, convert, rows):
    text = trial("MSG\t1001 !V IMGLOAD CENTER b.jpg 50 50 50 100", "MSG\t1001 picture b.jpg")
    reading = ReadingSettings(image_message=r"^picture (\S+)")
    assert rows(convert(write("eyelink", text.replace("299 100 50.0", "299 100 30.0")), reading)[0]) == [
        ("b.jpg", 0.1, 0.5, 100, 200)
    ]


def test_what_was_shown_before_and_after_the_image_of_a_variable_is_not_counted(write, convert, rows):
    # A cross, the image with a label beside it, and a question, in one recording block.
    text = trial(
        "MSG\t1001 SYNCTIME",
        "MSG\t1001 !V IMGLOAD CENTER cross.png 50 50 10 10",
        "EFIX L 1010 1099 90 50.0 50.0 9",
        "MSG\t1150 !V IMGLOAD FILL images/b.jpg",
        "MSG\t1151 !V IMGLOAD TOP_LEFT label.png 0 0 10 10",
        "EFIX L 1400 1599 200 20.0 50.0 9",
        "MSG\t1500 !V IMGLOAD FILL question.png",
        "EFIX L 1700 1899 200 90.0 50.0 9",
        "MSG\t2000 !V TRIAL_VAR image b.jpg",
    )
    table, summary = convert(write("eyelink", text))
    assert rows(table) == [("b.jpg", 0.5, 0.5, 100, 50), ("b.jpg", 0.2, 0.5, 100, 250)]
    named, _ = convert(write("eyelink", text), ReadingSettings(onset_message="^SYNCTIME"))
    assert named["CURRENT_FIX_START"].tolist() == [9, 199, 399]


def test_a_guess_at_the_place_and_a_contradiction_are_said(write, convert):
    loaded, alone = (
        "MSG\t1001 !V IMGLOAD TOP_LEFT b.jpg 25 0 50 100",
        "MSG\t2000 !V TRIAL_VAR image b.jpg\nMSG\t1000 SYNCTIME",
    )
    _, summary = convert(write("eyelink", trial(alone)))
    assert summary.notes == [
        "1 trials do not say where the image was: taken to fill the screen or surface; if it did not, give "
        "--stimulus_rect or --trials"
    ]
    place = Rect(0, 0, 50, 100)
    _, summary = convert(write("eyelink", trial(loaded, alone)), edit=lambda recording: with_rect(recording, place))
    assert summary.notes == ["--stimulus_rect is used, though 1 trials say that the image was elsewhere"]
    _, summary = convert(write("eyelink", trial(loaded, alone)))
    assert summary.notes == []


def test_a_guess_at_the_onset_is_said(write):
    path = write("eyelink", trial("MSG\t1100 DRAWN", head="TRIALID a.jpg"))
    assert read_recording(path, ReadingSettings()).notes == (
        "1 trials have no message that the image appeared: taken to be there from the start; if it was not, give "
        "--onset_message",
    )
    assert read_recording(path, ReadingSettings(onset_message="DRAWN")).notes == ()


def test_a_guess_at_the_offset_is_said(write):
    shown = [f"MSG\t{time} shows {name}.jpg\nMSG\t{time + 50} CROSS" for time, name in ((1100, "a"), (1500, "b"))]
    path = write("eyelink", trial("MSG\t1000 SYNCTIME", *shown, head=""))
    assert read_recording(path, ReadingSettings(image_message="shows (.+)")).notes == (
        "1 trials have no message that the image vanished: taken to be there until the next; if it was not, give "
        "--offset_message",
    )
    recording = read_recording(path, ReadingSettings(image_message="shows (.+)", offset_message="CROSS"))
    assert ([one.end_ms for one in recording.trials], recording.notes) == ([1150, 1550], ())
    # The next trial alone ends the first of these; its result the second, which it is said with.
    lines = ["MSG\t2100 SYNCTIME", "MSG\t2200 TRIALID b.jpg", "MSG\t2210 SYNCTIME", "MSG\t2300 TRIAL_RESULT 0"]
    text = trial("MSG\t1000 SYNCTIME", head="TRIALID a.jpg").split("END")[0] + "\n".join([*lines, "END\t2400"])
    recording = read_recording(write("eyelink", text), ReadingSettings())
    assert [(one.end_ms, one.offset_known) for one in recording.trials] == [(2200, False), (2300, True)]


@pytest.mark.parametrize(
    ("head", "image"),
    [
        ("TRIALID my polyp 12.jpg", "my polyp 12.jpg"),
        ("TRIALID 'my polyp 12.jpg'", "my polyp 12.jpg"),
        ('TRIALID 3 "my polyp 12.jpg" easy', "my polyp 12.jpg"),
        (r"TRIALID C:\my images\my polyp 12.jpg", "my polyp 12.jpg"),
        ("TRIALID 3 images/my polyp 12.jpg", "my polyp 12.jpg"),
        ("TRIALID images/3 polyp.jpg", "3 polyp.jpg"),
        ("TRIALID: my polyp 12.jpg easy", "my polyp 12.jpg"),
        ("TRIALID 2023-01-02 a.b.c.TIFF", "2023-01-02 a.b.c.TIFF"),
        ("TRIALID 7\nMSG\t950 !V TRIAL_VAR image my polyp 12.jpg", "my polyp 12.jpg"),
        ('TRIALID 7\nMSG\t950 !V TRIAL_VAR image "my polyp 12.jpg"', "my polyp 12.jpg"),
        ("TRIALID 7\nMSG\t950 !V IMGLOAD FILL my polyp 12.jpg", "my polyp 12.jpg"),
        ("TRIALID 7\nMSG\t950 !V IMGLOAD FILL my polyp 12", "my polyp 12"),
        ("TRIALID 7\nMSG\t950 !V IMGLOAD CENTER my polyp.jpg 50 50 100 100", "my polyp.jpg"),
        ("TRIALID 7\nMSG\t950 !V IMGLOAD FILL my polyp.jpg 0,0", "my polyp.jpg"),
        ('TRIALID 7\nMSG\t950 !V IMGLOAD CENTER "my polyp.jpg" 50 50 100 100', "my polyp.jpg"),
        ("TRIALID 7\nMSG\t950 !V TRIAL_VAR image 1.2.840.10008.5.1", "1.2.840.10008.5.1"),
        ("TRIALID 7\nMSG\t950 !V TRIAL_VAR stimulus polyp\nMSG\t951 !V TRIAL_VAR image a.jpg", "a.jpg"),
        ("TRIALID 7 a.jpg\nMSG\t950 !V TRIAL_VAR image UNDEFINED_NULL\nMSG\t951 !V TRIAL_VAR image b.jpg", "b.jpg"),
    ],
)
def test_names_with_blanks_and_dots_are_whole(write, convert, rows, head, image):
    assert rows(convert(write("eyelink", trial(head=head)))[0]) == [(image, 0.5, 0.5, 100, 200)]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("TRIALID 3 my polyp.jpg", "found a number before it that may be part of it or not: TRIALID '3 my polyp.jpg'"),
        ("TRIALID trial 3 my polyp.jpg", "found a number before it"),
        ("TRIALID trial=3;image=a.jpg", "found more than that"),
        ("TRIALID a.jpg b.jpg", "found several"),
        (
            "TRIALID 7\nMSG\t950 !V TRIAL_VAR img a.jpg\nMSG\t950 !V TRIAL_VAR pic b.jpg",
            "expected one image of the trial",
        ),
        ("TRIALID 7\nMSG\t950 !V IMGLOAD FILL a.jpg\nMSG\t951 !V IMGLOAD FILL b.jpg", "expected one image at a time"),
    ],
)
def test_a_name_that_is_not_certain_is_asked_for(write, convert, head, message):
    path = write("eyelink", trial(head=head))
    with pytest.raises(ValueError, match=f"line 2: .*{message}.*--image_message REGEX"):
        convert(path)
    # The list still shows the trial, and the user may say which image it is.
    assert read_recording(path, ReadingSettings()).trials[0].image is None
    table, _ = convert(path, ReadingSettings(image_message=r"(\w+)\.jpg"))
    assert len(table) >= 1


def test_a_number_that_counts_the_trials_is_no_part_of_the_name(write):
    def images(*heads: str) -> list[str | None]:
        lines = ["START\t10 \tLEFT\tEVENTS", *(f"MSG\t{100 + i} TRIALID {head}" for i, head in enumerate(heads))]
        text = "\n".join([*lines, "EFIX L 200 299 100 50.0 50.0 9", "END\t900 \tEVENTS"])
        return [t.image for t in read_recording(write("eyelink", text), ReadingSettings()).trials]

    assert images("1 my a.jpg", "2 b.jpg", "3 my a.jpg") == ["my a.jpg", "b.jpg", "my a.jpg"]
    assert images("trial 0: a.jpg", "trial 1: b.jpg") == ["a.jpg", "b.jpg"]
    # Files that are numbered themselves, or in another order.
    assert images("1 polyp.jpg", "2 polyp.jpg") == [None, None]
    assert images("4 a.jpg", "2 b.jpg") == [None, None]


def test_rectangles_of_images_whose_names_differ_behind_a_dot(write, convert, rows):
    loads = [f"MSG\t950 !V IMGLOAD TOP_LEFT 1.2.840.{n} {x} 0 50 100" for n, x in ((1, 25), (2, 50))]
    text = trial(*loads, "MSG\t2000 !V TRIAL_VAR image 1.2.840.2")
    assert rows(convert(write("eyelink", text))[0]) == [("1.2.840.2", 0, 0.5, 100, 200)]


def test_fixations_cut_by_the_files_end_or_outside_all_trials_are_counted(write, convert):
    text = (
        "EFIX L 10 800 791 50.0 50.0 9\n" + trial("SFIX L 1100", "SFIX L 1200", head="TRIALID a.jpg") + "\nSFIX L 1900"
    )
    _, summary = convert(write("eyelink", text))
    assert summary.left_out == {
        "fixations outside the time of every trial": 1,
        "fixations with a beginning (SFIX) and no end": 2,
    }


def test_a_fixation_that_overlaps_the_one_before_it_is_cut_and_one_within_it_refused(write, convert, rows):
    late = "EFIX L 1200 1399 200 50.0 50.0 9"
    table, summary = convert(write("eyelink", trial(late, head="TRIALID a.jpg")))
    assert [row[3:] for row in rows(table)] == [(100, 200), (100, 300)]
    assert "1 fixations overlapped the one before them: cut to its end" in summary.notes
    with pytest.raises(ValueError, match="expected each fixation once, found one of the left eye at 1200 ms"):
        convert(write("eyelink", trial("EFIX L 1200 1299 100 50.0 50.0 9", head="TRIALID a.jpg")))


def test_samples_alone(write, convert, rows):
    lines = [f"{time}\t  50.0\t  25.0\t 900.0\t  70.0\t  25.0\t 900.0\t....." for time in range(7264579, 7264779, 2)]
    path = write("eyelink", "\n".join(lines))
    trial = read_recording(path, ReadingSettings()).trials[0]
    assert (trial.image, trial.start_ms, trial.samples["eye"].value_counts().to_dict()) == (
        None,
        7264579,
        {"left": 100, "right": 100},
    )
    settings = ConversionSettings(screen_px=(100, 100), screen_cm=(30, 30), distance_cm=60, eye="both-averaged")
    table, summary = convert(path, settings=settings, edit=lambda recording: with_image(recording, "a"))
    assert rows(table) == [("a", 0.6, 0.25, 200, 0)]
    assert summary.notes[0].startswith("samples alone (edf2asc -s)")
    one = "\n".join(line[: line.index("  70.0")] + "..." for line in lines)
    samples = read_recording(write("eyelink", one), ReadingSettings()).trials[0].samples
    assert samples["eye"].unique().tolist() == ["both"]


def test_decimal_commas_and_times_in_halves(write):
    text = trial(head="TRIALID a.jpg").replace("1200 1299 100 50.0", "1200,5 1299,5 100 50,25")
    fixation = read_recording(write("eyelink", text), ReadingSettings()).trials[0].fixations.iloc[0]
    assert (fixation["start_ms"], fixation["x"]) == (1200.5, 50.25)


def test_old_line_ends_and_other_encodings(write, convert):
    text = trial("MSG\t1500 größe", head="TRIALID a.jpg")
    expected, summary = convert(write("eyelink", text))
    for name, changed, encoding in (("cr", "\r", "cp1252"), ("crlf", "\r\n", "latin-1"), ("lf", "\n", "utf-16")):
        path = write("eyelink", text.replace("\n", changed), name=f"{name}.asc", encoding=encoding)
        assert convert(path)[0].equals(expected)
        assert convert(path)[1].notes == summary.notes


def test_screens_of_two_sizes_ask_for_the_place(write, convert):
    text = trial("MSG\t1001 !V IMGLOAD FILL a.jpg").replace("MSG\t900", "MSG\t800 GAZE_COORDS 0 0 199 99\nMSG\t900")
    with pytest.raises(ValueError, match=r"image was, found screens of several sizes \(100 x 100 and 200 x 100\)"):
        convert(write("eyelink", text))
    table, _ = convert(write("eyelink", text), edit=lambda recording: with_rect(recording, Rect(0, 0, 200, 100)))
    assert table["CURRENT_FIX_X"].tolist() == [0.25]


def test_blocks_in_one_trial_and_a_trial_without_any(write, convert, rows):
    text = trial(head="TRIALID a.jpg").replace(
        "MSG\t2001 TRIAL_RESULT 0",
        "START\t3000 \tLEFT\tEVENTS\nEFIX L 3100 3199 100 25.0 50.0 9\nEND\t3300 \tEVENTS\nMSG\t3301 TRIAL_RESULT 0\n"
        "MSG\t4000 TRIALID b.jpg\nMSG\t4500 TRIAL_RESULT 1",
    )
    table, summary = convert(write("eyelink", text))
    assert rows(table) == [("a.jpg", 0.5, 0.5, 100, 200), ("a.jpg", 0.25, 0.5, 100, 2100)]
    assert (summary.trials, summary.empty_trials) == (2, 1)


# Fixations of each eye in each trial, as `grep -c` and the lines between TRIALID and TRIAL_RESULT have them.
REAL = {
    "FDBeye_1950006-RAN": (([60], [43], [45], [48], [47], [51]), 12),
    "eyelinker_bino250": (([2, 2], [3, 3], [2, 2], [2, 2]), 0),
    "eyelinker_bino500": (([3, 2], [3, 3], [2, 2], [2, 2]), 0),
    "eyelinker_mono1000": (([3], [2], [3], [2]), 0),
    "eyelinker_mono250": (([2], [2], [2], [3]), 0),
    "eyelinker_mono500": (([4], [4], [2], [2]), 0),
    "eyelinker_monoRemote250": (([1], [1], [1], [1]), 0),
    "pymovements_eyelink_binocular_example": (([1, 1],), 2),
    "pymovements_eyelink_monocular_no_dummy_example": (([2],), 0),
    "pypillometry_002_rlmw_events_short": (([129, 129],), 0),
}


@pytest.mark.parametrize("name", REAL)
def test_real_recordings_have_all_their_fixations(real_recordings, name):
    trials, none = REAL[name]
    recording = read_recording(real_recordings / "eyelink" / f"{name}.asc", ReadingSettings())
    counts = [trial.fixations["eye"].value_counts().sort_index().tolist() for trial in recording.trials]
    assert (counts, recording.left_out.get("fixations outside the time of every trial", 0)) == (list(trials), none)
    total = len(re.findall(r"^EFIX", (real_recordings / "eyelink" / f"{name}.asc").read_text(errors="replace"), re.M))
    assert sum(map(sum, counts)) + none == total


def test_real_samples_alone_and_a_recording_whose_trials_run_backwards(real_recordings):
    samples = (
        read_recording(real_recordings / "eyelink" / "pypillometry_002_rlmw_samples_short.asc", ReadingSettings())
        .trials[0]
        .samples
    )
    assert samples["eye"].value_counts().to_dict() == {"left": 20465, "right": 20465}
    for name in ("monocular", "monocular_2khz"):
        with pytest.raises(ValueError, match="line 137: expected a trial after 2339225 ms, found 2154560 ms"):
            read_recording(real_recordings / "eyelink" / f"pymovements_eyelink_{name}_example.asc", ReadingSettings())


@pytest.mark.parametrize("option", ["image_message", "onset_message", "offset_message"])
def test_a_pattern_that_never_ends_is_named(write, monkeypatch, examples, option):
    monkeypatch.setattr(eyelink, "TRIAL_SECONDS", 0.2)
    path = write("eyelink", re.sub(r"(MSG\t\d+) ", rf"\1 {'a' * 50}! ", examples["eyelink"][1]))
    with pytest.raises(ValueError, match=r"\.asc: expected its messages to be searched within 0\.2 s"):
        read_recording(path, ReadingSettings(**{option: "(a+)+$"}))


def lines(*texts: str) -> str:
    return "\n".join(["MSG 1 GAZE_COORDS 0 0 99 99", *texts]) + "\n"


def fixation(start: int, x: float = 50, y: float = 50) -> str:
    return f"EFIX L {start} {start + 99} 100 {x} {y} 9"


TRIAL, BLOCK, RESULT = "MSG 900 TRIALID 7", "START 1000 LEFT EVENTS", "MSG 2001 TRIAL_RESULT 0"
A_SHOWN = (TRIAL, BLOCK, "MSG 1100 !V IMGLOAD FILL a.jpg", fixation(1200))
# Images that are named once the block has ended.
A_NAMED = (BLOCK, fixation(1200), "END 2000 EVENTS", "MSG 2001 !V TRIAL_VAR image a.jpg", "MSG 2002 TRIAL_RESULT 0")
B_NAMED = ("START 3000 LEFT EVENTS", fixation(3200, 20, 20), "END 4000 EVENTS", "MSG 4001 !V TRIAL_VAR image b.jpg")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(
            (
                TRIAL,
                BLOCK,
                "MSG 1100 image_onset",
                "MSG 1101 !V IMGLOAD FILL a.jpg",
                fixation(1200),
                "MSG 1500 image_onset",
                "MSG 1501 !V IMGLOAD FILL b.jpg",
                fixation(1600),
                "END 2000 EVENTS",
                RESULT,
            ),
            [("a.jpg", 0.5, 0.5, 100, 100), ("b.jpg", 0.5, 0.5, 100, 100)],
            id="the onset is sent just before the name",
        ),
        pytest.param(
            (
                TRIAL,
                BLOCK,
                "MSG 1000 !V IMGLOAD FILL cross.png",
                "MSG 1200 STIM_ONSET",
                "MSG 1201 !V IMGLOAD FILL b.jpg",
                fixation(1300),
                "MSG 1500 STIM_ONSET question",
                "END 2000 EVENTS",
                "MSG 2000 !V TRIAL_VAR image b.jpg",
                RESULT,
            ),
            [("b.jpg", 0.5, 0.5, 100, 100)],
            id="so it is behind a cue",
        ),
        pytest.param(
            (
                *A_SHOWN,
                "END 1500 EVENTS",
                "START 1600 LEFT EVENTS",
                "MSG 1650 !V IMGLOAD FILL a.jpg",
                fixation(1700, 50, 20),
                "END 2000 EVENTS",
                RESULT,
            ),
            [("a.jpg", 0.5, 0.5, 100, 200), ("a.jpg", 0.5, 0.2, 100, 700)],
            id="an image that is drawn again is the same",
        ),
        pytest.param(
            (
                *A_SHOWN,
                "MSG 1400 blank_screen",
                fixation(1450),
                "MSG 1650 !V IMGLOAD FILL a.jpg",
                fixation(1700),
                "END 2000 EVENTS",
                RESULT,
            ),
            [("a.jpg", 0.5, 0.5, 100, 100), ("a.jpg", 0.5, 0.5, 100, 50)],
            id="unless it was gone in between",
        ),
        pytest.param(
            (
                "MSG 900 TRIALID_1",
                *A_NAMED,
                "MSG 2900 TRIALID_2",
                *B_NAMED,
                "MSG 4002 TRIAL_RESULT 0",
            ),
            [("a.jpg", 0.5, 0.5, 100, 200), ("b.jpg", 0.2, 0.2, 100, 200)],
            id="TRIALID_1",
        ),
        pytest.param(
            (*A_NAMED, *B_NAMED, "MSG 4002 TRIAL_RESULT 0"),
            [("a.jpg", 0.5, 0.5, 100, 200), ("b.jpg", 0.2, 0.2, 100, 200)],
            id="without TRIALID what comes before TRIAL_RESULT is of the block before",
        ),
        pytest.param(
            (
                "MSG 900 TRIALID polyp1.jpg",
                BLOCK,
                "MSG 1000 !V IMGLOAD CENTER cross.png 50 50 10 10",
                "MSG 1100 !V IMGLOAD FILL polyp1.jpg",
                "MSG 1101 SYNCTIME",
                fixation(1200),
                "END 2000 EVENTS",
                RESULT,
            ),
            [("polyp1.jpg", 0.5, 0.5, 100, 99)],
            id="the file behind TRIALID is the image",
        ),
        pytest.param(
            (
                "MSG 900 TRIALID a.jpg",
                BLOCK,
                "MSG 1100 SYNCTIME",
                fixation(1200),
                "MSG 1500 image_offset_1",
                fixation(1600),
                "END 2000 EVENTS",
                RESULT,
            ),
            [("a.jpg", 0.5, 0.5, 100, 100)],
            id="an offset with a number behind it",
        ),
    ],
)
def test_what_is_shown_when_as_experiments_say_it(write, convert, rows, texts, expected):
    assert rows(convert(write("eyelink", lines(*texts)))[0]) == expected


def test_another_file_behind_trialid_than_was_loaded_is_a_question(write, convert):
    texts = ("MSG 900 TRIALID polyp1.jpg", BLOCK, "MSG 1001 !V IMGLOAD FILL 3.png", fixation(1200), "END 2000 EVENTS")
    with pytest.raises(ValueError, match="expected one image of the trial, found 'polyp1.jpg' behind TRIALID and"):
        convert(write("eyelink", lines(*texts)))


@pytest.mark.parametrize("point", ["", ".0"])
@pytest.mark.parametrize("lost", [". .", "0.0 0.0", "-1.0 -1.0", "NaN NaN", "nan nan"])
def test_what_stands_for_lost_in_samples(write, convert, rows, lost, point):
    start = ["MSG 900 TRIALID a.jpg", "START 1000 LEFT SAMPLES EVENTS", "SAMPLES GAZE LEFT RATE 100 TRACKING CR"]
    samples = [f"{1000 + 10 * i}{point} {lost if 10 <= i < 20 else '50.0 50.0'} 900.0 ..." for i in range(30)]
    path = write("eyelink", lines(*start, *samples, "END 1300 SAMPLES EVENTS", "MSG 1301 TRIAL_RESULT 0"))
    settings = ConversionSettings(screen_px=(100, 100), screen_cm=(30, 30), distance_cm=60)
    table, summary = convert(path, settings=settings)
    assert rows(table) == [("a.jpg", 0.5, 0.5, 100, 0), ("a.jpg", 0.5, 0.5, 100, 200)]
    assert summary.missing_samples == 10


def test_what_stands_for_lost_in_events(write, convert, rows):
    texts = ("MSG 900 TRIALID a.jpg", BLOCK, fixation(1100, 0.0, 0.0), fixation(1200, "NaN", "NaN"), fixation(1300))
    table, summary = convert(write("eyelink", lines(*texts, "END 2000 EVENTS", RESULT)))
    assert rows(table) == [("a.jpg", 0.5, 0.5, 100, 300)]
    assert "1 of the positions are (0, 0), which stands for lost: missing" in summary.notes
