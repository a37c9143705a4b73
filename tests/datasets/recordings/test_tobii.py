"""Tobii Pro Lab exports: names, units and separators of several versions."""

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.detection import DetectionSettings
from datasets.recordings.recording import ReadingSettings, Rect
from datasets.recordings.trial_table import with_rect

# Rows come every 16 or 17 ms; the second fixation reaches over the change of image and is cut there.
EXPECTED = [
    ("polyp1.jpg", 0.5, 0.5, 100, 0),
    ("polyp1.jpg", 0.25, 0.25, 33, 133),
    ("polyp2.jpg", 0.25, 0.25, 83, 0),
]
ALL = ConversionSettings(detection=DetectionSettings(min_duration_ms=0))


def test_fixations_on_the_image_with_its_place_and_size(write, convert, rows):
    table, summary = convert(write("tobii"), settings=ALL)
    assert rows(table) == EXPECTED
    assert (table["IMAGE_HEIGHT"].unique().tolist(), table["IMAGE_WIDTH"].unique().tolist()) == ([500], [600])
    assert table["CURRENT_FIX_PUPIL"].unique().tolist() == [3.25]
    assert (summary.method, summary.eye, summary.trials) == ("events", "both", 2)


def microseconds(text: str) -> str:
    head, *lines = text.splitlines()
    return "\n".join([head, *(line.replace("\t", "000\t", 1) for line in lines)]) + "\n"


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda text: text, "utf-8-sig"),
        (lambda text: text, "utf-16"),
        (lambda text: text.replace("\n", "\r\n"), "utf-8"),
        (lambda text: text.replace("\t", ";"), "utf-8"),
        (lambda text: text.replace("3,0", "3.0").replace("3,5", "3.5").replace("\t", ","), "utf-8"),
        (microseconds, "utf-8"),
        (lambda text: microseconds(text).replace("Recording timestamp", "Recording timestamp [μs]"), "utf-8"),
        (lambda text: text.replace("Recording timestamp", "Recording timestamp [ms]"), "utf-16"),
        (lambda text: text.replace("point X", "point X [DACS px]").replace("point Y", "point Y [DACS px]"), "utf-8"),
        (lambda text: text.replace("Presented Media name", "Presented Stimulus name"), "utf-8"),
        (lambda text: text.replace("Gaze event duration", "Eye movement event duration [ms]"), "utf-8"),
    ],
)
def test_other_versions_and_encodings_say_the_same(write, convert, rows, examples, change, encoding):
    path = write("tobii", change(examples["tobii"][1]), encoding=encoding)
    assert rows(convert(path, settings=ALL)[0]) == EXPECTED


def test_a_unit_of_time_that_is_given_is_none_of_tobiis_durations(write, convert, rows, examples):
    path = write("tobii", microseconds(examples["tobii"][1]))
    assert rows(convert(path, ReadingSettings(time_unit="us"), ALL)[0]) == EXPECTED


def test_positions_as_shares_of_the_image(write, convert, rows, examples):
    text = examples["tobii"][1].replace("point X", "point X (MCSnorm)").replace("point Y", "point Y (MCSnorm)")
    text = text.replace("\t960\t540", "\t0,5\t0,25").replace("\t710\t290", "\t0,75\t1,5")
    table, summary = convert(write("tobii", text), settings=ALL)
    assert rows(table) == [("polyp1.jpg", 0.5, 0.25, 100, 0)]
    assert summary.outside == 2


def test_samples_by_dispersion(write, convert, rows):
    settings = ConversionSettings(method="idt", screen_cm=(53, 30), distance_cm=60)
    table, _ = convert(write("tobii"), ReadingSettings(want_samples=True), settings)
    # Six rows in 83 ms and the step of 17 to the next; five at the end.
    assert rows(table) == [("polyp1.jpg", 0.5, 0.5, 100, 0), ("polyp2.jpg", 0.25, 0.25, 84, 0)]


def test_the_screen_is_read(write):
    assert read_recording(write("tobii"), ReadingSettings()).screen == Rect(0, 0, 1920, 1080)


def test_two_participants_in_one_export_keep_their_clocks(write, convert, examples):
    head, *lines = examples["tobii"][1].splitlines()
    text = "\n".join([head, *lines, *(line.replace("\tP1\t", "\tP2\t") for line in lines)]) + "\n"
    table, summary = convert(write("tobii", text), settings=ALL)
    assert summary.trials == 4
    first = table[table["IMAGE"] == "polyp1.jpg"]
    assert first["CURRENT_FIX_INDEX"].tolist() == [1, 2, 3, 4]
    assert first["CURRENT_FIX_START"].tolist() == [0, 133, 0, 133]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("point", "spot"), r"found none for x \('Gaze point x' or 'Fixation point x'\)"),
        (lambda text: text.replace("Eye Tracker", "Mouse"), "expected rows of the sensor 'Eye Tracker'"),
        (lambda text: text.replace("\n33\t", "\n\t"), "row 4: expected a time in Recording timestamp, found nothing"),
        (
            lambda text: text.replace("\n50\t", "\n1\t"),
            "row 6: expected times that do not decrease, found 1 ms after 33 ms",
        ),
        (
            lambda text: text.replace("\n50\t", "\n5o\t"),
            "row 6: expected a number in Recording timestamp, found '5o'",
        ),
        (lambda text: text[:-40], "last row: expected 22 fields, found 13; the file was cut short"),
        (lambda text: text.split("\n")[0] + "\n", "expected rows under the header, found none"),
    ],
)
def test_exports_that_are_not_as_described(write, examples, change, message):
    path = write("tobii", change(examples["tobii"][1]))
    with pytest.raises(ValueError, match=message) as caught:
        read_recording(path, ReadingSettings())
    assert str(path) in str(caught.value)


def test_a_step_that_fits_no_sampling_rate_asks_for_the_unit(write, convert, rows, examples):
    head, *lines = examples["tobii"][1].splitlines()
    path = write("tobii", "\n".join([head, *(line.replace("\t", "0\t", 1) for line in lines)]) + "\n")
    with pytest.raises(ValueError, match=r"usual step \(170\) fits no sampling rate; give --time_unit s\|ms\|us\|ns"):
        read_recording(path, ReadingSettings())
    table, _ = convert(path, ReadingSettings(time_unit="ms"), ALL)
    assert rows(table)[0] == ("polyp1.jpg", 0.5, 0.5, 100, 0)


def test_an_event_in_the_midst_of_a_fixation_does_not_part_it(write, convert, rows, examples):
    head, *lines = examples["tobii"][1].splitlines()
    # As Pro Lab writes a key press: no sensor, no gaze, with and without the name of the image.
    for media in ("", "polyp1.jpg"):
        event = f"40\tP1\tRec1\t\t1920\t1080\t{media}" + "\t" * 15
        text = "\n".join([head, *lines[:3], event, *lines[3:]]) + "\n"
        table, summary = convert(write("tobii", text), settings=ALL)
        assert rows(table) == EXPECTED
        assert summary.trials == 2


@pytest.mark.parametrize("kinds", [True, False])
def test_keys_and_the_mouse_do_not_part_a_fixation_without_sensors_either(write, convert, kinds):
    # Pro Lab with rows of the mouse, or Studio 2 with those of keys.
    head = ["Timestamp", "GazePointXLeft", "FixationIndex", "Event", "MediaName"]
    head += ["MappedFixationPointX", "MappedFixationPointY", "FixationDuration", *["GazeEventType"] * kinds]
    kind = ["Fixation"] * kinds
    lines = [[f"{17 * i}", "500", "1", "", "a.jpg", "500", "500", "250", *kind] for i in range(15)]
    lines.insert(8, ["130", "", "", "KeyPress" * (not kinds), "a.jpg", "", "", "", *[""] * kinds])
    path = write("tobii", "\n".join(map("\t".join, [head, *lines])) + "\n")
    table, _ = convert(path, settings=ConversionSettings(screen_px=(1000, 1000)))
    assert table["CURRENT_FIX_DURATION"].tolist() == [250]


def test_any_table_with_numbers_of_fixations_is_not_tobiis(write):
    text = "timestamp,fixation_index,x,y,duration,image\n0,1,50,60,210,a.jpg\n300,2,70,80,250,a.jpg\n"
    assert read_recording(write("plain", text), ReadingSettings()).format == "plain"


def test_the_place_is_read_where_the_first_row_lacks_it_and_in_the_first_versions_units(write, convert, rows, examples):
    head, first, *others = examples["tobii"][1].splitlines()
    first = first.replace("\t1000\t1000\t460\t40\t600\t500", "\t\t\t\t\t\t")
    head = head.replace("DACSpx", "RCSpx")
    assert rows(convert(write("tobii", "\n".join([head, first, *others]) + "\n"), settings=ALL)[0]) == EXPECTED


def test_a_place_on_the_screen_is_refused_for_shares_of_the_image(write, examples):
    text = examples["tobii"][1].replace("point X", "point X (MCSnorm)").replace("point Y", "point Y (MCSnorm)")
    recording = read_recording(write("tobii", text), ReadingSettings())
    with pytest.raises(ValueError, match="--stimulus_rect: expected no place of the image for .*shares of the image"):
        with_rect(recording, Rect(460, 40, 1000, 1000))
