"""Tables of any tracker: columns by name or as given, units, trials."""

import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.recording import ReadingSettings
from datasets.recordings.trial_table import with_image

SCREEN = ConversionSettings(screen_px=(100, 100), screen_cm=(30, 30), distance_cm=60)


def samples(header: str, *rows: str, count: int = 10, step: float = 10.0) -> str:
    """``count`` rows for each of ``rows``, in which T stands for the time."""
    lines = [header]
    for row in rows:
        lines += [row.replace("T", f"{(len(lines) - 1 + index) * step:g}") for index in range(count)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        (samples("time,x,y,image", "T,25,50,a.jpg"), {}),
        (samples("timestamp,gaze_x,gaze_y,stimulus", "T,25,50,a.jpg", step=10_000), {}),
        (samples("t [s],x [px],y [px],image", "T,25,50,a.jpg", step=0.01), {}),
        (samples("time_ns,x,y,image", "T,25,50,a.jpg", step=1e7), {}),
        (
            samples("when,left,top,shown", "T,25,50,a.jpg"),
            {"columns": dict(t="when", x="left", y="top", image="shown")},
        ),
        (
            samples("time\tx_norm\ty_norm\timage", "T\t0,25\t0,5\ta.jpg"),
            {"columns": dict(x="x_norm", y="y_norm"), "xy_unit": "fraction"},
        ),
    ],
)
def test_names_units_and_separators(write, convert, rows, text, reading):
    table, _ = convert(write("plain", text), ReadingSettings(**reading), SCREEN)
    assert rows(table) == [("a.jpg", 0.25, 0.5, 100, 0)]


def test_a_stretch_of_an_image_is_a_trial_and_rows_without_are_none(write, convert, rows):
    text = samples("time,x,y,image", "T,25,50,a.jpg", "T,10,10,", "T,75,50,b.jpg", "T,50,50,C:\\pics\\a.jpg")
    table, summary = convert(write("plain", text), settings=SCREEN)
    assert rows(table) == [
        ("a.jpg", 0.25, 0.5, 100, 0),
        ("a.jpg", 0.5, 0.5, 100, 0),
        ("b.jpg", 0.75, 0.5, 100, 0),
    ]
    assert table["CURRENT_FIX_INDEX"].tolist() == [1, 2, 1]
    assert summary.trials == 3


def test_clocks_that_start_anew_with_every_trial(write, convert):
    once = samples("time,x,y,image,trial", "T,25,50,a.jpg,1")
    text = once + once.replace(",1\n", ",2\n").split("\n", 1)[1]
    table, _ = convert(write("plain", text), settings=SCREEN)
    assert table["CURRENT_FIX_START"].tolist() == [0, 0]


def test_invalid_and_missing_samples_part_a_fixation(write, convert):
    text = samples("time,x,y,image,valid", "T,25,50,a.jpg,1", "T,25,50,a.jpg,0", "T,25,50,a.jpg,1", "T,,,a.jpg,1")
    table, summary = convert(write("plain", text), settings=SCREEN)
    assert table["CURRENT_FIX_START"].tolist() == [0, 200]
    assert (summary.samples, summary.missing_samples) == (40, 20)


@pytest.mark.parametrize(
    ("name", "good", "bad", "lost"),
    [
        ("status", "OK", "Lost", 10),
        ("Tracking Status", "tracked", "not tracked", 10),
        ("gaze_quality", "good", "bad", 10),
        ("tracking", "yes", "no", 10),
        # What 0 means nobody knows, and a picture is "new" or "done" by another status.
        ("status", "0", "1", 0),
        ("status", "new", "lost", 0),
    ],
)
def test_a_status_counts_where_it_says_what_is_lost(write, convert, name, good, bad, lost):
    rows = (f"T,25,50,a.jpg,{good}", f"T,75,50,a.jpg,{bad}", f"T,25,50,a.jpg,{good}")
    text = samples(f"time,x,y,image,{name}", *rows)
    assert convert(write("plain", text), settings=SCREEN)[1].missing_samples == lost


def test_repeated_times_count_once(write, convert):
    text = samples("time,x,y,image", "T,25,50,a.jpg").replace("\n30,", "\n20,")
    assert convert(write("plain", text), settings=SCREEN)[0]["CURRENT_FIX_DURATION"].tolist() == [100]


def test_a_table_of_fixations(write, convert, rows):
    text = "start,x,y,duration [s],image\n0,25,50,0.1,a.jpg\n200,75,50,0.04,a.jpg\n"
    table, summary = convert(write("plain", text), ReadingSettings(time_unit="ms"), SCREEN)
    assert rows(table) == [("a.jpg", 0.25, 0.5, 100, None)]
    assert (summary.method, summary.short) == ("events", 1)


@pytest.mark.parametrize(
    ("text", "reading", "message"),
    [
        (
            "time,x,z,image\n1,2,3,a\n",
            {"columns": {"x": "x"}},
            r"found none for y \('y' or .*\) among time, x, z, image; give --columns y=NAME",
        ),
        ("time,x,y,image\n1,2,3,a\n", {"columns": {"t": "zeit"}}, r"expected the column 'zeit' \(--columns t=zeit\)"),
        (
            samples("time_ms,x,y,image", "T,2,3,a", count=12) + "0,2,3,a\n",
            {},
            "row 14: expected times that do not decrease, found 0 ms after 110 ms",
        ),
        ("time_ms,x,y,image\n1,2,3,a\n2,2,3e999,a\n", {}, "row 3: expected a number in y, found '3e999'"),
        ("time_ms,x,y,image\n1,2,3,a\n2,2\n", {}, "last row: expected 4 fields, found 2; the file was cut short"),
        ("time_ms,x,y,image\n1,2,3,a\n2,2,3,a,5\n", {}, "expected a table, found something else"),
        (
            "time_ms,x,y,image\n1,2,3,a,5\n2,2,3,a,5\n",
            {},
            "found more; if the rows have names or numbers without a header",
        ),
        ('time_ms,x,y,image\n1,2,3,"a\n', {}, "expected a table, found something else"),
    ],
)
def test_tables_that_do_not_fit(write, text, reading, message):
    path = write("plain", text)
    with pytest.raises(ValueError, match=message) as caught:
        read_recording(path, ReadingSettings(**reading), format="plain")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["..", "a/..", "pics\\", "a\tb.jpg", "a\x7f.jpg", "a\u2028b.jpg", ".jpg", "ä" * 130])
def test_names_that_can_name_no_file(write, convert, name):
    with pytest.raises(ValueError, match="row 2: expected the name of an image"):
        convert(write("plain", samples("time;x;y;image", f"T;25;50;{name}").replace("T", "0")), settings=SCREEN)


def test_shares_of_the_screen_are_no_pixels(write, convert, rows):
    # As the Tobii SDK and Titta give them; all would lie in the left upper corner.
    text = samples("system_time_stamp,left_x,left_y,image", "T,0.25,0.5,a.jpg", "T,1.02,-0.1,a.jpg", step=16_667)
    columns = dict(t="system_time_stamp", x="left_x", y="left_y")
    with pytest.raises(ValueError, match="expected pixels in 'left_x' and 'left_y', .* give --xy_unit fraction"):
        convert(write("plain", text), ReadingSettings(columns=columns), SCREEN)
    table, summary = convert(write("plain", text), ReadingSettings(columns=columns, xy_unit="fraction"), SCREEN)
    assert rows(table)[0][:3] == ("a.jpg", 0.25, 0.5)
    assert summary.outside == 1


@pytest.mark.parametrize("scale", [1, 0.001, 1000], ids=["ms", "s", "us"])
def test_the_unit_of_time_of_fixations_goes_by_their_durations(write, scale):
    starts = [start * scale for start in (0, 320, 600, 910)]
    text = "start,x,y,duration_ms,image\n" + "".join(f"{start:g},25,50,250,a.jpg\n" for start in starts)
    fixations = read_recording(write("plain", text), ReadingSettings()).trials[0].fixations
    assert fixations["start_ms"].tolist() == pytest.approx([0, 320, 600, 910])


def test_a_duration_of_the_trial_beside_samples_is_none_of_fixations(write):
    text = samples("time_ms,x,y,image,duration", "T,25,50,a.jpg,3000", "T,25,50,b.jpg,2000")
    with pytest.raises(ValueError, match="row 2: expected durations of fixations in 'duration', found the same one"):
        read_recording(write("plain", text), ReadingSettings())


def test_the_given_unit_of_time_is_that_of_durations_without_one(write, convert, rows):
    text = "fixation_start,x,y,duration,image\n0.1,25,50,0.25,a.jpg\n0.4,75,50,0.2,a.jpg\n"
    table, _ = convert(write("plain", text), ReadingSettings(time_unit="s"), SCREEN)
    assert rows(table) == [("a.jpg", 0.25, 0.5, 250, None), ("a.jpg", 0.75, 0.5, 200, None)]


def test_messages_between_the_rows_of_the_eye_tribe_are_left_out(write, convert, rows):
    header = ["timestamp", "time", "fix", "state", "rawx", "rawy", "avgx", "avgy", "psize"]
    lines = [f"2014-06-19 14:12:{33 * i / 1000:06.3f}|{33 * i}|True|7|24|51|25|50|20" for i in range(10)]
    message = "MSG|2014-06-19 14:12:00.100|150|key pressed"
    text = "\n".join(["|".join(header), message, *lines[:5], message, *lines[5:]]).replace("|", "\t") + "\n"
    table, summary = convert(write("plain", text), settings=SCREEN, edit=lambda recording: with_image(recording, "a"))
    assert rows(table) == [("a", 0.25, 0.5, 330, 0)]
    assert summary.left_out == {"rows of messages": 2}


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        # As COCO-Search18 and GazeSearch have them; T are durations, and the box has as many numbers by chance.
        (
            '[{"name": "a.jpg", "bbox": [1, 2, 3, 4], "X": [10, 20, 30, 40], "Y": [50, 50, 60, 60], "length": 4,'
            ' "T": [200, 100, 300, 80]}, {"name": "b.jpg", "bbox": [1, 2, 3, 4], "X": [75], "Y": [25], "length": 1,'
            ' "T": [120]}, {"name": "c.jpg", "bbox": [1, 2, 3, 4], "X": [], "Y": [], "length": 0, "T": []}]',
            {"duration": "T"},
        ),
        # The same as pandas writes it.
        (
            'name,X,Y,T\na.jpg,"[10, 20, 30, 40]","[50, 50, 60, 60]","[200, 100, 300, 80]"\nb.jpg,[75],[25],[120]\n',
            {"duration": "T"},
        ),
        (
            '[{"image": "a.jpg", "fixations": [{"x": 10, "y": 50, "duration": 200},'
            ' {"x": 20, "y": 50, "duration": 100},'
            ' {"x": 30, "y": 60, "duration": 300}, {"x": 40, "y": 60, "duration": 80}]},'
            ' {"image": "b.jpg", "fixations": [{"x": 75, "y": 25, "duration": 120}]},'
            ' {"image": "c.jpg", "fixations": []}]',
            None,
        ),
    ],
)
def test_a_scanpath_in_a_row_is_a_row_a_fixation(write, convert, text, columns):
    table, summary = convert(write("plain", text), ReadingSettings(columns=columns), SCREEN)
    path = [(0.1, 0.5, 200), (0.2, 0.5, 100), (0.3, 0.6, 300), (0.4, 0.6, 80)]
    found = table[["IMAGE", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION"]].itertuples(
        index=False, name=None
    )
    assert [*found] == [*(("a.jpg", *fixation) for fixation in path), ("b.jpg", 0.75, 0.25, 120)]
    assert summary.trials == 2


def test_lost_positions_of_a_scanpath_are_counted(write, convert):
    text = '[{"image": "a.jpg", "x": [10, null, 30, 40], "y": [50, null, 60, 60], "duration": [200, 100, 300, 80]}]'
    table, summary = convert(write("plain", text), settings=SCREEN)
    assert table["CURRENT_FIX_DURATION"].tolist() == [200, 300, 80] and summary.outside == 1


def test_pairs_in_cells_are_no_scanpath(write, convert):
    text = '[{"t": 0, "left": [1, 2], "right": [3, 4], "image": "a.jpg"}]'
    with pytest.raises(ValueError, match="x \\('x'"):
        convert(write("plain", text), ReadingSettings(columns={"t": "t"}), SCREEN)


def test_fixations_as_reflacx_has_them(write, convert, rows):
    text = "timestamp_start_fixation,timestamp_end_fixation,x_position,y_position\n0.5,0.7,25,50\n0.72,1.02,75,50\n"
    table, _ = convert(write("plain", text), settings=SCREEN, edit=lambda of: with_image(of, "a.jpg"))
    assert rows(table) == [("a.jpg", 0.25, 0.5, 200, None), ("a.jpg", 0.75, 0.5, 300, None)]


def test_a_column_given_for_one_role_is_none_of_another(write, convert):
    text = "time,length,x,y,image\n200,7,25,50,a.jpg\n100,9,75,50,a.jpg\n"
    table, _ = convert(write("plain", text), ReadingSettings(columns={"duration": "time"}), SCREEN)
    assert table["CURRENT_FIX_DURATION"].tolist() == [200, 100] and "CURRENT_FIX_START" not in table


def test_a_clock_in_words_is_refused_with_what_to_do(write, convert):
    with pytest.raises(ValueError, match="found '2024-05-01T10:00:00Z'; .* write one"):
        convert(write("plain", "time,x,y,image\n2024-05-01T10:00:00Z,25,50,a.jpg\n"), settings=SCREEN)


def test_rows_of_what_is_on_the_screen_are_no_samples(write, convert, rows):
    header = "type,time_stamp,x_pred,y_pred,zone_x,zone_width,stimulus"
    text = samples(header, "prediction,T,25,50,,,a.jpg").replace(header, f"{header}\nzone,,,,100,800,a.jpg")
    table, summary = convert(write("plain", text), settings=SCREEN)
    assert rows(table) == [("a.jpg", 0.25, 0.5, 100, 0)]
    assert summary.left_out == {"rows without time and position": 1}


@pytest.mark.parametrize(
    "text",
    [
        samples("time,gx_left,gy_left,gx_right,gy_right,image", "T,80,80,25,50,a.jpg"),
        "sttime,entime,eye,gavx,gavy,image\n1200,1300,RIGHT,25,50,a.jpg\n",
        "stime,etime,dur,axp,ayp,eye,image\n1200,1300,100,25,50,R,a.jpg\n",
    ],
)
def test_names_of_tables_made_of_eyelink_files(write, convert, text):
    table, _ = convert(write("plain", text), settings=SCREEN)
    assert table[["CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION"]].to_numpy().tolist() == [[0.25, 0.5, 100]]
