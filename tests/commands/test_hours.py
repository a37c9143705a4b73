"""``run.py hours`` as a user types it, on made data."""

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import run
from datasets import get_spec
from training import hours
from training.labels import masks_drawn

QUICK = ["--recipe", "small", "--rounds", "2", "--round_ite", "2", "--max_ite", "2", "-bs", "2", "--num_worker", "0"]
QUICK += ["--spatial_size", "32"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A made data set with its gaze prepared, and the folder of all runs, finished: seed 1 as a copy of seed 0."""
    folder = tmp_path_factory.mktemp("hours")
    root, exp = folder / "demo", folder / "exp"

    def copy(settings):
        assert settings.seed == 1 and settings.exp_path.endswith("seed1")
        shutil.copytree(Path(settings.exp_path).parent / "seed0", settings.exp_path)
        options = Path(settings.exp_path) / "args.json"
        options.write_text(json.dumps({**json.loads(options.read_text()), "seed": 1}))
        for labels in Path(settings.exp_path).rglob("labels.json"):
            drawn = masks_drawn(settings, get_spec("kvasir"))
            labels.write_text(json.dumps({**json.loads(labels.read_text()), "masks": drawn}))
        return 0

    assert run.main(["demo", "--root", str(root), "--num_train", "9", "--num_test", "2"]) == 0
    table = ["--fixations", str(root / "fixations.csv")]
    assert run.main(["prepare", "--data", "kvasir", "--root", str(root), *table, "--workers", "1"]) == 0
    assert call(root, exp, "--seeds", "0") == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hours, "fit", copy)
        assert call(root, exp) == 0
    return root, exp


def call(root, exp, *more):
    line = ["--data", "kvasir", "--root", str(root), "--fixations", str(root / "fixations.csv"), "--exp_path", str(exp)]
    return run.main(["hours", *line, "--masks", "8", "--seeds", "0,1", "--device", "cpu", *QUICK, *more])


def rows_of(exp):
    with open(exp / "hours.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_a_track_and_seed_with_the_hours_that_it_takes(made):
    _, exp = made
    rows = rows_of(exp)
    assert [(row["track"], row["masks"], row["seed"]) for row in rows] == [
        *(("gaze", "0", "0"), ("gaze+masks", "8", "0"), ("masks", "8", "0"), ("all", "9", "0")),
        *(("gaze", "0", "1"), ("gaze+masks", "8", "1"), ("masks", "8", "1"), ("all", "9", "1")),
    ]
    gaze, mask = 9 * 8.8 / 3600, 74.8 / 3600
    found = [float(row["hours"]) for row in rows[:4]]
    assert found == pytest.approx([gaze, gaze + 8 * mask, 8 * mask, 9 * mask], abs=5e-4)
    summary = json.loads((exp / "gaze" / "seed1" / "summary.json").read_text())
    assert float(rows[4]["dice"]) == summary["results"]["last"]["metrics"]["ensemble"]["dice_mean"]
    assert "| gaze and 8 masks | 0.2 |" in (exp / "hours.md").read_text()
    assert (exp / "hours.png").read_bytes().startswith(b"\x89PNG")


def test_hours_are_of_images_that_were_looked_at(made, tmp_path):
    root, _ = made
    table = (root / "fixations.csv").read_text().splitlines(keepends=True)
    gone = table[1].split(",")[0]
    (tmp_path / "some.csv").write_text("".join(line for line in table if not line.startswith(gone)))
    settings = {"data": "kvasir", "root": root, "fixations": tmp_path / "some.csv", "masks": (), "gaze_seconds": 3600}
    gaze, _ = hours.points_of(SimpleNamespace(**settings, mask_seconds=1))
    assert gaze.hours == 8


def test_all_masks_have_as_many_steps_as_all_rounds(made):
    _, exp = made
    steps = {name: json.loads((exp / name / "seed0" / "args.json").read_text())["max_ite"] for name in ("gaze", "all")}
    assert steps == {"gaze": 2, "all": 4}


def test_the_same_command_trains_only_what_is_not_there(made, monkeypatch):
    root, exp = made
    before, trained = rows_of(exp), []
    (exp / "all" / "seed0" / "summary.json").unlink()
    train = hours.fit
    monkeypatch.setattr(hours, "fit", lambda args: trained.append(args.exp_path) or train(args))
    assert call(root, exp) == 0
    assert trained == [str(exp / "all" / "seed0")]
    assert [row["dice"] for row in rows_of(exp)] == [row["dice"] for row in before]


def test_a_run_that_stops_leaves_the_rows_before(made, tmp_path, monkeypatch, capsys):
    root, _ = made
    monkeypatch.setattr(hours, "fit", lambda args: 130)
    assert call(root, tmp_path / "exp") == 130
    assert f"stopped in {tmp_path / 'exp' / 'gaze' / 'seed0'}; the same command goes on" in capsys.readouterr().out


def test_more_masks_than_images_are_refused(made, tmp_path, capsys):
    root, _ = made
    assert call(root, tmp_path / "exp", "--masks", "10") == 2
    assert "--masks 10: expected at most 9, the training images with a mask, found more" in capsys.readouterr().err


def test_runs_of_other_options_are_not_taken_for_those_asked_for(made, capsys):
    root, exp = made
    before = (exp / "hours.csv").read_text()
    assert call(root, exp, "--max_ite", "3") == 2
    said = capsys.readouterr().err
    assert str(exp / "gaze" / "seed0" / "args.json") in said and "--max_ite 2 (now 3)" in said
    assert (exp / "hours.csv").read_text() == before


@pytest.mark.parametrize("option", ["--masks", "--seeds"])
def test_a_number_is_asked_for_once(made, option, capsys):
    root, exp = made
    with pytest.raises(SystemExit, match="2"):
        call(root, exp, option, "1,1")
    assert f"{option}: expected each number once, found '1,1'" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["test.txt", "masks/*"])
def test_data_that_cannot_be_scored_or_learnt_from_cost_no_training(made, tmp_path, path, monkeypatch, capsys):
    root, trained = shutil.copytree(made[0], tmp_path / "demo"), []
    monkeypatch.setattr(hours, "fit", trained.append)
    next(root.glob(path)).unlink()
    assert call(root, tmp_path / "exp") == 2
    said = capsys.readouterr().err
    assert "expected masks/ and test.txt to score on" in said or "files are missing" in said
    assert not trained


def test_runs_of_other_gaze_are_not_taken_for_those_asked_for(made, tmp_path, capsys):
    root, exp = made
    table = tmp_path / "other.csv"
    table.write_text((root / "fixations.csv").read_text().rstrip("\n").rsplit("\n", 1)[0] + "\n")
    assert call(root, exp, "--fixations", str(table)) == 2
    assert "labels.json: expected labels as asked for" in capsys.readouterr().err


def test_settings_are_checked_from_python_too(tmp_path):
    given = {"data": "kvasir", "root": tmp_path, "fixations": tmp_path / "f.csv", "exp_path": tmp_path}
    assert hours.HoursSettings(**given, masks=8, seeds="0,1").masks == (8,)
    for wrong, message in (({"seeds": ()}, "--seeds: expected"), ({"gaze_seconds": -1}, "--gaze_seconds: expected")):
        with pytest.raises(ValueError, match=message):
            hours.HoursSettings(**given, **wrong)
    point = hours.Point("gaze", 0, 0.0, {})
    with pytest.raises(ValueError, match="training: expected settings that all runs share, found seed"):
        hours._settings(hours.HoursSettings(**given, training={"seed": 3}), point, tmp_path, 0)
