"""Declared formats: what is particular to each, on tables made to the makers' descriptions, and on real recordings."""

import json
import os
import re
from pathlib import Path

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detection import DetectionSettings
from datasets.recordings.recording import ReadingSettings, Rect
from datasets.recordings.trial_table import with_image, with_rect

SCREEN = ConversionSettings(screen_px=(1000, 1000), screen_cm=(30, 30), distance_cm=60)


def named(recording):
    return with_image(recording, "a.png")


def seen(settings: ConversionSettings = SCREEN, **changes) -> ConversionSettings:
    return ConversionSettings(**(vars(settings) | changes))


@pytest.mark.parametrize(
    ("eye", "position", "missing"), [("auto", (0.75, 0.5), 0), ("left", (0.25, 0.5), 1), ("both", None, 0)]
)
def test_tobii_sdk_has_tuples_an_eye(write, convert, rows, eye, position, missing):
    table, summary = convert(write("tobii_sdk"), None, seen(method="idt", eye=eye), named)
    # 12 samples of 11.1 ms; where the left eye is lost, the mean is the right eye's and parts the fixation.
    assert rows(table)[0][1:3] == (position or (0.5, 0.5))
    assert (summary.samples, summary.missing_samples) == (12, missing)


def test_a_row_that_the_end_of_a_live_recording_cut_is_left_out(write, convert, examples):
    _, summary = convert(write("tobii_sdk", examples["tobii_sdk"][1][:-9]), None, SCREEN, named)
    assert (summary.samples, summary.left_out) == (11, {"rows cut short at the end": 1})


def test_tx300_samples_know_their_codes(write, convert, rows):
    table, summary = convert(write("i2mc"), None, seen(eye="left"), named)
    assert rows(table) == [("a.png", 0.5, 0.25, pytest.approx(99.99), 0)]
    assert (summary.missing_samples, summary.other_eyes) == (3, 33)


def test_smi_events_name_stimulus_eye_and_kind(write, convert, rows):
    table, summary = convert(write("smi"))
    assert rows(table) == [("polyp1.jpg", 0.5, 0.5, 200, None), ("polyp2.jpg", 0.75, 0.25, 300, None)]
    assert (summary.eye, summary.short, summary.other_eyes) == ("right", 1, 1)
    assert summary.left_out == {
        f"rows of kind {kind}": n for kind, n in (("user event", 3), ("saccade", 1), ("blink", 1))
    }


@pytest.mark.parametrize("message", ["RT 0.532", "response: 2.25"])
def test_a_number_in_a_message_of_smi_is_no_stimulus(write, convert, examples, message):
    text = examples["smi"][1] + f"UserEvent,2,4,2310000,# Message: {message}\n"
    text += "Fixation R,2,4,2400000,2600000,200000,420,525,1,1,-,-,-1\n"
    assert convert(write("smi", text))[0]["IMAGE"].tolist() == ["polyp1.jpg", "polyp2.jpg", "polyp2.jpg"]


def test_smi_samples_and_their_messages(write, convert, rows):
    lines = ["## [iView]", "## Calibration Area:\t1000\t500", "Time\tType\tTrial\tL POR X [px]\tL POR Y [px]"]
    for trial, name in enumerate(("a.png", "b.png")):
        lines.append(f"{1000000 + trial * 400000}\tMSG\t{trial}\t# Message: {name}")
        for index in range(50):
            x = 0 if 20 <= index < 30 else 250
            lines.append(f"{1000000 + trial * 400000 + index * 4000}\tSMP\t{trial}\t{x}.00\t{x}.00")
    settings = seen(screen_px=None, detection=DetectionSettings(merge_gap_ms=0))
    table, summary = convert(write("smi", "\n".join(lines) + "\n"), None, settings)
    assert rows(table) == [(name, 0.25, 0.5, 80, start) for name in ("a.png", "b.png") for start in (0, 120)]
    assert summary.missing_samples == 20
    assert "20 of the left eye's positions are (0, 0), which stands for lost: missing" in summary.notes


def test_smi_event_statistics_of_later_versions(write, convert, rows):
    lines = [
        "Trial\tStimulus\tParticipant\tCategory\tEye L/R\tEvent Start Trial Time [ms]\tEvent End Trial Time [ms]\t"
        "Event Duration [ms]\tFixation Position X [px]\tFixation Position Y [px]"
    ]
    for start, kind in ((0, "Fixation"), (300, "Saccade"), (400, "Visual Intake")):
        for eye in ("Left", "Right"):
            at = "-\t-" if kind == "Saccade" else "250,0\t500,0"
            lines.append(f"Trial001\ta.png\tP1\t{kind}\t{eye}\t{start},5\t{start + 200},75\t200,25\t{at}")
    table, summary = convert(write("smi", "\n".join(lines) + "\n", encoding="utf-16"), None, SCREEN)
    assert [row[:4] for row in rows(table)] == [("a.png", 0.25, 0.5, 200.25)] * 2
    assert (summary.other_eyes, summary.left_out) == (2, {"rows of kind saccade": 2})


def test_a_fixation_report_is_in_pixels_whatever_the_order_of_its_columns(write, convert, rows):
    table, summary = convert(write("data_viewer"), None, ConversionSettings(screen_px=(1024, 768)))
    assert rows(table) == [("polyp1.jpg", 0.5, 0.5, 250, None), ("polyp2.jpg", 0.25, 0.25, 120, None)]
    assert (summary.eye, summary.short, summary.outside) == ("right", 1, 1)


@pytest.mark.parametrize(("name", "columns"), [("IMG", None), ("page_name", None), ("my scan", {"image": "my scan"})])
def test_the_variable_that_names_the_image_of_a_report(write, convert, examples, name, columns):
    text = examples["data_viewer"][1].replace("\timage\t", f"\t{name}\t").replace(".jpg", "")
    table, _ = convert(
        write("data_viewer", text), ReadingSettings(columns=columns), ConversionSettings(screen_px=(1024, 768))
    )
    assert table["IMAGE"].tolist() == ["polyp1", "polyp2"]


def test_rows_of_a_report_without_an_image_are_left_out(write, convert, examples):
    text = examples["data_viewer"][1].replace("polyp2.jpg", "UNDEFINED")
    table, summary = convert(write("data_viewer", text), None, ConversionSettings(screen_px=(1024, 768)))
    assert table["IMAGE"].tolist() == ["polyp1.jpg"]
    assert summary.left_out == {"fixations in trials without an image": 1}


def test_a_report_of_both_eyes_counts_one(write, convert, examples):
    lines = examples["data_viewer"][1].splitlines()
    text = "\n".join([lines[0], *(row.replace("RIGHT", eye) for row in lines[1:] for eye in ("RIGHT", "LEFT"))]) + "\n"
    table, summary = convert(write("data_viewer", text), None, ConversionSettings(screen_px=(1024, 768)))
    assert (len(table), summary.other_eyes) == (2, 4)


def test_json_records_are_a_plain_table(write, convert, rows):
    text = json.dumps([{"t": 33 * index, "x": 300, "y": 200, "image": "a.png", "z": None} for index in range(10)])
    assert rows(convert(write("plain", text), None, SCREEN)[0]) == [("a.png", 0.3, 0.2, 330, 0)]


STUDIO_3 = (
    "ParticipantName\tRecordingName\tRecordingResolution\tMediaName\tMediaPosX (ADCSpx)\tMediaPosY (ADCSpx)\t"
    "MediaWidth\tMediaHeight\tRecordingTimestamp\tStudioEvent\tFixationIndex\tGazeEventType\tGazeEventDuration\t"
    "FixationPointX (MCSpx)\tFixationPointY (MCSpx)\tGazePointX (ADCSpx)\tGazePointY (ADCSpx)\t"
    "ValidityLeft\tValidityRight"
)


def studio_3() -> str:
    """60 Hz; a.jpg at (460,140) for twenty rows, b.jpg for ten, the second fixation on both; a key in between."""
    lines = [STUDIO_3]
    for index in range(30):
        image, at = "a.jpg" if index < 20 else "b.jpg", round(index * 50 / 3)
        head = f"P1\tRec\t1920 x 1080\t{image}\t460\t140\t1000\t800\t{at}\t"
        if index == 4:
            lines.append(head + "KeyPress" + "\t" * 9)
        kind, number, x, duration = ("Fixation", 1, 100, 133) if index < 8 else ("Fixation", 2, 300, 333)
        kind, number = (kind, number) if not 8 <= index < 10 else ("Saccade", "")
        lines.append(f"{head}\t{number}\t{kind}\t{duration}\t{x}\t200\t{x + 460}\t340\t0\t{0 if index else 4}")
    return "\n".join(lines) + "\n"


STUDIO_3_ROWS = [("a.jpg", 0.1, 0.25, 133, 0), ("a.jpg", 0.3, 0.25, 166, 167), ("b.jpg", 0.3, 0.25, 167, 0)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tobii_studio_3_places_fixations_on_the_media(write, convert, rows, encoding):
    table, _ = convert(write("tobii", studio_3(), encoding=encoding))
    assert rows(table) == STUDIO_3_ROWS


@pytest.mark.parametrize("sized", [True, False])
def test_the_place_of_the_media_does_not_move_what_is_measured_from_its_corner(write, convert, rows, sized):
    text = studio_3() if sized else re.sub("MediaPos|MediaW|MediaH", "No", studio_3())
    place = Rect(460, 140, 1000, 800)
    table, summary = convert(write("tobii", text), edit=lambda recording: with_rect(recording, place))
    assert (rows(table), summary.notes) == (STUDIO_3_ROWS, [])


def test_tobii_studio_3_samples_are_on_the_screen(write, convert, rows):
    settings = ConversionSettings(method="idt", screen_cm=(53, 30), distance_cm=60)
    table, _ = convert(write("tobii", studio_3()), ReadingSettings(want_samples=True), settings)
    assert [row[:3] for row in rows(table)] == [row[:3] for row in STUDIO_3_ROWS]


def test_tobii_studio_2_with_its_preamble(write, convert, rows):
    above = "Data properties:\n\nScreen resolution: 1280 x 1024\nCoordinate unit: Pixels\n\n\n"
    header = "FixationIndex\tTimestamp\tFixationDuration\tMappedFixationPointX\tMappedFixationPointY\t\n"
    text = above + header + "12\t26\t633\t640\t512\t\n13\t659\t49\t320\t256\t\n14\t708\t350\t-1\t578\t\n"
    table, summary = convert(write("tobii", text), None, None, named)
    assert rows(table) == [("a.png", 0.5, 0.5, 633, None)]
    assert (summary.short, summary.outside) == (1, 1)


LAB = "Recording timestamp\tSensor\tEye movement type\tGaze event duration\tEye movement type index\t"


def lab(*events: tuple[str, int, int, int], columns: str = "Fixation point X\tFixation point Y") -> str:
    """60 Hz; (kind, duration, number, rows) each; fixations at (500, 250)."""
    kinds = [event for event in events for _ in range(event[3])]
    rows = [
        f"{1000 + round(index * 50 / 3)}\tEye Tracker\t{kind}\t{duration}\t{number}\t"
        + ("500\t250" if kind == "Fixation" else "\t")
        for index, (kind, duration, number, _) in enumerate(kinds)
    ]
    return "\n".join([LAB + columns, *rows]) + "\n"


@pytest.mark.parametrize(
    ("events", "durations", "cut"),
    [
        # 400 of its 500 ms were before the first row.
        (
            [("Fixation", 500, 7, 6), ("Saccade", 33, 8, 2), ("Fixation", 200, 9, 12), ("Saccade", 33, 10, 2)],
            [100, 200],
            1,
        ),
        ([("Saccade", 33, 8, 2), ("Fixation", 900, 9, 12)], [200], 1),
        ([("Fixation", 922, 1681, 30)], [500], 1),
        ([("Fixation", 100, 1, 6), ("Saccade", 33, 1, 2), ("Fixation", 200, 2, 12)], [100, 200], 0),
    ],
)
def test_of_a_fixation_that_the_export_cuts_what_is_seen_counts(write, convert, rows, events, durations, cut):
    table, summary = convert(write("tobii", lab(*events)), None, SCREEN, named)
    assert [row[3] for row in rows(table)] == pytest.approx(durations, abs=1)
    assert sum("are cut by the first or last row" in note for note in summary.notes) == cut


@pytest.mark.parametrize("media", ["", "\tPresented Media name"])
def test_a_glasses_project_names_its_snapshots(write, convert, rows, media):
    text = lab(("Fixation", 922, 5, 12)).splitlines()
    names = [
        f"\tMapped {what} [{snapshot}]"
        for snapshot in ("left.jpg", "right.jpg")
        for what in ("eye movement type", "eye movement type index", "fixation X", "fixation Y")
    ]
    lines = [text[0] + "".join(names) + media]
    for index, row in enumerate(text[1:]):
        first = "\tFixation\t1\t100\t50" if index < 6 else "\t" * 4
        second = "\tFixation\t1\t300\t150" if index >= 6 else "\tEyesNotFound\t1\t\t"
        lines.append(row + first + second + "\t" * bool(media))
    path = write("tobii", "\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="found pixels of a snapshot, .* give --stimulus_rect"):
        convert(path)
    table, _ = convert(path, edit=lambda recording: with_rect(recording, Rect(0, 0, 400, 200)))
    assert [row[:3] for row in rows(table)] == [("left.jpg", 0.25, 0.25), ("right.jpg", 0.75, 0.75)]
    assert [row[3] for row in rows(table)] == pytest.approx([100, 100], abs=1)


def test_an_export_without_media_takes_the_image_as_given(write, convert, rows):
    path = write("tobii", lab(("Fixation", 100, 1, 6), ("Saccade", 33, 1, 2)))
    with pytest.raises(ValueError, match="expected the recording to name the image .* --image NAME"):
        convert(path)
    assert rows(convert(path, None, SCREEN, named)[0]) == [("a.png", 0.5, 0.25, 100, 0)]


def test_a_number_of_the_media_is_no_name(write, convert, examples):
    text = "\n".join(
        line.split(",", 2)[0] + "," + line.split(",", 2)[2] for line in examples["gazepoint"][1].splitlines()
    )
    with pytest.raises(ValueError, match="expected the recording to name the image"):
        convert(write("gazepoint", text + "\n"))


def test_one_eye_of_gazepoints_samples(write, convert, rows):
    header = "MEDIA_NAME,TIME(2023/03/01),LPOGX,LPOGY,LPOGV,RPOGX,RPOGY,RPOGV,BPOGX,BPOGY,BPOGV\n"
    text = header + "".join(f"a.jpg,{index / 60:.5f},0.2,0.5,1,0.4,0.5,1,0.3,0.5,1\n" for index in range(12))
    for eye, x in (("auto", 0.3), ("left", 0.2), ("right", 0.4)):
        table, _ = convert(write("gazepoint", text), None, seen(eye=eye))
        assert rows(table)[0][1] == x


def test_imotions_has_a_fixation_in_each_of_its_rows(write, convert, rows):
    path = write("imotions")
    table, summary = convert(path, None, ConversionSettings(screen_px=(1000, 1000)))
    assert (rows(table), summary.format) == ([("a.png", 0.5, 0.5, 200, 0), ("a.png", 0.25, 0.5, 270, 230)], "imotions")
    table, _ = convert(path, ReadingSettings(want_samples=True), seen(method="idt", eye="left"))
    assert [row[1] for row in rows(table)] == [0.495, pytest.approx(0.245)]


NEON = "recording id,timestamp [ns],gaze x [px],gaze y [px],worn\n"


def test_glasses_that_are_not_worn_see_nothing(write, convert):
    text = NEON + "".join(f"r,{17 * 10**17 + index * 5000000},400,300,{index < 60}\n" for index in range(100))
    _, summary = convert(write("pupil_cloud", text), None, SCREEN, named)
    assert (summary.samples, summary.missing_samples) == (100, 40)


def test_neighbours_that_binocular_mapping_swaps_are_sorted(write, convert, rows):
    lines = [f"{10 + index / 250:.4f},{0.25 if index < 50 else 0.75},0.25,True,0.9" for index in range(100)]
    for index in range(10, 90, 20):
        lines[index : index + 2] = lines[index + 1], lines[index]
    text = "\n".join(["gaze_timestamp,x_norm,y_norm,on_surf,confidence", *lines]) + "\n"
    table, summary = convert(write("pupil_player", text, name="gaze_positions_on_surface_p.csv"), None, SCREEN)
    assert [row[1:3] for row in rows(table)] == [(0.25, 0.75), (0.75, 0.75)]
    assert "4 rows are in the wrong order of time: sorted" in summary.notes


RECORDINGS = Path(os.environ.get("GAZEMEDSEG_SHARED", "none")) / "data" / "recordings"
GEOMETRY = ConversionSettings(screen_px=(1920, 1080), screen_cm=(53, 30), distance_cm=60)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="needs the shared folder (GAZEMEDSEG_SHARED)")
@pytest.mark.parametrize(
    ("name", "settings", "image", "found"),
    [
        # kept, shorter, outside, of the other eye; or samples, missing, of the other eye: counted with awk.
        ("plain/pymovements_18sat_fixfinal.csv", ConversionSettings(screen_px=(1024, 768)), None, (109, 3, 0, 0)),
        ("plain/Titta_allfixations.txt", GEOMETRY, None, (51, 1, 0, 0)),
        ("plain/haoruisun_s073_Fixation.csv", GEOMETRY, "a", (3194, 98, 58, 3320)),
        ("plain/haoruisun_s073_Fixation.csv", seen(GEOMETRY, eye="left"), "a", (3108, 133, 79, 3350)),
        ("plain/I2MC_participant1_1.tsv", GEOMETRY, "a", (651, 9, 651)),
        ("pupil/core10/fixations.csv", GEOMETRY, "a", (36, 0, 0, 0)),
        ("pupil/core10/gaze_positions.csv", GEOMETRY, "a", (2054, 441, 0)),
        ("pupil/surface_excerpt/fixations_on_surface_Cover.csv", GEOMETRY, None, (2, 0, 0, 0)),
        ("pupil/invisible/fixations.csv", GEOMETRY, "a", (17, 0, 0, 0)),
        ("pupil/invisible/gaze.csv", GEOMETRY, "a", (3385, 0, 0)),
        ("smi/EMDAT_SMI_Sample_67_Events.txt", ConversionSettings(screen_px=(9999, 9999)), None, (5251, 0, 21, 5271)),
        ("tobii/EMDAT_V2_P61-Fixation-Data.tsv", ConversionSettings(), "a", (4473, 146, 45, 0)),
        ("tobii/EMDAT_4Ctest.csv", GEOMETRY, "a", (453, 38, 453)),
        ("tobii/EMDAT_4Ctest_fixation.csv", GEOMETRY, "a", (14, 0, 0, 0)),
        ("tobii/gazeplotter_testMobileTsvData.tsv", GEOMETRY, None, (1, 0, 0, 0)),
    ],
)
def test_real_recordings(convert, name, settings, image, found):
    def edit(recording):
        placed = "core10" in name or "gazeplotter" in name
        return with_rect(with_image(recording, image), Rect(0, 0, 1920, 1080) if placed else None)

    _, summary = convert(RECORDINGS / name, None, settings, edit)
    fixations = (summary.kept, summary.short, summary.outside, summary.other_eyes)
    samples = (summary.samples, summary.missing_samples, summary.other_eyes)
    assert (fixations if summary.method == "events" else samples) == found
