"""Several recordings in one table, and what is refused."""

from dataclasses import replace

import pytest

from datasets.gaze.fixations import read_fixations
from datasets.recordings.convert import ConversionSettings, convert_recordings
from datasets.recordings.detect import read_recording
from datasets.recordings.recording import ReadingSettings

HEADER = "start_ms,x,y,duration_ms,image,trial"
SCREEN = ConversionSettings(screen_px=(100, 100))


@pytest.fixture
def convert_all(write):
    def convert_all(*texts: str, settings=SCREEN):
        paths = [write("plain", text, name=f"{index}.csv") for index, text in enumerate(texts)]
        return convert_recordings([read_recording(path, ReadingSettings()) for path in paths], settings)

    return convert_all


def test_an_image_seen_again_goes_on_counting(convert_all):
    first = f"{HEADER}\n0,10,20,100,a.jpg,1\n200,30,40,100,b.jpg,2\n400,50,60,100,a.jpg,3\n"
    table, summaries, repeated = convert_all(first, f"{HEADER}\n0,70,80,100,a.jpg,1\n")
    assert table["IMAGE"].tolist() == ["a.jpg", "a.jpg", "a.jpg", "b.jpg"]
    assert table["CURRENT_FIX_INDEX"].tolist() == [1, 2, 3, 1]
    assert table["CURRENT_FIX_X"].tolist() == [0.1, 0.5, 0.7, 0.3]
    assert repeated == ["a.jpg"]
    assert [summary.kept for summary in summaries] == [3, 1]


def test_the_table_is_one_that_prepare_reads(convert_all, tmp_path):
    table, _, _ = convert_all(f"{HEADER}\n0,10,20,100,a.jpg,1\n")
    # What is not known has no column, rather than empty cells.
    assert list(table) == ["IMAGE", "CURRENT_FIX_INDEX", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION"]
    table.to_csv(tmp_path / "fixations.csv", index=False)
    fixations = read_fixations(tmp_path / "fixations.csv")["a"]
    assert (fixations.xy.tolist(), fixations.duration_ms.tolist()) == ([[0.1, 0.2]], [100])


@pytest.mark.parametrize(
    ("row", "kept", "count"),
    [
        ("0,0,100,50,a.jpg,1", 1, "kept"),
        ("0,0,100,49.9,a.jpg,1", 0, "short"),
        ("0,-0.1,50,50,a.jpg,1", 0, "outside"),
        ("0,50,100.1,50,a.jpg,1", 0, "outside"),
        ("0,,,50,a.jpg,1", 0, "outside"),
    ],
)
def test_what_is_left_out_is_counted(convert_all, row, kept, count):
    table, summaries, _ = convert_all(f"{HEADER}\n500,50,50,100,a.jpg,1\n{row.replace('0,', '900,', 1)}\n")
    assert len(table) == 1 + kept
    assert getattr(summaries[0], count) == 1 + kept


def test_an_image_has_one_size_whichever_recording_knows_it(write):
    paths = [write("gazepoint"), write("tobii")]
    recordings = [read_recording(path, ReadingSettings()) for path in paths]
    table, _, _ = convert_recordings(recordings, ConversionSettings())
    assert table["IMAGE_WIDTH"].tolist() == [600] * len(table)
    trial = recordings[0].trials[0]
    recordings[0] = replace(recordings[0], trials=(replace(trial, image_size=(500, 601)),))
    with pytest.raises(ValueError, match="polyp1.jpg: expected one IMAGE_WIDTH in all recordings, found 601 and 600"):
        convert_recordings(recordings, ConversionSettings())


def test_two_images_of_one_id_are_refused(convert_all):
    with pytest.raises(ValueError, match="expected one image name an id, found a.jpg and a.png"):
        convert_all(f"{HEADER}\n0,1,2,100,a.jpg,1\n", f"{HEADER}\n0,1,2,100,a.png,1\n")


@pytest.mark.parametrize("first", ["", "500,1,2,100,x.png,0\n"])
def test_images_of_two_folders_that_have_one_name_are_refused(convert_all, first):
    text = f"{HEADER}\n{first}0,1,2,100,A\\x.png,1\n900,1,2,100,B/x.png,2\n"
    with pytest.raises(ValueError, match=r"0\.csv, row \d: expected an image x.png in one folder, found it in A and B"):
        convert_all(text)


def test_an_image_without_ending_in_one_recording_is_that_with_it_in_another(convert_all):
    table, _, repeated = convert_all(f"{HEADER}\n0,1,2,100,a,1\n", f"{HEADER}\n0,1,2,100,a.jpg,1\n")
    assert (table["IMAGE"].tolist(), repeated) == (["a.jpg", "a.jpg"], ["a.jpg"])


def test_an_accent_is_the_same_written_either_way(convert_all):
    table, _, repeated = convert_all(f"{HEADER}\n0,1,2,100,\u00e9.png,1\n", f"{HEADER}\n0,1,2,100,e\u0301.png,1\n")
    assert (table["IMAGE"].tolist(), repeated) == (["\u00e9.png"] * 2, ["\u00e9.png"])


def test_a_recording_that_yields_nothing_is_an_error_even_beside_one_that_does(convert_all):
    with pytest.raises(ValueError, match=r"1\.csv: expected at least one fixation on an image, found none \(1 shorter"):
        convert_all(f"{HEADER}\n0,1,2,100,a.jpg,1\n", f"{HEADER}\n0,1,2,10,a.jpg,1\n")


def test_a_fixation_of_more_than_a_minute_is_a_wrong_unit(convert_all):
    with pytest.raises(ValueError, match=r"0\.csv: expected fixations of up to a minute, found one of 250000 ms"):
        convert_all(f"{HEADER}\n0,1,2,250000,a.jpg,1\n")


def test_methods_that_the_recording_cannot_serve(convert_all):
    with pytest.raises(ValueError, match="expected samples in one of its 1 trials, found none"):
        convert_all(f"{HEADER}\n0,1,2,100,a.jpg,1\n", settings=ConversionSettings(method="ivt"))
    with pytest.raises(ValueError, match="expected fixations of the tracker .* --method ivt or idt finds them"):
        convert_all("time_ms,x,y,image\n0,1,2,a\n10,1,2,a\n", settings=ConversionSettings(method="events"))
