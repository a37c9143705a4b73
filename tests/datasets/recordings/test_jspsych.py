"""jsPsych's WebGazer data: however the experiment and its server packed it."""

import json

import pandas as pd
import pytest

from datasets.recordings.convert import ConversionSettings
from datasets.recordings.detect import read_recording
from datasets.recordings.recording import ReadingSettings, Rect

TARGET = "#jspsych-image-keyboard-response-stimulus"
BOX = {"x": 200, "y": 100, "width": 400, "height": 400, "top": 100, "bottom": 500, "left": 200, "right": 600}
GEOMETRY = ConversionSettings(method="idt", screen_px=(1280, 720), screen_cm=(34, 19), distance_cm=55)


def gaze(*points: tuple[float | None, float | None], step: int = 30) -> list[dict]:
    return [{"x": x, "y": y, "t": step * index} for index, (x, y) in enumerate(points)]


def trial(index: int = 1, **more) -> dict:
    """Ten samples in the image's middle, five lost, ten left of it."""
    points = [(400, 300)] * 10 + [(None, None)] * 5 + [(250, 300)] * 10
    record = {
        "trial_type": "image-keyboard-response",
        "trial_index": index,
        "time_elapsed": 5000 * index,
        "stimulus": "img/polyp 1.jpg",
        "webgazer_data": gaze(*points),
        "webgazer_targets": {TARGET: BOX},
    }
    return record | more


OTHERS = [
    {"trial_type": "webgazer-validate", "raw_gaze": [[]]},
    {"trial_type": "html-keyboard-response", "stimulus": "+"},
]


@pytest.fixture
def read(tmp_path):
    def read(content, name: str = "data.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_recording(path, ReadingSettings())

    return read


def csv(records: list[dict]) -> str:
    cells = [{key: v if isinstance(v, str | int) else json.dumps(v) for key, v in row.items()} for row in records]
    return pd.DataFrame(cells).to_csv(index=False)


PACKED = {
    "list": [*OTHERS, trial()],
    "list_of_participants": [[*OTHERS, trial()], OTHERS],
    "object": {"id": 7, "trials": [trial()]},
    "text_in_an_object": {"data": json.dumps([*OTHERS, trial()])},
    "text_in_text": json.dumps(json.dumps({"data": json.dumps([trial()])}))[1:-1].join(['["', '"]']),
    "cells_of_text": [{k: v if isinstance(v, str | int) else json.dumps(v) for k, v in trial().items()}],
    "lines": json.dumps(OTHERS) + "\n" + json.dumps([trial()]) + "\n\n",
    "csv": csv([*OTHERS, trial()]),
    "targets_as_a_list": [trial(webgazer_targets=[{"selector": TARGET, **BOX}])],
    "only_x_and_y_of_the_target": [
        trial(webgazer_targets={TARGET: {k: BOX[k] for k in ("x", "y", "width", "height")}})
    ],
}


@pytest.mark.parametrize("content", PACKED.values(), ids=PACKED)
def test_image_place_and_fixations_however_it_is_packed(tmp_path, convert, rows, content):
    path = tmp_path / "data.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    table, summary = convert(path, settings=GEOMETRY)
    assert rows(table) == [("polyp 1.jpg", 0.5, 0.5, 300, 0), ("polyp 1.jpg", 0.125, 0.5, 300, 450)]
    assert (summary.format, summary.trials, summary.samples, summary.missing_samples) == ("jspsych", 1, 25, 5)


@pytest.mark.parametrize(
    ("stimulus", "image"),
    [
        ("https://lab.org/img/my%20polyp.jpg?v=3", "https://lab.org/img/my polyp.jpg"),
        ('<p>Look</p><img id="a" src="img/b&amp;c.png" width=10>', "img/b&c.png"),
        ("<img data-src='no.png' src='yes.png'><img src=yes.png>", "yes.png"),
        (["only.dcm"], "only.dcm"),
        ("polyp12", "polyp12"),
        ("data:image/png;base64,AAAA.png", None),
        ("<p>a.jpg</p>", None),
        (None, None),
    ],
)
def test_image_in_the_stimulus(read, stimulus, image):
    assert read([trial(stimulus=stimulus)]).trials[0].image == image


def test_a_text_as_stimulus_is_no_image(read):
    assert read([trial(stimulus="Ready?", trial_type="html-keyboard-response")]).trials[0].image is None


def test_trials_of_several_participants_keep_their_numbers(read):
    recording = read([[trial(3), trial(4)], [trial(3, stimulus="b.jpg")]])
    assert [(t.label, t.image, t.rect) for t in recording.trials] == [
        ("3", "img/polyp 1.jpg", Rect(200, 100, 400, 400)),
        ("4", "img/polyp 1.jpg", Rect(200, 100, 400, 400)),
        ("3", "b.jpg", Rect(200, 100, 400, 400)),
    ]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            trial(webgazer_targets={"#a": BOX, "#b": BOX | {"left": 0}}),
            r"image was, found 2 targets \(#a and #b\); give",
        ),
        (trial(webgazer_targets={"#a": BOX | {"width": 0}}), "image was, found a target without a size; give"),
        (trial(webgazer_targets={"#a": {"left": 1}}), "trial 1 with gaze: expected left, top, width and height"),
        (
            trial(webgazer_targets={}, stimulus="<img src=a.png><img src=b.png>"),
            "one image in the stimulus, found a.png",
        ),
        (trial(webgazer_data=[{"x": 1, "y": 2}]), "expected numbers x, y and t in sample 1, found "),
        (trial(webgazer_data=[{"x": 10**400, "y": 2, "t": 0}]), "expected numbers x, y and t in sample 1, found "),
        (trial(webgazer_data=[{"x": True, "y": 2, "t": 0}]), "expected numbers x, y and t in sample 1, found "),
        (trial(webgazer_data={"x": [1]}), "expected a list of x, y and t in 'webgazer_data'"),
        (trial(webgazer_data="[1"), "webgazer_data: expected JSON as jsPsych saves it, found .* is the file whole"),
        (trial(webgazer_data=[{"x": 1, "y": 2, "t": 9}, {"x": 1, "y": 2, "t": 0}]), "sample 2: expected times that do"),
        (trial(webgazer_data=[]), "expected samples in one of its 1 trials, found none"),
    ],
)
def test_what_is_not_certain_or_not_as_described_is_refused(tmp_path, convert, record, message):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([record]))
    with pytest.raises(ValueError, match=message):
        convert(path, settings=ConversionSettings(screen_cm=(34, 19), distance_cm=55))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps([trial()])[:-30], "data.json: expected JSON as jsPsych saves it, found .* is the file whole"),
        (json.dumps(OTHERS) + "\n" + json.dumps([trial()])[:-9], "data.json: expected JSON .* line 2 "),
        ("[" * 100_000 + '"webgazer_data"', "found maximum recursion depth"),
        ("[" * 50 + json.dumps(trial()) + "]" * 50, "found it nested more than 8 times"),
        (json.dumps({"data": [trial()], "raw": json.dumps([trial()])}), "expected each trial once, found the same as"),
        ('{"webgazer_data": null}', "expected trials with 'webgazer_data', found none"),
    ],
)
def test_texts_that_are_not_whole_or_hold_a_trial_twice(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("selector", "known"),
    [("#pic", True), ("img", True), ("div img.wide", True), (".wide", True), ("#box", False), ("#picture", False)],
)
def test_a_target_around_the_image_is_not_its_place(read, selector, known):
    html = "<div id='box'><p>Find it</p><img id='pic' class='wide big' src='a.png'></div>"
    found = read([trial(stimulus=html, webgazer_targets={selector: BOX})]).trials[0]
    assert (found.rect == Rect(200, 100, 400, 400)) == known
    assert bool(found.doubt) == (not known)
