"""The log of a run: console, train.log and TensorBoard events."""

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from utils import log
from utils.log import NoLog, RunLog, code_version


def _events(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_lines_go_to_the_console_and_the_file(tmp_path, capsys):
    with RunLog(tmp_path / "new" / "run") as run_log:
        run_log.info("hello")
    assert re.fullmatch(r"\d\d:\d\d:\d\d hello\n", capsys.readouterr().out)
    assert re.fullmatch(r"\d\d:\d\d:\d\d hello\n", (tmp_path / "new" / "run" / "train.log").read_text())


def test_resumed_run_appends_and_says_everything_once(tmp_path, capsys):
    for word in ("first", "second"):
        with RunLog(tmp_path) as run_log:
            run_log.info(word)
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["first", "second"]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_hyperparameters_and_results_are_of_the_run_itself(tmp_path):
    with RunLog(tmp_path) as run_log:
        run_log.hyperparameters({"lr": 0.01, "opt": "sgd", "list": [1], "none": None}, {"dice": 0.75}, 10)
    assert [path.name[:6] for path in tmp_path.iterdir() if path.name != "train.log"] == ["events"]
    events = _events(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("final/dice")] == [(10, 0.75)]
    plugin = events.summary_metadata["_hparams_/session_start_info"].plugin_data
    assert plugin.plugin_name == "hparams" and b"sgd" in plugin.content and b"list" not in plugin.content


def test_scalars_and_pictures_for_tensorboard(tmp_path):
    with RunLog(tmp_path) as run_log:
        run_log.scalars("train", {"loss": 0.5, "missing": None}, 10)
        run_log.picture("train", np.full((4, 6, 3), 200, np.uint8), 10)
    events = _events(tmp_path)
    assert events.Tags()["scalars"] == ["train/loss"]
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(10, 0.5)]
    assert [(image.height, image.width) for image in events.Images("train")] == [(4, 6)]


def test_version_inside_a_checkout(monkeypatch):
    def describe(command, **options):
        assert command[0] == "git"
        return subprocess.CompletedProcess(command, 0, stdout="0123abc-dirty\n")

    monkeypatch.setattr(log.subprocess, "run", describe)
    assert code_version() == "0123abc-dirty"


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git"), subprocess.TimeoutExpired("git", 10)]
)
def test_version_outside_a_checkout_or_without_git(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(log.subprocess, "run", fail)
    assert code_version() == "unknown"


def test_a_full_disk_ends_the_call_and_names_the_log(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    (tmp_path / "train.log").symlink_to("/dev/full")
    with RunLog(tmp_path) as run_log, pytest.raises(OSError, match=r"No space left.*train\.log"):
        run_log.info("a line")


def test_a_process_that_is_not_to_say_anything(tmp_path, capsys):
    run_log = NoLog()
    run_log.info("a line")
    run_log.scalars("train", {"loss": 1.0}, 1)
    run_log.picture("train", np.zeros((2, 2, 3), np.uint8), 1)
    assert not list(tmp_path.iterdir()) and not capsys.readouterr().out


def test_what_a_resumed_run_says_again_is_there_once(tmp_path):
    with RunLog(tmp_path) as run_log:
        for iteration in (1, 2, 3):
            run_log.scalars("train", {"loss": iteration}, iteration)
    # Files of one second and process are read in the order of a counter in their names, as text: 10 before 9.
    time.sleep(1)
    with RunLog(tmp_path, redo_from=2) as run_log:
        run_log.scalars("train", {"loss": 20.0}, 2)
    found = [(event.step, event.value) for event in _events(tmp_path).Scalars("train/loss")]
    assert found == [(1, 1.0), (2, 20.0)]
