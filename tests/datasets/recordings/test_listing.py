"""A recording's trials in words."""

from dataclasses import replace

from datasets.recordings.detect import read_recording
from datasets.recordings.recording import ReadingSettings
from datasets.recordings.trial_table import list_trials


def test_times_that_are_not_known_are_those_of_the_gaze(write):
    lines = list_trials(read_recording(write("pupil_player"), ReadingSettings()))
    assert lines[2].split()[:4] == ["1", "1", "(-100500)", "(-99780)"]


def test_labels_that_a_terminal_would_obey_or_that_are_long(write):
    recording = read_recording(write("eyelink"), ReadingSettings())
    trial = replace(recording.trials[0], label="\x1b[2J" + "x" * 80, gaze=recording.trials[0].gaze[:0])
    line = list_trials(replace(recording, trials=(trial,)))[2]
    assert "\\x1b[2Jxxx" in line and "x..." in line and "0 fixations" in line


def test_what_is_not_certain_is_told_with_the_way_out(write, examples):
    text = examples["eyelink"][1].replace("TRIALID 2", "TRIALID 2 my.jpg").replace("!V IMGLOAD CENTER", "x")
    lines = list_trials(read_recording(write("eyelink", text), ReadingSettings()))
    assert "not certain: expected the name of an image, found a number before it" in lines[3]
    assert lines[2].endswith("!V IMGLOAD FILL images\\polyp1.jpg")
