"""What tables of any tracker may hold: kinds of rows, eyes, validity, lost samples, order, units."""

import itertools

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.recording import ReadingSettings
from datasets.recordings.trial_table import with_image

SCREEN = ConversionSettings(screen_px=(1920, 1080), screen_cm=(53, 30), distance_cm=60)


def table(header: str, *rows: str, separator: str = ",") -> str:
    return "\n".join([header, *rows]).replace(",", separator) + "\n"


def samples(header: str, row: str, count: int, step: float = 4) -> list[str]:
    """``count`` times the row, in which T stands for the time; the first element is the header."""
    return [header, *(row.replace("T", f"{index * step:g}") for index in range(count))]


EVENTS = [
    "1,0,300,400,300,300,fixation,polyp_a.png",
    "1,320,520,960,540,200,blink,polyp_a.png",
    "1,540,840,1200,700,300,fixation,polyp_a.png",
    "1,850,930,800,500,80,saccade,polyp_a.png",
]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        *itertools.product(
            ["event", "Event Type", "label", "TYPE", "category", "eye_movement_type"],
            [("fixation", "blink", "saccade"), ("FIX", "BLINK", "SACC"), ("EFIX", "EBLINK", "ESACC"), ("F", "B", "S")],
        ),
        ("label", ("FIXA", "BLINK", "ISAC")),
        ("event", ("L_fixation", "L_blink", "L_saccade")),
        ("what", ("left fixation", "left blink", "right saccade")),
        ("event", ("EndFixation", "EndBlink", "EndSaccade")),
        ("event_type", ("end_fix", "end_blink", "end_sacc")),
        ("event", ("Fijación", "Blink", "Sacada")),
        *((name, ("fixation", "blink", "saccade")) for name in ("name", "state", "type_of_event")),
    ],
)
def test_saccades_and_blinks_are_no_fixations(write, convert, rows, column, words):
    text = table(f"trial,start,end,x,y,dur,{column},image", *EVENTS)
    for old, new in zip(("fixation", "blink", "saccade"), words, strict=True):
        text = text.replace(f",{old},", f",{new},")
    found, summary = convert(write("plain", text), settings=SCREEN)
    assert [row[3] for row in rows(found)] == [300, 300]
    assert summary.left_out == {"rows of kind blink": 1, "rows of kind saccade": 1}


def test_a_column_of_kinds_by_option_and_one_that_holds_none(write, convert):
    text = table("trial,start,end,x,y,dur,what,image", *EVENTS)
    assert len(convert(write("plain", text), ReadingSettings(columns={"kind": "what"}), SCREEN)[0]) == 2
    # A phase of the experiment, say.
    text = text.replace("what", "type").replace("blink", "reading").replace("saccade", "reading")
    assert len(convert(write("plain", text), settings=SCREEN)[0]) == 4
    # Keys that were pressed.
    text = text.replace("type", "key").replace("fixation", "f").replace("reading", "s")
    assert len(convert(write("plain", text), settings=SCREEN)[0]) == 4


@pytest.mark.parametrize(
    ("flags", "left_out"),
    [
        ({"is_fixation": "1010", "trial": "1111"}, {"no fixation": 2}),
        ({"Fixation": ["TRUE", "FALSE", "TRUE", "FALSE"]}, {"no fixation": 2}),
        ({"isFixation": "1010", "blink": "0100"}, {"blink": 1, "no fixation": 1}),
        ({"Blink detected (binary)": "0100", "is_saccade": ["0", "", "0", "1"]}, {"blink": 1, "saccade": 1}),
        ({"invalid": "0101"}, {"gap": 2}),
        # The number of a fixation.
        ({"fix": "0123", "blink": "0000"}, {}),
    ],
)
def test_kinds_by_columns_of_yes_and_no(write, convert, rows, flags, left_out):
    lines = [",".join((f"{300 * i},960,540,{280 + i},a", *(values[i] for values in flags.values()))) for i in range(4)]
    text = table(",".join(("start_ms,x,y,duration_ms,image", *flags)), *lines)
    found, summary = convert(write("plain", text), settings=SCREEN)
    assert summary.left_out == {f"rows of kind {kind}": count for kind, count in left_out.items()}
    assert len(found) == 4 - sum(left_out.values())


@pytest.mark.parametrize("flags", ["blink", "is_fixation,is_blink", "lost", "Invalid", "gaze_valid", "tracked"])
def test_samples_that_a_column_says_are_lost(write, convert, rows, flags):
    bad = {"gaze_valid": "0", "tracked": "no", "is_fixation,is_blink": "0,1"}.get(flags, "1")
    good = bad.translate(str.maketrans("01", "10")).replace("no", "yes")
    lines = samples(f"time,x,y,image,{flags}", f"T,960,540,a,{good}", 50)
    lines += [f"{200 + 4 * i},1200,540,a,{bad}" for i in range(30)]
    found, summary = convert(write("plain", table(*lines)), settings=SCREEN)
    assert (rows(found), summary.missing_samples) == ([("a", 0.5, 0.5, 200, 0)], 30)


def test_kinds_as_numbers_are_a_question(write, convert):
    text = table("start,x,y,dur,event,image", *(f"{i * 300},{500 + i},500,{200 + i},{i % 2 + 1},a" for i in range(12)))
    with pytest.raises(ValueError, match="expected kinds of rows in 'event', .* found the codes 1, 2"):
        convert(write("plain", text), settings=SCREEN)
    events = [",".join(row) for row in zip("0369", "1234", "5678", "4444", "1321", "aaaa", strict=True)]
    with pytest.raises(ValueError, match="found the codes 1, 2, 3; write the kinds"):
        convert(write("plain", table("start,x,y,dur,event,image", *events)), settings=SCREEN)
    words = [f"{300 * i},500,500,{200 + i},{'停动'[i % 2]},a" for i in range(4)]
    with pytest.raises(ValueError, match="in 'Eye movement type', such as .*, found the words 停, 动; write"):
        convert(write("plain", table("start,x,y,dur,Eye movement type,image", *words)), settings=SCREEN)
    with pytest.raises(ValueError, match="expected rows that are fixations in 'event', found 1, 2"):
        convert(write("plain", text), ReadingSettings(columns={"kind": "event"}), SCREEN)


EYES = ["L,0,400,300,300,a.png", "R,2,420,310,298,a.png", "L,320,1200,700,300,a.png"]
EYE_HEADER = "eye,start_ms,x,y,duration_ms,image"


@pytest.mark.parametrize(
    ("left", "right"), [("L", "R"), ("left", "right"), ("Left eye", "Right eye"), ("LEFT", "RIGHT")]
)
@pytest.mark.parametrize("order", [lambda rows: rows, sorted], ids=["by time", "by eye"])
def test_fixations_of_one_eye_count_and_those_of_the_other_are_counted(write, convert, rows, left, right, order):
    lines = [row.replace("L,", f"{left},").replace("R,", f"{right},") for row in order(EYES)]
    path = write("plain", table(EYE_HEADER, *lines))
    found, summary = convert(path, settings=SCREEN)
    assert ([row[3] for row in rows(found)], summary.eye, summary.other_eyes) == ([298], "right", 2)
    assert "more fixations of the left eye than of the right; --eye left takes those" in summary.notes
    found, summary = convert(path, settings=ConversionSettings(eye="left", screen_px=(1920, 1080)))
    assert ([row[3] for row in rows(found)], summary.eye, summary.other_eyes) == ([300, 300], "left", 1)
    for both in ("both", "both-averaged"):
        with pytest.raises(ValueError, match=f"--eye {both}: expected --method ivt or idt"):
            convert(path, settings=ConversionSettings(eye=both, screen_px=(1920, 1080)))


def test_where_the_mean_of_both_eyes_was_not_recorded_one_eye_is_taken_unless_both_are_asked_for(write, convert, rows):
    lines = ["both,0,400,300,300,a.png", "L,0,400,300,310,b.png", "R,320,410,300,320,b.png", "L,0,400,300,330,c.png"]
    path = write("plain", table(EYE_HEADER, *lines))
    found, summary = convert(path, settings=SCREEN)
    assert ([row[3] for row in rows(found)], summary.other_eyes) == ([300, 320, 330], 1)
    assert "in 2 trials the mean of both eyes was not recorded and one taken" in summary.notes
    found, summary = convert(path, settings=ConversionSettings(eye="both", screen_px=(1920, 1080)))
    assert ([row[3] for row in rows(found)], summary.other_eyes, summary.empty_trials) == ([300], 3, 2)


def test_an_eye_that_has_no_name_is_asked_for(write, convert):
    text = table(EYE_HEADER, *EYES).replace("L,", "0,").replace("R,", "1,")
    with pytest.raises(ValueError, match=r"row 2: expected left or right .* in eye, found '0'; 3 rows are wrong"):
        convert(write("plain", text), settings=SCREEN)


def test_two_eyes_in_one_column_that_nothing_tells_apart_are_noticed(write, convert):
    eye = [f"{i * 300 + j},{400 + i},300,{250 + i},a.png,{'LR'[j]}" for i in range(12) for j in (0, 1)]
    path = write("plain", table("start,x,y,dur,image,which", *eye))
    with pytest.raises(ValueError, match="row 3: expected fixations of one eye one after the other, found 12 of 24"):
        convert(path, settings=SCREEN)
    assert len(convert(path, ReadingSettings(columns={"eye": "which"}), SCREEN)[0]) == 12
    eye = [f"{i * 4},{400 + 30 * j},300,a.png,{'LR'[j]}" for i in range(50) for j in (0, 1)]
    path = write("plain", table("time,x,y,image,which", *eye))
    with pytest.raises(
        ValueError, match="row 3: expected one position at a time, found another at the same time in 50"
    ):
        convert(path, settings=SCREEN)
    assert convert(path, ReadingSettings(columns={"eye": "which"}), SCREEN)[1].other_eyes == 50


@pytest.mark.parametrize("names", ["x_left,y_left,x_right,y_right", "LX,LY,RX,RY", "left_gaze_x,left_gaze_y,r x,r y"])
@pytest.mark.parametrize(
    ("eye", "x", "said"), [("auto", 520, "right"), ("left", 500, "left"), ("both-averaged", 510, "both-averaged")]
)
def test_a_column_an_eye(write, convert, rows, names, eye, x, said):
    lines = samples(f"time,{names},image", "T,500,300,520,300,a.png", 50) + ["200,500,300,,,a.png"]
    settings = ConversionSettings(eye=eye, screen_px=(1000, 1000), screen_cm=(30, 30), distance_cm=60)
    found, summary = convert(write("plain", table(*lines)), settings=settings)
    assert rows(found)[0][1] == pytest.approx(x / 1000, abs=1e-3)
    assert summary.eye in (said, "both")


@pytest.mark.parametrize("column", ["validity", "ValidityLeft"])
def test_the_codes_of_validity_of_the_older_tobii_software(write, convert, rows, column):
    lines = samples(f"time_ms,x,y,{column},image", "T,300,300,0,a.png", 60) + ["240,300,300,1,a.png"]
    lines += [f"{244 + 4 * i},900,700,{code},a.png" for i, code in enumerate([2, 3, 4] * 20)]
    found, summary = convert(write("plain", table(*lines)), settings=SCREEN)
    assert [row[1:4] for row in rows(found)] == [(300 / 1920, 300 / 1080, 244)]
    assert (summary.samples, summary.missing_samples) == (121, 60)


@pytest.mark.parametrize(
    ("column", "good", "bad", "valid"),
    [
        ("validity", "1", "0", ("1",)),
        ("validity", "0", "1", ("0",)),
        ("validity", "0", "1", ("0.0", "7")),
        ("valid", "1", "0", None),
        ("is_valid", "true", "FALSE", None),
        ("validity", "Valid", "Invalid", None),
        ("Validity", "tracked", "lost", ("Tracked",)),
    ],
)
def test_what_is_valid_by_its_name_or_as_said(write, convert, column, good, bad, valid):
    lines = samples(f"time_ms,x,y,{column},image", f"T,300,300,{good},a.png", 50)
    lines += [f"{200 + 4 * i},900,700,{bad},a.png" for i in range(30)]
    _, summary = convert(write("plain", table(*lines)), ReadingSettings(valid=valid), SCREEN)
    assert (summary.samples, summary.missing_samples) == (80, 30)


@pytest.mark.parametrize(
    ("values", "message"), [("01", "found 0 and 1 alone.*--valid 1 or --valid 0"), ("79", "--valid")]
)
def test_what_is_valid_is_not_guessed(write, convert, values, message):
    lines = ["time_ms,x,y,validity,image"] + [f"{i * 4},300,300,{values[i % 2]},a.png" for i in range(20)]
    with pytest.raises(ValueError, match=f"expected .* in 'validity'.* {message}"):
        convert(write("plain", table(*lines)), settings=SCREEN)


@pytest.mark.parametrize(("lost", "unit"), [("0,0", "px"), ("-1,-1", "px"), ("0.0,0.0", "norm"), ("-1.0,-1.0", "norm")])
def test_lost_samples_at_a_corner_are_no_look_at_it(write, convert, rows, lost, unit):
    first, second = ("400,300", "1200,700") if unit == "px" else ("0.2,0.3", "0.6,0.7")
    lines = [f"time_ms,x [{unit}],y [{unit}],image"]
    lines += [f"{i * 4},{first if i < 100 else lost if i < 160 else second},a.png" for i in range(300)]
    found, summary = convert(write("plain", table(*lines)), settings=SCREEN)
    assert [row[3] for row in rows(found)] == [400, 560]
    assert summary.missing_samples == 60
    assert sum("60 of the positions are (" in note for note in summary.notes) == 1


def test_names_with_dots_are_not_cut(write, convert):
    text = table(
        "t_ms,x,y,duration,image", *(f"{300 * i},{100 + i},100,{200 + i},1.2.840.{i % 2}" for i in (0, 2, 1, 3))
    )
    assert convert(write("plain", text), settings=SCREEN)[0]["IMAGE"].unique().tolist() == ["1.2.840.0", "1.2.840.1"]


def test_a_plain_table_of_fixations_without_times_goes_by_its_order(write, convert, rows):
    text = table("image,x,y,duration", "b.png,960,540,200", "a.png,480,270,210", "a.png,0,540,220")
    found, _ = convert(write("plain", text), settings=SCREEN)
    assert rows(found) == [
        ("b.png", 0.5, 0.5, 200, None),
        ("a.png", 0.25, 0.25, 210, None),
        ("a.png", 0, 0.5, 220, None),
    ]


@pytest.mark.parametrize(
    ("time_unit", "message"),
    [(None, "expected durations of fixations in ms .*found 0.21 .*--time_unit s"), ("s", None)],
)
def test_durations_in_seconds_are_not_taken_for_milliseconds(write, convert, time_unit, message):
    path = write("plain", table("image,x,y,duration", "a,960,540,0.2", "a,480,270,0.21", "a,0,540,0.22"))
    reading = ReadingSettings(time_unit=time_unit)
    if message:
        with pytest.raises(ValueError, match=message):
            convert(path, reading, SCREEN)
    else:
        assert convert(path, reading, SCREEN)[0]["CURRENT_FIX_DURATION"].tolist() == [200, 210, 220]


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        *((name, 0.001) for name in ("duration_seconds", "Duration (sec)", "fixation_duration_in_s")),
        *((name, 1) for name in ("duration_milliseconds", "dur_msec", "duration_in_ms", "duration [milliseconds]")),
        *((name, 1000) for name in ("duration_microseconds", "Duration (microseconds)", "duration_usec")),
    ],
)
def test_units_that_a_name_spells_out(write, convert, name, scale):
    lines = [f"{300 * i},960,540,{(200 + i) * scale:g},a" for i in range(4)]
    found, _ = convert(write("plain", table(f"time_milliseconds,x,y,{name},image", *lines)), settings=SCREEN)
    assert found["CURRENT_FIX_DURATION"].tolist() == [200, 201, 202, 203]


def test_fixations_whose_durations_are_not_found_are_no_samples(write, convert):
    lines = [f"{300 * i},960,540,{200 + i},a" for i in range(4)]
    path = write("plain", table("start_ms,x,y,how_long,image", *lines))
    with pytest.raises(ValueError, match="found rows 300 ms apart as a rule, .* --columns duration=NAME or end=NAME"):
        convert(path, settings=SCREEN)
    assert len(convert(path, ReadingSettings(columns={"duration": "how_long"}), SCREEN)[0]) == 4
    assert len(convert(path, ReadingSettings(time_unit="ms"), SCREEN)[0]) == 1


@pytest.mark.parametrize("scale", [0.001, 1, 1000, 1e6], ids=["s", "ms", "us", "ns"])
def test_ends_tell_the_unit_of_time(write, convert, scale):
    lines = (f"{start * scale:.12g},{(start + 200) * scale:.12g},{500 + start / 10},500,a" for start in (0, 300, 2600))
    found, _ = convert(write("plain", table("start,end,x,y,image", *lines)), settings=SCREEN)
    assert found["CURRENT_FIX_DURATION"].tolist() == pytest.approx([200, 200, 200])


def test_an_end_that_does_not_fit_the_duration_is_a_question(write, convert):
    path = write("plain", table("start,end,duration,x,y,image", "0,12,200,500,500,a", "300,311,210,500,500,a"))
    with pytest.raises(ValueError, match="expected ends that fit the durations in 'duration', found 11.5"):
        convert(path, settings=SCREEN)


def test_neighbours_in_the_wrong_order_are_sorted_with_a_note(write, convert, rows):
    lines = samples("time,x,y,image", "T,500,500,a", 60)
    lines[11:13] = lines[12], lines[11]
    found, summary = convert(write("plain", table(*lines)), settings=SCREEN)
    assert rows(found) == [("a", 500 / 1920, 500 / 1080, 240, 0)]
    assert "1 rows are in the wrong order of time: sorted" in summary.notes


def test_copies_of_rows_count_once(write, convert):
    lines = [f"{i * 300},{500 + i},500,{200 + i},a" for i in range(12)]
    found, summary = convert(write("plain", table("start,x,y,dur,image", *lines, *lines)), settings=SCREEN)
    assert (len(found), summary.left_out) == (12, {"rows that are copies of others": 12})


def test_copies_of_rows_on_several_images_count_once(write, convert):
    lines = ["0,500,500,200,a", "300,510,500,210,a", "600,520,500,220,b", "900,530,500,230,b"]
    found, summary = convert(write("plain", table("start,x,y,dur,image", *lines, *lines)), settings=SCREEN)
    assert (len(found), summary.trials) == (4, 2)
    assert summary.left_out == {"rows that are copies of others": 4}


def test_a_fixation_of_marked_samples_is_where_they_are_in_the_mean(write, convert, rows):
    marked = [f"{4 * i},{900 if i == 0 else 960},540,fixation,a" for i in range(50)]
    lines = [*marked, *(f"{200 + 4 * i},1200,300,saccade,a" for i in range(5))]
    found, _ = convert(write("plain", table("time,x,y,event,image", *lines)), settings=SCREEN)
    assert rows(found) == [("a", pytest.approx(958.8 / 1920), 0.5, 200, 0)]


def test_marked_samples_whose_clock_begins_anew_with_a_trial(write, convert, rows):
    lines = [f"{4 * i},960,540,{'fixation' if i < 50 else 'saccade'},{name}" for name in "ab" for i in range(60)]
    found, _ = convert(write("plain", table("time,x,y,event,image", *lines)), settings=SCREEN)
    assert rows(found) == [("a", 0.5, 0.5, 200, 0), ("b", 0.5, 0.5, 200, 0)]
    again = table("time,x,y,event,image", *(line.replace(",b", ",a") for line in lines))
    with pytest.raises(ValueError, match="row 62: expected times that do not decrease"):
        convert(write("plain", again), settings=SCREEN)


@pytest.mark.parametrize("column", ["duration", "end"])
def test_samples_beside_the_fixation_that_some_are_of(write, convert, rows, column):
    lines = [f"{4 * i},960,540,{200 if i < 50 else ''},a" for i in range(60)]
    reading = ReadingSettings(want_samples=True)
    settings = ConversionSettings("idt", screen_px=(1920, 1080), screen_cm=(53, 30), distance_cm=60)
    found, _ = convert(write("plain", table(f"time,x,y,{column},image", *lines)), reading, settings)
    assert rows(found) == [("a", 0.5, 0.5, 240, 0)]


def test_marked_samples_of_two_eyes_do_not_part_each_other(write, convert, rows):
    lines = [
        f"{4 * i},{x},540,{eye},{kind},a"
        for i in range(50)
        for eye, x, kind in (("L", 0, "blink"), ("R", 960, "fixation"))
    ]
    lines += ["200,1100,540,R,saccade,a"]
    found, _ = convert(write("plain", table("time,x,y,eye,event,image", *lines)), settings=SCREEN)
    assert rows(found) == [("a", 0.5, 0.5, 200, 0)]


def test_rows_of_starts_are_no_fixations(write, convert):
    lines = ["0,500,500,0,StartFixation,a", "0,500,500,200,EndFixation,a", "210,600,500,30,EndSaccade,a"]
    found, summary = convert(write("plain", table("start_ms,x,y,dur,event,image", *lines)), settings=SCREEN)
    assert found["CURRENT_FIX_DURATION"].tolist() == [200]
    assert summary.left_out == {"rows of kind start of an event": 1, "rows of kind saccade": 1}


def test_user_events_do_not_part_a_fixation(write, convert, rows):
    lines = [f"{4 * i},960,540,fixation,a" for i in range(50)] + ["200,1100,540,saccade,a"]
    lines.insert(10, "38,-,-,User Event,a")
    found, summary = convert(write("plain", table("time,x,y,event,image", *lines)), settings=SCREEN)
    assert rows(found) == [("a", 0.5, 0.5, 200, 0)]
    assert summary.left_out["rows of kind user event"] == 1


@pytest.mark.parametrize("words", [("prostate", "bladder"), ("bleeding", "spleen"), ("sacrum", "unknown")])
def test_labels_of_findings_are_no_kinds_of_rows(write, convert, words):
    lines = [f"{i * 300},500,500,200,{words[i % 2]},a" for i in range(4)]
    assert len(convert(write("plain", table("start,x,y,dur,label,image", *lines)), settings=SCREEN)[0]) == 4


@pytest.mark.parametrize("missing", ["NA", "-", "null", ""])
def test_rows_whose_image_is_missing_are_of_none(write, convert, missing):
    lines = [f"{10 * i},500,500,{'a.png' if i < 20 else missing}" for i in range(40)]
    found, summary = convert(write("plain", table("time_ms,x,y,picture", *lines)), settings=SCREEN)
    assert set(found["IMAGE"]) == {"a.png"}
    assert summary.left_out["rows without an image or trial"] == 20


def test_shares_are_no_pixels_in_a_few_rows_either(write, convert):
    lines = ["0,0.25,0.5,200,a", "300,0.75,0.5,250,a"]
    path = write("plain", table("start_ms,x,y,duration_ms,image", *lines))
    with pytest.raises(ValueError, match="expected pixels in 'x' and 'y', found hardly any above 2"):
        convert(path, settings=SCREEN)
    lines = ["0,1,1,200,a", "300,1,2,250,a"]
    assert len(convert(write("plain", table("start_ms,x,y,duration_ms,image", *lines)), settings=SCREEN)[0]) == 2


def test_the_unit_in_the_name_of_a_given_column_counts(write, convert, rows):
    text = table("start_ms,gx [norm],gy [norm],duration_ms,image", "0,0.25,0.5,200,a")
    reading = ReadingSettings(columns={"x": "gx [norm]", "y": "gy [norm]"})
    assert rows(convert(write("plain", text), reading, SCREEN)[0]) == [("a", 0.25, 0.5, 200, None)]


def test_repeated_samples_are_counted(write, convert):
    lines = samples("time,x,y,image", "T,500,500,a", 60)
    assert convert(write("plain", table(*lines, lines[-1])), settings=SCREEN)[1].repeated == 1


@pytest.mark.parametrize(
    ("x", "y", "xy_unit", "message"),
    [
        ("-7.5", "4.1", None, "expected positions from the left upper corner of the screen, found 100% negative"),
        ("-400", "300", None, "found 100% negative; are they degrees"),
        ("-0.4", "0.2", "fraction", "found 100% negative"),
    ],
)
def test_positions_with_another_origin_are_refused(write, convert, x, y, xy_unit, message):
    path = write("plain", table(*samples("time,x,y,image", f"T,{x},{y},a", 60)))
    with pytest.raises(ValueError, match=message):
        convert(path, ReadingSettings(xy_unit=xy_unit), SCREEN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table("time,x,x,y,image", "0,1,2,3,a"), "expected one column 'x', found two"),
        (table("time,X,x,y,image", "0,1,2,3,a"), r"expected one column 'X', found two \('X' and 'x'\); rename one"),
        (table("time,gaze_x,Gaze X,gaze_y,image", "0,1,2,3,a"), "expected one column 'gaze_x', found two"),
        (table("time,x, x,y,image", "0,1,2,3,a"), "expected different names of columns, found 'x' twice"),
        (
            table("time;x;y;image", "0;1,024;5;a", "4;512;5;a", separator=","),
            "without a comma, which may part thousands .*, found .1,024.; 1 row",
        ),
        (table("time,x [deg],y [deg],image", "0,1,3,a"), r"found none for x .*; y .* among time, x \[deg\]"),
        (
            table("n,gx,gy,what", "0,1,3,a"),
            "no line with names of columns of time, x and y .*'n,gx,gy,what'.*--columns",
        ),
    ],
)
def test_tables_that_are_not_certain(write, convert, text, message):
    with pytest.raises(ValueError, match=message):
        convert(write("plain", text), settings=SCREEN)


@pytest.mark.parametrize("above", ["#INFO\n#DATA\n", "Made with,x\n\nTotal: 3\n", '"a","b"\n'])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_lines_above_the_header_are_passed_over(write, convert, rows, above, separator):
    text = above + table("Image,X,Y,Duration", "a.png,960,540,200", "a.png,480,270,x", separator=separator)
    with pytest.raises(ValueError, match=rf"row {above.count(chr(10)) + 3}: expected a number in Duration, found 'x'"):
        convert(write("plain", text), settings=SCREEN)
    assert (
        rows(convert(write("plain", text.replace(f"{separator}x", f"{separator}90")), settings=SCREEN)[0])[1][3] == 90
    )


@pytest.mark.parametrize("column", ["participant", "reader", "user_id"])
def test_participants_keep_their_clocks(write, convert, column):
    lines = [f"{who},{i * 300},{500 + i},500,{200 + i},a" for who in ("p1", "p2") for i in range(12)]
    # Given row by row, as a table that was joined by time has them.
    lines = [lines[i + 12 * who] for i in range(12) for who in (0, 1)]
    found, summary = convert(write("plain", table(f"{column},start,x,y,dur,image", *lines)), settings=SCREEN)
    assert (len(found), summary.trials) == (24, 2)


def test_images_by_the_one_column_that_holds_files(write, convert):
    text = table("t,x,y,duration,scan,note", *(f"{i * 300},500,500,{200 + i},p{i // 2}.PNG,b" for i in range(4)))
    found, summary = convert(write("plain", text), settings=SCREEN)
    assert found["IMAGE"].unique().tolist() == ["p0.PNG", "p1.PNG"]
    assert "images by the column 'scan'" in summary.notes[1]


def test_images_by_the_column_that_holds_files_of_them(write, convert):
    lines = [f"{i * 300},500,500,{200 + i},P01.csv,p{i}.png" for i in range(2)]
    text = table("start_ms,x,y,duration,filename,img", *lines)
    assert convert(write("plain", text), settings=SCREEN)[0]["IMAGE"].tolist() == ["p0.png", "p1.png"]
    # Without endings the more usual name counts.
    found, _ = convert(write("plain", text.replace(".csv", "").replace(".png", "")), settings=SCREEN)
    assert set(found["IMAGE"]) == {"P01"}


def test_samples_of_no_confidence_are_lost(write, convert, rows):
    lines = [f"{4 * i},{960 if i < 50 else 1200},540,{0.95 if i < 50 else 0.0},a" for i in range(80)]
    found, summary = convert(write("plain", table("time,x,y,confidence,image", *lines)), settings=SCREEN)
    assert (rows(found), summary.missing_samples) == ([("a", 0.5, 0.5, 200, 0)], 30)


def test_an_image_for_a_table_that_names_none(write, convert):
    text = table(*samples("time,x,y", "T,500,500", 60))
    with pytest.raises(ValueError, match="give --trials CSV, --image NAME, for a table --columns image=NAME"):
        convert(write("plain", text), settings=SCREEN)
    found, _ = convert(write("plain", text), None, SCREEN, lambda recording: with_image(recording, "a"))
    assert found["IMAGE"].tolist() == ["a"]


def test_a_separator_at_the_end_of_the_rows_alone_moves_no_column(write, convert, rows):
    text = "image,start_ms,x,y,duration_ms\n007,0,960,540,200,\n007,300,480,540,210,\n"
    found, _ = convert(write("plain", text), settings=SCREEN)
    assert rows(found) == [("007", 0.5, 0.5, 200, None), ("007", 0.25, 0.5, 210, None)]


@pytest.mark.parametrize("missing", ["#N/A", "<NA>", "undefined", "(null)", "-nan(ind)"])
def test_further_words_for_what_is_missing(write, convert, missing):
    lines = samples("time,x,y,image", "T,960,540,a", 50)
    lines += [f"{200 + 4 * i},{missing},{missing},a" for i in range(30)]
    lines += [f"{320 + 4 * i},960,540,{missing}" for i in range(10)]
    _, summary = convert(write("plain", table(*lines)), settings=SCREEN)
    assert (summary.missing_samples, summary.left_out) == (30, {"rows without an image or trial": 10})
