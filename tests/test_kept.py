"""What an earlier version wrote is still read: run folders, checkpoints, gaze maps, cache, tables.

``kept.zip`` was made with the version before the rooms (6684a14, 28 November 2026) on data as of ``tiny_root``, in its
folder, by ``prepare``, three trainings with ``LINE`` (one with ``--cache disk``, one stopped after an iteration by
``--max_minutes``, one with ``--rounds 2 --pseudo area``) and ``evaluate --save_pred``; pictures, logs and weights that
no test needs were left out.
"""

import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import torch

import run

LINE = "train --data kvasir --root kvasir --device cpu --spatial_size 32 --features 4,4,4,4,4,4 -bs 2 --num_worker 0"


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The working folder, with everything in it."""
    with zipfile.ZipFile(Path(__file__).with_suffix("").parent / "kept.zip") as archive:
        archive.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)


def contents(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_checkpoint_scores_as_it_did():
    line = "evaluate --root kvasir --ckpt_path finished/model_latest.pth --device cpu --exp_path again --save_pred"
    assert run.main(line.split()) == 0
    before, now = (pd.read_csv(f"{folder}/per_case.csv") for folder in ("finished/evaluate_test", "again"))
    pd.testing.assert_frame_equal(now, before, atol=1e-3)
    assert len(list(Path("again/predictions").iterdir())) == 3


def test_a_run_that_was_stopped_goes_on_to_where_one_without_a_stop_came():
    assert run.main(f"{LINE} --max_ite 4 --exp_path stopped --resume".split()) == 0
    ended, alone = (torch.load(f"{name}/model_latest.pth", weights_only=True) for name in ("stopped", "finished"))
    assert ended["iteration"] == alone["iteration"] == 4
    for key, value in alone["state_dict"].items():
        torch.testing.assert_close(ended["state_dict"][key], value, rtol=1e-4, atol=1e-6)


def test_other_options_than_its_own_are_named(capsys):
    assert run.main(f"{LINE} --max_ite 4 --exp_path stopped --resume --cons_weight 2 --opt adam".split()) == 2
    assert "--opt sgd (now adam), --cons_weight 3.0 (now 2.0)" in capsys.readouterr().err


def test_rounds_that_are_finished_are_not_trained_again(capsys):
    before = Path("rounds/rounds.md").read_text()
    line = f"{LINE} --max_ite 2 --exp_path rounds --num_levels 1 --rounds 2 --pseudo area"
    assert run.main([*line.split(), "--fixations", "kvasir/fixations.csv", "--resume"]) == 0
    assert capsys.readouterr().out.count("finished before") == 2
    # What is said of the numbers may change, the numbers not.
    numbers = [re.findall(r"\d[\d.]*", text) for text in (before, Path("rounds/rounds.md").read_text())]
    assert numbers[0] == numbers[1]


def test_gaze_maps_are_not_made_again(capsys):
    before = contents("kvasir/gaze/crf_compat1") | contents("kvasir/gaze/heatmap")
    line = "prepare --data kvasir --root kvasir --fixations kvasir/fixations.csv --workers 1"
    assert run.main(line.split()) == 0
    assert "prepared 9 images (9 were up to date)" in capsys.readouterr().out
    assert contents("kvasir/gaze/crf_compat1") | contents("kvasir/gaze/heatmap") == before


def test_an_old_cache_does_no_harm():
    """It is of other files: of another place, and unpacked since."""
    (old,) = Path("kvasir/.cache").iterdir()
    for name in ("first", "second"):
        assert run.main(f"{LINE} --max_ite 2 --exp_path {name} --cache disk".split()) == 0
        (now,) = set(Path("kvasir/.cache").iterdir()) - {old}
        assert now.stat().st_size == old.stat().st_size
        now.write_bytes(old.read_bytes())
    first, second = (torch.load(f"{name}/model_latest.pth", weights_only=True) for name in ("first", "second"))
    assert all(torch.equal(value, second["state_dict"][key]) for key, value in first["state_dict"].items())


def test_tables_and_summaries_are_read(capsys):
    assert run.main("summarize finished rounds".split()) == 0
    assert "gaze, 2 levels, prop consistency x 3" in capsys.readouterr().out
    assert run.main("compare a=finished b=finished/evaluate_test --to compared".split()) == 0
    assert "Dice %" in capsys.readouterr().out
