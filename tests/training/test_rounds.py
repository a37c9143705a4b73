"""Rounds as a user types them, on tiny data: labels, their files, resuming, and what goes wrong."""

import contextlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import run
from training import rounds
from utils.distributed import Group

SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]
SHORT = ["--num_levels", "1", "--rounds", "2", "--max_ite", "3", "--select", "last", "--ema", "0.5"]


@pytest.fixture
def root(tiny_root):
    """With the heatmaps that prepare would write."""
    shutil.copytree(tiny_root / "gaze" / "crf_compat1", tiny_root / "gaze" / "heatmap")
    return tiny_root


def train(root, exp, *more):
    table = ["--fixations", str(root / "fixations.csv")]
    return run.main(["--data", "kvasir", "--root", str(root), "--exp_path", str(exp), *SMALL, *SHORT, *table, *more])


def labels_of(folder):
    return json.loads((folder / "labels.json").read_text())


def weights(folder):
    return torch.load(folder / "model_latest.pth", weights_only=True)["state_dict"]


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_rounds_keep_maps_scores_and_weights(root, tmp_path, capsys):
    exp = tmp_path / "exp"
    assert train(root, exp, "--pseudo", "area") == 0
    said = capsys.readouterr().out
    for folder in (exp / "round1", exp):
        assert len(list((folder / "maps").glob("*.png"))) == 6
        assert labels_of(folder)["policy"] == "area" and labels_of(folder)["quality"]["num_images"] == 6
        assert (folder / "model_latest.pth").is_file()
    # The test set is read in the last round alone.
    assert not json.loads((exp / "round1" / "summary.json").read_text())["results"]
    assert set(json.loads((exp / "summary.json").read_text())["results"]) == {"last"}
    assert "round 1 of 2" in said and (exp / "rounds.md").read_text() in said
    assert (exp / "rounds.png").read_bytes().startswith(b"\x89PNG")
    assert not same(weights(exp / "round1"), weights(exp))


def test_masks_are_labels_and_nothing_else_depends_on_those_not_given(root, tmp_path):
    assert train(root, tmp_path / "a", "--pseudo", "levels", "--masks", "2") == 0
    given = labels_of(tmp_path / "a")["masks"]
    assert len(given) == 2 and labels_of(tmp_path / "a")["quality"]["num_images"] == 4
    for name in given:
        mask = np.array(Image.open(root / "masks" / f"{name}.jpg")) > 127
        assert np.array_equal(np.array(Image.open(tmp_path / "a" / "maps" / f"{name}.png")) > 127, mask)
    for path in (root / "masks").glob("*.jpg"):
        if path.stem not in given:
            Image.fromarray(np.zeros_like(np.array(Image.open(path)))).save(path)
    assert train(root, tmp_path / "b", "--pseudo", "levels", "--masks", "2") == 0
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_masks_alone_label_the_other_images_from_round_two_on(root, tmp_path):
    exp = tmp_path / "exp"
    assert train(root, exp, "--pseudo", "network", "--masks", "2") == 0
    assert len(list((exp / "round1" / "maps").glob("*.png"))) == 2
    assert len(list((exp / "maps").glob("*.png"))) == 6
    assert "2 masks, 1 level, labels by network, 2 rounds" in (exp / "train.log").read_text()


def test_two_levels_and_their_consistency_in_every_round(root, tmp_path):
    exp = tmp_path / "exp"
    assert train(root, exp, "--pseudo", "area", "--num_levels", "2") == 0
    assert labels_of(exp)["thresholds"] == [0.5, 0.3]
    for folder in (exp / "round1", exp):
        assert "loss_cons" in (folder / "train.log").read_text()


def test_rounds_of_several_seeds_draw_masks_of_their_own(root, tmp_path):
    exp = tmp_path / "exp"
    assert train(root, exp, "--seeds", "0,1", "--masks", "2") == 0
    assert labels_of(exp / "seed0")["masks"] != labels_of(exp / "seed1")["masks"]
    assert "2 masks" in (exp / "seeds.md").read_text()
    assert train(root, exp, "--seeds", "0,1", "--masks", "2", "--resume") == 0


@pytest.mark.parametrize("stopped_in", [1, 2])
def test_stopped_anywhere_they_go_on_to_the_same_end(root, tmp_path, monkeypatch, capsys, stopped_in):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(root, whole, "--pseudo", "area") == 0
    made, calls = rounds.make_labels, []

    def fail(*args):
        calls.append(args)
        if len(calls) == stopped_in:
            raise OSError(28, "No space left on device", str(args[0].folder / "maps"))
        return made(*args)

    monkeypatch.setattr(rounds, "make_labels", fail)
    assert train(root, parts, "--pseudo", "area") == 2
    assert "No space left on device" in capsys.readouterr().err
    monkeypatch.setattr(rounds, "make_labels", made)
    assert train(root, parts, "--pseudo", "area") == (2 if stopped_in == 2 else 0)
    if stopped_in == 2:
        assert "expected a new run folder (--exp_path), found an earlier run" in capsys.readouterr().err
        assert train(root, parts, "--pseudo", "area", "--resume") == 0
        assert "round 1 of 2" in capsys.readouterr().out
    assert same(weights(whole), weights(parts))
    assert labels_of(whole) == labels_of(parts)


@pytest.mark.parametrize(
    ("option", "was", "folder"), [("--max_ite", 3, ""), ("--round_ite", 2, "round1"), ("--rounds", 2, "round1")]
)
def test_rounds_of_other_options_are_not_gone_on_with(root, tmp_path, capsys, option, was, folder):
    """Neither where all are finished nor where the last one has not begun."""
    assert train(root, tmp_path, "--round_ite", "2") == 0
    if folder:
        (tmp_path / "summary.json").unlink()
        (tmp_path / "args.json").unlink()
    assert train(root, tmp_path, "--round_ite", "2", option, "4", "--resume") == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / folder / 'args.json'}: expected the options of the run to resume" in said
    assert f"{option} {was} (now 4)" in said or f"--max_ite {was} (now 4)" in said


def test_time_that_is_up_stops_between_steps_and_resume_goes_on(root, tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(root, whole) == 0
    assert train(root, parts, "--max_minutes", "1e-9") == 130
    assert "the same command with --resume continues, without --overwrite" in capsys.readouterr().out
    assert train(root, parts, "--resume") == 0
    assert same(weights(whole), weights(parts))


def test_a_network_that_cannot_be_built_is_refused_before_labels_are_made_and_rounds_removed(root, tmp_path, capsys):
    exp = tmp_path / "exp"
    features = ["--features", "4,8,8,8,8,6"]
    assert train(root, exp, *features) == 2
    assert "features: expected six positive multiples of 4" in capsys.readouterr().err and not (exp / "round1").exists()
    assert train(root, exp) == 0
    assert train(root, exp, *features, "--overwrite") == 2
    assert (exp / "round1" / "model_latest.pth").is_file() and (exp / "model_latest.pth").is_file()


def test_overwrite_takes_rounds_away_and_nothing_else(root, tmp_path, capsys):
    exp = tmp_path / "exp"
    assert train(root, exp) == 0
    (exp / "mine.txt").write_text("mine")
    assert train(root, exp, "--pseudo", "area", "--resume") == 2
    assert "expected labels as asked for, --pseudo area --masks 0" in capsys.readouterr().err
    assert train(root, exp, "--pseudo", "area", "--overwrite") == 0
    assert labels_of(exp / "round1")["policy"] == "area" and (exp / "mine.txt").is_file()
    assert train(root, exp, "--pseudo", "area", "--resume") == 0
    # What is replaced had more rounds, and is no start.
    weights = str(exp / "round1" / "model_latest.pth")
    assert train(root, exp, "--rounds", "1", "--overwrite", "--ckpt_path", weights) == 2
    assert "outside the folders that --overwrite replaces" in capsys.readouterr().err
    assert train(root, exp, "--rounds", "1", "--overwrite") == 0
    left = {path.name for path in exp.rglob("*") if path.is_file()}
    assert "mine.txt" in left and not left & {"labels.json", "rounds.md", "rounds.png", "polyp1.png"}
    assert not list((exp / "round1").glob("*.*"))


def test_maps_of_another_table_are_said(root, tmp_path, capsys):
    (root / "gaze" / "report.json").write_text(json.dumps({"fixations_sha256": "0" * 64}))
    assert train(root, tmp_path / "exp", "--pseudo", "area") == 0
    assert capsys.readouterr().out.count("fixations.csv: the maps were prepared last from another table") == 1


def test_images_that_are_not_of_a_round_are_left(root, tmp_path, capsys):
    (tmp_path / "exp" / "maps").mkdir(parents=True)
    shutil.copy(root / "gaze" / "crf_compat1" / "polyp1.jpg", tmp_path / "exp" / "maps" / "polyp1.png")
    for more in ([], ["--resume"], ["--overwrite"]):
        assert train(root, tmp_path / "exp", *more) == 2
        assert "expected " in capsys.readouterr().err
    assert len(list((tmp_path / "exp" / "maps").iterdir())) == 1


def test_a_round_that_collapses_is_named_and_those_before_stay(root, tmp_path, capsys, monkeypatch):
    def empty(evidence, *args):
        return {name: replace(one, logits=np.full((32, 32), -90.0)) for name, one in evidence.items()}

    monkeypatch.setattr("training.labels._with_network", empty)
    exp = tmp_path / "exp"
    assert train(root, exp, "--pseudo", "network", "--masks", "2") == 2
    said = capsys.readouterr().err
    assert f"{exp}: expected labels with a target, found 6 of 6 empty or full: this round has collapsed" in said
    assert (exp / "round1" / "model_latest.pth").is_file() and not (exp / "labels.json").exists()


def test_gaze_that_misses_images_is_named_or_left_out(root, tmp_path, capsys):
    table = pd.read_csv(root / "fixations.csv")
    table[~table["IMAGE"].str.startswith("polyp1")].to_csv(root / "fixations.csv", index=False)
    assert train(root, tmp_path / "exp", "--pseudo", "area") == 2
    said = "expected fixations of every training image, found 1 without (first: polyp1)"
    assert said in capsys.readouterr().err
    assert train(root, tmp_path / "exp", "--pseudo", "area", "--skip_missing_gaze") == 0
    # What the network says of it is its label from round 2 on.
    assert len(list((tmp_path / "exp" / "round1" / "maps").glob("*.png"))) == 5
    assert len(list((tmp_path / "exp" / "maps").glob("*.png"))) == 6


@pytest.mark.parametrize("policy", ["levels", "area"])
def test_images_without_a_map_are_named_or_left_out(root, tmp_path, capsys, policy):
    (root / "gaze" / "crf_compat1" / "polyp2.jpg").unlink()
    assert train(root, tmp_path / "exp", "--pseudo", policy) == 2
    said = capsys.readouterr().err
    assert "1 of 6 files are missing" in said and "polyp2.jpg" in said and "run.py prepare" in said
    assert train(root, tmp_path / "exp", "--pseudo", policy, "--skip_missing_gaze") == 0
    assert len(list((tmp_path / "exp" / "round1" / "maps").glob("*.png"))) == 5


def test_a_mask_that_is_none_stops_no_gaze(root, tmp_path):
    values = np.zeros((30, 40), np.uint8)
    values[:15, :20], values[15:, :20] = 128, 255
    Image.fromarray(values).save(root / "masks" / "polyp1.jpg")
    assert train(root, tmp_path, "--pseudo", "area") == 0
    assert labels_of(tmp_path)["quality"]["num_images"] == 5


def test_masks_with_ignored_pixels_are_not_learnt_from_as_maps(root, tmp_path, capsys):
    folder = tmp_path / "mine"
    shutil.copytree(root, folder)
    (folder / "dataset.toml").write_text("ignore_value = 255\n")
    line = ["--data", "folder", "--root", str(folder), "--exp_path", str(tmp_path / "exp"), *SMALL, *SHORT]
    assert run.main([*line, "--pseudo", "network", "--masks", "2"]) == 2
    assert "--masks 2: expected masks that say of every pixel what it is" in capsys.readouterr().err


def test_masks_that_are_not_there_are_named(root, tmp_path, capsys):
    shutil.rmtree(root / "masks")
    assert train(root, tmp_path / "exp", "--masks", "2") == 2
    assert "--masks 2: expected at most 0, the training images with a mask" in capsys.readouterr().err
    assert train(root, tmp_path / "exp", "--pseudo", "area") == 0
    assert labels_of(tmp_path / "exp")["quality"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pseudo", "fusion"], "--pseudo fusion: expected --masks 8 or more, found none"),
        (["--pseudo", "fusion", "--masks", "2"], "--pseudo fusion: expected --masks 8 or more, found 2"),
        (["--masks", "7"], "--masks 7: expected at most 6, the training images with a mask, found more"),
        (["-m", "full_sup"], "expected -m gaze_sup, found -m full_sup"),
        (["--map_folder", "maps"], "--map_folder: expected without --rounds"),
    ],
)
def test_what_contradicts_itself_is_a_sentence(root, tmp_path, capsys, options, said):
    try:
        code = train(root, tmp_path / "exp", *options)
    except SystemExit as stop:
        code = stop.code
    assert code == 2 and said in capsys.readouterr().err


def test_labels_that_are_broken_are_a_sentence(root, tmp_path, capsys):
    assert train(root, tmp_path / "exp") == 0
    (tmp_path / "exp" / "labels.json").write_text("{")
    assert train(root, tmp_path / "exp", "--resume") == 2
    assert "labels.json: expected what is known of labels" in capsys.readouterr().err


def test_assess_scores_the_maps_of_a_round(root, tmp_path, capsys):
    exp = tmp_path / "exp"
    assert train(root, exp, "--pseudo", "levels", "--masks", "2") == 0
    line = ["assess", "--data", "kvasir", "--root", str(root), "--fixations", str(root / "fixations.csv")]
    assert run.main([*line, "--map_folder", str(exp / "maps"), "--workers", "1"]) == 0
    # Two of the six are masks, which would be scored against themselves.
    report = json.loads((exp / "gaze" / "quality.json").read_text())
    assert (report["num_images"], report["num_left_out"]) == (4, 2)
    assert "its map is the mask that was given" in capsys.readouterr().out
    assert not (root / "gaze" / "quality.json").exists()
    (tmp_path / "nothing").mkdir()
    assert run.main([*line, "--map_folder", str(tmp_path / "nothing")]) == 2
    assert "expected maps, <id>.png, of images with fixations, found none" in capsys.readouterr().err


@pytest.mark.parametrize("number", [1, 2])
def test_a_round_killed_before_its_first_checkpoint_is_trained_anew(root, tmp_path, number):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(root, whole) == 0
    assert train(root, parts) == 0
    killed = parts / "round1" if number == 1 else parts
    for name in ("model_latest.pth", "summary.json"):
        (killed / name).unlink()
    if number == 1:
        # The round after it had not begun.
        (parts / "round1").rename(tmp_path / "round1")
        shutil.rmtree(parts)
        parts.mkdir()
        (tmp_path / "round1").rename(parts / "round1")
    assert train(root, parts, "--resume") == 0
    assert same(weights(whole), weights(parts)) and same(weights(whole / "round1"), weights(parts / "round1"))


@pytest.mark.parametrize("seeds", [[], ["--seeds", "0,1"]])
def test_rounds_that_began_with_weights_go_on_with_the_same_command(root, tmp_path, seeds):
    assert train(root, tmp_path / "first", "--rounds", "1", "--pseudo", "area") == 0
    start = ["--ckpt_path", str(tmp_path / "first" / "model_latest.pth"), *seeds]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(root, whole, *start) == 0
    assert train(root, parts, *start, "--max_minutes", "1e-9") == 130
    assert train(root, parts, *start, "--resume") == 0
    first = "seed0" if seeds else ""
    assert same(weights(whole / first), weights(parts / first))
    # In the last round, before its first checkpoint: the round before is not trained again.
    before = (parts / first / "round1" / "model_latest.pth").stat().st_mtime_ns
    for name in ("model_latest.pth", "summary.json"):
        (parts / first / name).unlink()
    assert train(root, parts, *start, "--resume") == 0
    assert (parts / first / "round1" / "model_latest.pth").stat().st_mtime_ns == before
    assert same(weights(whole / first), weights(parts / first))


@pytest.mark.parametrize(
    "options",
    [
        ["--fixations", "typo.csv", "--pseudo", "area"],
        ["--masks", "7"],
        ["--root", "typo"],
        ["--ckpt_path", "typo.pth"],
        ["--ckpt_path", "other"],
        ["--data", "folder"],
    ],
)
@pytest.mark.parametrize("seeds", [[], ["--seeds", "0"]])
def test_overwriting_removes_no_round_where_the_labels_cannot_be_made(root, tmp_path, options, seeds):
    assert train(root, tmp_path, *seeds) == 0
    folder = tmp_path / "seed0" if seeds else tmp_path
    if options[1] == "other":
        # Weights of a network of other levels.
        assert train(root, tmp_path / "other", "--rounds", "1", "--pseudo", "area", "--num_levels", "2") == 0
        options = ["--ckpt_path", str(tmp_path / "other" / "model_latest.pth")]
    if options[1] == "folder":
        options = []
        (root / "images" / "polyp3.jpg").write_bytes(b"")
    assert train(root, tmp_path, *options, *seeds, "--overwrite") == 2
    assert (folder / "round1" / "model_latest.pth").is_file() and (folder / "model_latest.pth").is_file()


@pytest.mark.parametrize("seeds", [[], ["--seeds", "0"]])
@pytest.mark.parametrize("what", ["levels", "batch", "fed"])
def test_overwriting_removes_no_round_where_the_training_cannot_begin(root, tmp_path, monkeypatch, capsys, what, seeds):
    assert train(root, tmp_path, *seeds) == 0
    folder, options = tmp_path / "seed0" if seeds else tmp_path, []
    if what == "levels":
        (root / "dataset.toml").write_text("thresholds = [0.5, 0.4, 0.3]\n")
        options, said = ["--data", "folder", "--num_levels", "4"], "thresholds: expected 4, one a level"
    elif what == "batch":
        two = contextlib.nullcontext((Group(size=2), torch.device("cpu")))
        monkeypatch.setattr("training.fit.process_group", lambda device: two)
        options, said = ["-bs", "3"], "-bs 3: expected a multiple of 2"
    else:
        start = torch.load(folder / "model_latest.pth", weights_only=True)
        start["config"]["model"]["encoder_input"] = "symmetric"
        torch.save(start, root / "start.pth")
        options, said = ["--ckpt_path", str(root / "start.pth")], "that is fed as imagenet, found symmetric"
    assert train(root, tmp_path, *options, *seeds, "--overwrite") == 2
    assert said in capsys.readouterr().err
    assert (folder / "round1" / "model_latest.pth").is_file() and (folder / "model_latest.pth").is_file()


def test_a_threshold_that_no_map_reaches_is_refused_at_once(root, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        train(root, tmp_path, "--level_thresholds", "1.5")
    assert "--level_thresholds: expected a number above 0 to 1, found '1.5'" in capsys.readouterr().err


def test_overwriting_several_seeds_leaves_no_round_of_any(root, tmp_path):
    assert train(root, tmp_path, "--seeds", "0,1") == 0
    assert train(root, tmp_path, "--seeds", "0,1", "--overwrite", "--max_minutes", "1e-9") == 130
    left = [path for path in (tmp_path / "seed1").rglob("*") if path.is_file()]
    assert left == []


def test_weights_to_start_from_are_not_in_a_round_that_goes(root, tmp_path, capsys):
    assert train(root, tmp_path, "--seeds", "0") == 0
    start = tmp_path / "seed0" / "round1" / "model_latest.pth"
    assert train(root, tmp_path, "--seeds", "0", "--overwrite", "--ckpt_path", str(start)) == 2
    assert start.is_file() and "which would be replaced" in capsys.readouterr().err


@pytest.mark.parametrize("seeds", [[], ["--seeds", "0"]])
@pytest.mark.parametrize("part", ["round1", ""])
def test_maps_to_learn_from_are_not_of_a_round_that_goes(root, tmp_path, capsys, part, seeds):
    assert train(root, tmp_path, *seeds) == 0
    maps = tmp_path / (seeds and "seed0" or "") / part / "maps"
    plain = ["--rounds", "1", "--map_folder", str(maps), *seeds]
    assert train(root, tmp_path, *plain, "--overwrite") == 2
    assert f"{maps}: expected --map_folder outside the folders that --overwrite" in capsys.readouterr().err
    assert len(list(maps.glob("*.png"))) == 6
    # Those that are nobody's labels stay.
    shutil.copytree(maps, tmp_path / "mine" / "maps")
    for more in ([], ["--overwrite"]):
        plain[3] = str(tmp_path / "mine" / "maps")
        assert train(root, tmp_path / "mine", *plain, *more) == 0


@pytest.mark.parametrize("seeds", [[], ["--seeds", "0"]])
def test_masks_alone_need_no_gaze_at_all(root, tmp_path, seeds):
    shutil.rmtree(root / "gaze")
    options = ["--pseudo", "network", "--masks", "2", *seeds]
    assert train(root, tmp_path, *options) == 0
    assert train(root, tmp_path, *options, "--overwrite") == 0


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("masks/polyp8.jpg", "1 of 3 files are missing"),
        ("images/polyp8.jpg", "1 of 3 files are missing"),
        ("gaze/crf_compat1/polyp2.jpg", "1 of 6 files are missing"),
    ],
)
def test_what_is_wrong_with_the_data_shows_before_the_first_label(root, tmp_path, capsys, path, said):
    (root / path).unlink()
    assert train(root, tmp_path / "exp", "--pseudo", "area") == 2
    assert said in capsys.readouterr().err and not (tmp_path / "exp").exists()


def test_maps_that_training_would_refuse_make_no_labels(root, tmp_path, capsys):
    path = root / "gaze" / "crf_compat1" / "polyp1.jpg"
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path)
    assert train(root, tmp_path / "exp", "--pseudo", "area") == 2
    assert "expected the size of its image" in capsys.readouterr().err
    (root / "gaze" / "unfinished.txt").write_text("stopped")
    assert train(root, tmp_path / "exp", "--pseudo", "area") == 2
    assert "expected finished gaze maps" in capsys.readouterr().err


def test_masks_of_some_training_images_suffice(root, tmp_path):
    """Of who has drawn no more: they are given, and there is nothing to evaluate on."""
    drawn = ["polyp2", "polyp4"]
    for path in (root / "masks").glob("*.jpg"):
        if path.stem not in drawn:
            path.unlink()
    assert train(root, tmp_path, "--masks", "2") == 0
    assert sorted(labels_of(tmp_path)["masks"]) == drawn
    assert json.loads((tmp_path / "summary.json").read_text())["results"] == {}


def test_labels_of_other_gaze_are_not_gone_on_with(root, tmp_path, capsys):
    assert train(root, tmp_path, "--pseudo", "area") == 0
    (tmp_path / "summary.json").unlink()
    table = root / "fixations.csv"
    table.write_text(table.read_text().rstrip("\n").rsplit("\n", 1)[0] + "\n")
    assert train(root, tmp_path, "--pseudo", "area", "--resume") == 2
    assert "labels.json: expected labels as asked for" in capsys.readouterr().err


def test_masks_that_are_drawn_anew_are_not_gone_on_with(root, tmp_path, capsys):
    """Masks that were added meanwhile would be learnt from beside the first ones."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("polyp1", "polyp2", "polyp3", "polyp4"):
        (root / "masks" / f"{name}.jpg").rename(hidden / f"{name}.jpg")
    exp = tmp_path / "exp"
    assert train(root, exp, "--masks", "2", "--max_minutes", "1e-9") == 130
    for path in hidden.iterdir():
        path.rename(root / "masks" / path.name)
    assert train(root, exp, "--masks", "2", "--resume") == 2
    assert "found --pseudo levels --masks 2, others in masks; give the same" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--rounds", "1", "--seeds", "0"], []])
def test_finished_rounds_and_seeds_of_other_training_images_are_not_gone_on_with(root, tmp_path, capsys, more):
    """Of a new draw the first round may have seen what is now for the test."""
    assert train(root, tmp_path, *more) == 0
    (tmp_path / "summary.json").unlink(missing_ok=True)
    (root / "train.txt").write_text("\r\n".join((root / "train.txt").read_text().split()))
    assert train(root, tmp_path, *more, "--resume") == 0
    (root / "train.txt").write_text("polyp9\npolyp2\npolyp3\n")
    (root / "test.txt").write_text("polyp1\npolyp7\npolyp8\n")
    assert train(root, tmp_path, *(text.replace("0", "0,1") for text in more), "--resume") == 2
    assert "args.json: expected the training images that the run began with, found other" in capsys.readouterr().err


def test_quality_leaves_ignored_pixels_out(root, tmp_path):
    (root / "dataset.toml").write_text("ignore_value = 255\n")
    for path in (root / "masks").glob("*.jpg"):
        mask = (np.array(Image.open(path)) > 127).astype(np.uint8)
        # Whatever the label says beside the target is not scored.
        mask[mask == 0] = 255
        mask[0] = 0
        Image.fromarray(mask).save(path.with_suffix(".png"))
        path.unlink()
    line = ["--data", "folder", "--root", str(root), "--exp_path", str(tmp_path), *SMALL, *SHORT]
    assert run.main([*line, "--fixations", str(root / "fixations.csv"), "--pseudo", "area"]) == 0
    assert labels_of(tmp_path)["quality"]["share_too_large"] == 0
