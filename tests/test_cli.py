"""The command line as a user types it, on tiny data."""

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import run
from models import build_model
from parse_args import parse_args

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]


def train(root, exp, *more, data="kvasir"):
    return run.main(["--data", data, "--root", str(root), "--exp_path", str(exp), *SMALL, "--max_ite", "6", *more])


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def test_from_the_demo_to_the_table(tmp_path, capsys):
    root, exp = tmp_path / "demo", tmp_path / "exp"
    assert run.main(["demo", "--root", str(root), "--num_train", "5", "--num_test", "3"]) == 0
    fixations = ["--fixations", str(root / "fixations.csv")]
    assert run.main(["prepare", "--data", "kvasir", "--root", str(root), *fixations, "--workers", "1"]) == 0
    assert json.loads((root / "gaze" / "report.json").read_text())["num_images"] == 8
    assert train(root, exp, "-m", "gaze_sup") == 0
    checkpoint = str(exp / "model_latest.pth")
    evaluate = ["evaluate", "--root", str(root), "--ckpt_path", checkpoint, "--exp_path", str(tmp_path / "scores")]
    assert run.main([*evaluate, "--device", "cpu", "--num_worker", "0", "--save_pred"]) == 0
    # The same weights on the same images: training's last evaluation and the later one agree to the digit.
    assert (tmp_path / "scores" / "per_case.csv").read_bytes() == (exp / "per_case.csv").read_bytes()
    assert len(list((tmp_path / "scores" / "predictions").glob("*.png"))) == 3
    baseline = ["baseline", "--data", "kvasir", "--root", str(root), "--exp_path", str(tmp_path / "trivial")]
    assert run.main([*baseline, "--spatial_size", "32", "--device", "cpu", "--num_worker", "0"]) == 0
    capsys.readouterr()
    table = tmp_path / "table.md"
    assert run.main(["summarize", str(exp), str(tmp_path / "trivial"), "--to", str(table)]) == 0
    assert table.read_text() == capsys.readouterr().out
    assert "mean map" in table.read_text()


def test_the_baseline_replaces_no_run(tiny_root, tmp_path, capsys):
    for name in ("args.json", "summary.json"):
        (tmp_path / name).write_text("of the run")
    assert run.main(["baseline", "--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(tmp_path)]) == 2
    assert "expected a folder without args.json, or one that this command filled" in capsys.readouterr().err
    assert (tmp_path / "summary.json").read_text() == "of the run"


def test_a_run_folder_holds_everything(tiny_root, tmp_path):
    exp = tmp_path / "exp"
    assert train(tiny_root, exp, "--val_step", "3") == 0
    names = {path.name for path in exp.iterdir()}
    assert names >= {"args.json", "train.log", "model_latest.pth", "model_best.pth", "per_case.csv", "summary.json"}
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert not [name for name in names if name.startswith(".tmp")]
    rows = read_rows(exp / "per_case.csv")
    distances = ["hd95_px", "assd_px"]
    assert list(rows[0]) == ["name", "group", "level", "dice", "iou", "precision", "recall", *distances]
    assert [row["level"] for row in rows[:3]] == ["ensemble", "1", "2"]
    summary = json.loads((exp / "summary.json").read_text())
    assert (summary["selected_on"], summary["headline"]) == ("test", "last")
    assert set(summary["results"]) == {"last", "test_selected"}
    events = EventAccumulator(str(exp))
    events.Reload()
    curves = events.Tags()["scalars"]
    assert "test_ensemble/dice_mean" in curves and "test_ensemble/num_cases" not in curves


def test_a_validation_split_selects_and_the_test_set_is_read_at_the_end(tiny_root, tmp_path):
    exp = tmp_path / "exp"
    assert train(tiny_root, exp, "--val_fraction", "0.34", "--val_step", "2") == 0
    summary = json.loads((exp / "summary.json").read_text())
    assert (summary["selected_on"], summary["headline"]) == ("validation", "validation_selected")
    assert (summary["num_train"], summary["num_test"]) == (4, 3)
    log = (exp / "train.log").read_text()
    assert log.count("[validation |") == 3
    assert log.count("[test,") == 2


@pytest.mark.parametrize(
    "options",
    [
        ["-m", "full_sup"],
        ["--num_levels", "1"],
        ["--cons_mode", "pure", "--level_thresholds", "0.6,0.4,0.2"],
        [
            "--opt",
            "adam",
            "--lr",
            "4e-4",
            "--lr_scheduler",
            "poly",
            "--prop_similarity",
            "cosine",
            "--init",
            "independent",
        ],
        ["--fp16", "--seg_loss", "dice_ce", "--data_size_rate", "0.5", "--warmup_ite", "2", "--flip_prob", "0"],
        ["--model", "smp-unet", "--encoder", "resnet18"],
    ],
)
def test_every_method_trains_and_its_checkpoint_evaluates(options, tiny_root, tmp_path):
    exp = tmp_path / "exp"
    assert train(tiny_root, exp, *options) == 0
    checkpoint = str(exp / "model_best.pth")
    assert run.main(["evaluate", "--root", str(tiny_root), "--ckpt_path", checkpoint, "--device", "cpu"]) == 0
    assert (exp / "evaluate_test" / "examples.png").is_file()


def test_a_network_sees_images_resized_as_it_was_trained(tiny_root, tmp_path, capsys):
    for name, more in (("smooth", ["--antialias"]), ("released", [])):
        assert train(tiny_root, tmp_path / name, "--spatial_size", "16", "--max_ite", "1", *more) == 0
        checkpoint = tmp_path / name / "model_latest.pth"
        assert torch.load(checkpoint)["config"]["antialias"] == bool(more)
        evaluate = ["evaluate", "--root", str(tiny_root), "--ckpt_path", str(checkpoint), "--device", "cpu"]
        assert run.main([*evaluate, "--exp_path", str(tmp_path / f"{name}_scored")]) == 0
    seen = [torch.load(tmp_path / name / "model_latest.pth")["state_dict"] for name in ("smooth", "released")]
    assert not all(torch.equal(seen[0][key], seen[1][key]) for key in seen[0])
    both = [str(tmp_path / name / "model_latest.pth") for name in ("smooth", "released")]
    capsys.readouterr()
    assert run.main(["evaluate", "--root", str(tiny_root), "--ckpt_path", *both, "--device", "cpu"]) == 2
    assert "expected antialias True" in capsys.readouterr().err


def test_the_prostate_set_with_three_levels(tiny_prostate_root, tmp_path):
    assert train(tiny_prostate_root, tmp_path / "exp", "--num_levels", "3", data="prostate") == 0
    rows = read_rows(tmp_path / "exp" / "per_case.csv")
    assert {row["level"] for row in rows} == {"ensemble", "1", "2", "3"}


def test_gaze_training_needs_no_masks(tiny_root, tmp_path):
    for path in (tiny_root / "masks").iterdir():
        path.unlink()
    (tiny_root / "masks").rmdir()
    assert train(tiny_root, tmp_path / "exp") == 0
    summary = json.loads((tmp_path / "exp" / "summary.json").read_text())
    assert summary["results"] == {}
    assert (tmp_path / "exp" / "model_latest.pth").is_file()


def test_the_same_seed_gives_the_same_weights_whatever_the_workers(tiny_root, tmp_path):
    assert train(tiny_root, tmp_path / "a", "--threads", "1") == 0
    assert train(tiny_root, tmp_path / "b", "--threads", "1", "--num_worker", "2") == 0
    assert train(tiny_root, tmp_path / "c", "--threads", "1", "--seed", "1") == 0
    first, second, other = (weights(tmp_path / name / "model_latest.pth") for name in "abc")
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        (["--checkpoint_levels"], 0),
        (["--deterministic"], 0),
        (["--amp", "off"], 0),
        (["--no-channels_last"], 1e-4),
        (["--amp", "fp16"], 2e-3),
        (["--amp", "bf16"], 2e-2),
        (["--fp16"], 2e-2),
    ],
)
def test_ways_to_compute_agree_up_to_their_rounding(options, tolerance, tiny_root, tmp_path):
    assert train(tiny_root, tmp_path / "plain", "--lr", "1e-3") == 0
    assert train(tiny_root, tmp_path / "other", "--lr", "1e-3", *options) == 0
    plain, other = (weights(tmp_path / name / "model_latest.pth") for name in ("plain", "other"))
    for key, value in plain.items():
        torch.testing.assert_close(other[key], value, rtol=tolerance, atol=tolerance)
    if tolerance > 1e-4:
        assert any(not torch.equal(other[key], value) for key, value in plain.items()), "the option does nothing"


def test_a_validation_that_fails_costs_no_steps(tiny_root, tmp_path, capsys, monkeypatch):
    """As that of a mask does which opens and breaks off further down."""

    def broken(*args, **options):
        raise ValueError("a broken mask")

    command = [*training(tiny_root, tmp_path / "exp"), "--max_ite", "4", "--val_step", "4", "--save_step", "4"]
    with monkeypatch.context() as patch:
        patch.setattr("training.hooks.score_network", broken)
        assert "a broken mask" in fails(capsys, command)
    checkpoint = torch.load(tmp_path / "exp" / "model_latest.pth", weights_only=True)
    assert (checkpoint["iteration"], checkpoint["state"]["validated"]) == (4, 0)
    assert run.main([*map(str, command), "--resume"]) == 0
    checkpoint = torch.load(tmp_path / "exp" / "model_latest.pth", weights_only=True)
    assert (checkpoint["best_iteration"], checkpoint["state"]["validated"]) == (4, 4)


def test_an_unreadable_training_mask_does_not_end_gaze_training(tiny_root, tmp_path):
    mask = next((tiny_root / "masks").glob((tiny_root / "train.txt").read_text().split()[0] + ".*"))
    mask.write_bytes(mask.read_bytes()[:200])
    assert train(tiny_root, tmp_path / "exp", "-m", "gaze_sup", "--val_step", "3") == 0


def test_a_profile_of_some_steps(tiny_root, tmp_path):
    assert train(tiny_root, tmp_path / "exp", "--profile", "2") == 0
    trace = json.loads((tmp_path / "exp" / "profile" / "trace.json").read_text())
    names = [event["name"] for event in trace["traceEvents"]]
    assert sum(name.startswith("ProfilerStep#") for name in names) == 2
    assert "convolution" in (tmp_path / "exp" / "profile" / "operations.txt").read_text()


def test_images_a_second_are_those_there_are(tiny_root, tmp_path):
    # Six images in batches of four: four, then two.
    assert train(tiny_root, tmp_path / "exp", "-bs", "4") == 0
    events = EventAccumulator(str(tmp_path / "exp"))
    events.Reload()
    images, steps = (events.Scalars(f"train/{name}_per_second")[0].value for name in ("images", "iterations"))
    assert images / steps == pytest.approx(3)


def test_a_resumed_run_ends_with_the_weights_of_an_undisturbed_one(tiny_root, tmp_path, monkeypatch):
    assert train(tiny_root, tmp_path / "whole", "--val_step", "2", "--save_step", "2") == 0
    from training.hooks import StopHook

    class CutError(Exception):
        pass

    def cut_at_five(self, state, terms, lr):
        if state.iteration == 5:
            raise CutError

    with monkeypatch.context() as patch, pytest.raises(CutError):
        patch.setattr(StopHook, "__call__", cut_at_five)
        train(tiny_root, tmp_path / "cut", "--val_step", "2", "--save_step", "2")
    assert train(tiny_root, tmp_path / "cut", "--val_step", "2", "--save_step", "2", "--resume") == 0
    whole, cut = (weights(tmp_path / name / "model_latest.pth") for name in ("whole", "cut"))
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    assert (tmp_path / "whole" / "per_case.csv").read_bytes() == (tmp_path / "cut" / "per_case.csv").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_the_whole_group_saves_and_says_how_to_go_on(tiny_root, tmp_path, number):
    exp = tmp_path / "exp"
    options = ["--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(exp), *SMALL, "--max_ite", "100000"]
    command = [sys.executable, str(REPOSITORY / "run.py"), *options, "--log_step", "1"]
    # Terminals and queues signal loader processes too.
    process = subprocess.Popen(
        [*command, "--threads", "1", "--num_worker", "2"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    for line in process.stdout:
        if "Ite 2]" in line:
            os.killpg(process.pid, number)
            break
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command with --resume continues" in output
    stopped = torch.load(exp / "model_latest.pth", weights_only=True)["iteration"]
    assert 2 <= stopped < 100000


def test_a_released_checkpoint_gives_the_golden_evaluation(golden, seeded_weights, tmp_path):
    expected = json.loads((golden / "meta.json").read_text())["validate_seeded_weights"]
    model = seeded_weights(build_model("unet", in_channels=3, num_levels=2))
    released = {
        "state_dict": model.state_dict(), "opt": argparse.Namespace(lr=1e-2), "epoch": 3, "iteration": 1000,
        "best_performance": np.float64(0.3), "best_iteration": 1000,
    }  # fmt: skip
    torch.save(released, tmp_path / "released.pth")
    # As a user of the reference would type it.
    line = f"-m gaze_sup --data kvasir --root {golden / 'kvasir_root'} --ckpt_path {tmp_path / 'released.pth'} --test"
    assert (
        run.main([*line.split(), "--exp_path", str(tmp_path / "out"), "--spatial_size", "96", "--device", "cpu"]) == 0
    )
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    metrics = summary["results"]["checkpoint"]["metrics"]
    for level, suffix in (("ensemble", ""), ("1", "_1"), ("2", "_2")):
        for ours, theirs in (("dice", "mdice"), ("iou", "miou")):
            for part, name in (("mean", theirs), ("std", f"{theirs}_std")):
                found = metrics[level][f"{ours}_{part}"]
                assert found == pytest.approx(expected["metrics"][f"{name}{suffix}"], abs=1e-5)
    assert [row["name"] for row in read_rows(tmp_path / "out" / "per_case.csv")[::3]] == expected["ids"]


STRONG = REPOSITORY / "scripts" / "kvasir_strong.sh"
SCRIPTS = sorted(STRONG.parent.glob("*sup_*.sh"))


def run_script(path, *more, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in ("ROOT", "EXP_PATH")}
    command = ["bash", str(path), *SMALL, "--max_ite", "2", "--data_size_rate", "0.5", *more]
    return subprocess.run(command, capture_output=True, text=True, env=environment | variables, timeout=120)


def test_there_is_a_script_for_every_experiment():
    kinds = ("gazesup_{}_2_levels", "gazesup_{}_2_levels_pure", "gazesup_{}_1_level", "fullsup_{}")
    assert {path.stem for path in SCRIPTS} == {kind.format(data) for data in ("kvasir", "prostate") for kind in kinds}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_an_experiment_script_asks_for(path, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"')
    python.chmod(0o755)
    done = run_script(path, ROOT="data folder", EXP_PATH="exp", PYTHON=str(python))
    assert (done.returncode, done.stderr) == (0, "")
    script, *line = done.stdout.splitlines()
    args = parse_args(line)
    assert Path(script) == REPOSITORY / "run.py"
    assert (args.root, args.exp_path, args.max_ite) == ("data folder", "exp", 2)
    assert args.data == path.stem.split("_")[1]
    full = path.stem.startswith("full")
    levels = None if full else 2 if "2_levels" in path.stem else 1
    assert (args.mode, args.num_levels) == ("full_sup" if full else "gaze_sup", levels)
    assert args.cons_mode == ("pure" if path.stem.endswith("pure") else "prop")


@pytest.mark.parametrize("name", ["gazesup_kvasir_2_levels", "fullsup_prostate"])
def test_an_experiment_script_trains_with_further_options(name, tiny_root, tiny_prostate_root, tmp_path):
    root = tiny_root if "kvasir" in name else tiny_prostate_root
    done = run_script(STRONG.parent / f"{name}.sh", ROOT=str(root), EXP_PATH=str(tmp_path / "exp"))
    assert done.returncode == 0, done.stderr
    args = json.loads((tmp_path / "exp" / "args.json").read_text())
    assert (args["num_levels"], args["max_ite"]) == (2 if "gaze" in name else 1, 2)


def test_the_strong_script_prepares_and_trains_all_rounds(tiny_root, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nshift\necho "$@"')
    python.chmod(0o755)
    given = {"ROOT": str(tiny_root), "EXP_PATH": str(tmp_path / "exp"), "PYTHON": str(python)}
    done = run_script(STRONG, "--round_ite", "2", **given)
    assert done.returncode == 2 and "set FIXATIONS to the fixation table" in done.stderr
    assert "EXP_PATH=exp/run FIXATIONS=GazeMedSeg/kvasir_fixation.csv bash" in done.stderr
    given["FIXATIONS"] = str(tiny_root / "fixations.csv")
    done = run_script(STRONG, "--round_ite", "2", "--data_size_rate", "1", **given)
    assert done.returncode == 0, done.stderr
    # In this process, where all that they import has been imported before.
    prepare, train = done.stdout.splitlines()
    assert run.main([*prepare.split(), "--workers", "1"]) == 0 and run.main(train.split()) == 0
    assert (tiny_root / "gaze" / "report.json").is_file() and (tmp_path / "exp" / "rounds.md").is_file()
    args = json.loads((tmp_path / "exp" / "args.json").read_text())
    assert (args["recipe"], args["pseudo"], args["rounds"]) == ("strong", "area", 4)
    for masks in (["--masks", "8"], ["--masks=8"]):
        assert " --pseudo fusion " in run_script(STRONG, *masks, **given).stdout
    # With --test, size and splits are as trained, not as the recipe has them.
    given = ["--root", str(tiny_root), "--fixations", given["FIXATIONS"], "--ckpt_path", str(tmp_path / "exp")]
    assert run.main(["--recipe", "strong", "--data", "kvasir", *given, "--device", "cpu", "--test"]) == 0
    assert json.loads((tmp_path / "exp" / "evaluate_test" / "summary.json").read_text())["spatial_size"] == 32


def test_the_strong_script_goes_on_where_some_images_have_no_map(tiny_root, tmp_path):
    python = tmp_path / "python"
    given = {"ROOT": str(tiny_root), "EXP_PATH": str(tmp_path / "exp"), "PYTHON": str(python), "FIXATIONS": "f.csv"}
    for code, calls in ((1, 2), (2, 1)):
        python.write_text(f'#!/bin/sh\nshift\necho "$@"\n[ "$1" = train ] || exit {code}')
        python.chmod(0o755)
        assert len(run_script(STRONG, **given).stdout.splitlines()) == calls


@pytest.mark.parametrize(("native", "meant"), [(True, "bf16"), (False, "off")])
def test_a_summary_says_what_automatic_precision_was(tiny_root, tmp_path, monkeypatch, native, meant):
    """Seeds of a CPU with bfloat16 and of one without are not one experiment."""
    monkeypatch.setattr("utils.devices.has_bfloat16", lambda device: native)
    assert train(tiny_root, tmp_path, "--max_ite", "1", "--amp", "auto") == 0
    assert json.loads((tmp_path / "summary.json").read_text())["recipe"]["amp"] == meant


@pytest.mark.parametrize(("given", "missing"), [({}, "ROOT"), ({"ROOT": "data"}, "EXP_PATH")])
def test_an_experiment_script_says_which_variable_is_unset(given, missing):
    done = run_script(SCRIPTS[0], **given)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"set {missing} to" in done.stderr


# ---- mistakes: one line, code 2, nothing half-written ------------------------------------------------------


def fails(capsys, argv) -> str:
    """Run a command line that must fail; returns its one line."""
    capsys.readouterr()
    assert run.main([str(word) for word in argv]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def training(root, exp, *more):
    return ["--data", "kvasir", "--root", root, "--exp_path", exp, *SMALL, "--max_ite", "2", *more]


def test_a_missing_folder(tmp_path, capsys):
    exp = tmp_path / "exp"
    assert "expected a data folder" in fails(capsys, training(tmp_path / "nowhere", exp))
    assert not exp.exists()


def test_an_empty_split_file(tiny_root, tmp_path, capsys):
    (tiny_root / "train.txt").write_text("\n")
    assert "found an empty file" in fails(capsys, training(tiny_root, tmp_path / "exp"))


def test_missing_maps_name_the_command_that_makes_them(tiny_root, tmp_path, capsys):
    for path in (tiny_root / "gaze" / "crf_compat1").iterdir():
        path.unlink()
    error = fails(capsys, training(tiny_root, tmp_path / "exp"))
    assert "6 of 6 files are missing" in error
    assert "run.py prepare --data kvasir" in error
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_image_cut_short_is_named_even_from_a_loader_process(tiny_root, tmp_path, capsys, workers):
    name = (tiny_root / "train.txt").read_text().split()[0]
    path = tiny_root / "images" / f"{name}.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    error = fails(capsys, training(tiny_root, tmp_path / "exp", "--threads", "1", "--num_worker", workers))
    assert str(path) in error
    assert "unreadable" in error


def test_a_map_of_another_size(tiny_root, tmp_path, capsys):
    from PIL import Image

    name = (tiny_root / "train.txt").read_text().split()[0]
    path = tiny_root / "gaze" / "crf_compat1" / f"{name}.jpg"
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(path)
    assert "found 7x5 (width x height)" in fails(capsys, training(tiny_root, tmp_path / "exp"))


def test_an_earlier_run_is_not_overwritten_unasked(tiny_root, tmp_path, capsys):
    assert train(tiny_root, tmp_path / "exp") == 0
    before = (tmp_path / "exp" / "model_latest.pth").read_bytes()
    assert "--resume" in fails(capsys, training(tiny_root, tmp_path / "exp"))
    assert (tmp_path / "exp" / "model_latest.pth").read_bytes() == before
    others = [tmp_path / "exp" / name for name in ("thesis.txt", "model_released.pth")]
    for path in others:
        path.write_text("not ours")
    assert train(tiny_root, tmp_path / "exp", "--overwrite", "--seed", "1") == 0
    assert all(path.read_text() == "not ours" for path in others)
    assert len(list((tmp_path / "exp").glob("events*"))) == 1
    assert (tmp_path / "exp" / "model_latest.pth").read_bytes() != before


def test_resuming_with_other_options_names_them(tiny_root, tmp_path, capsys):
    assert train(tiny_root, tmp_path / "exp") == 0
    error = fails(capsys, training(tiny_root, tmp_path / "exp", "--resume", "--lr", "0.5"))
    assert "--lr 0.01 (now 0.5)" in error
    assert "--max_ite 6 (now 2)" in error


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_samples(tiny_root, tmp_path, capsys):
    error = fails(capsys, [*training(tiny_root, tmp_path / "exp"), "--max_ite", "40", "--lr", "1e30"])
    assert "expected a finite loss, found loss" in error and "the 10th step in a row" in error
    assert sum(name in error for name in (tiny_root / "train.txt").read_text().split()) == 2  # a batch
    assert not (tmp_path / "exp" / "model_latest.pth").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_stop_while_the_test_set_is_scored_costs_nothing(name, tiny_root, tmp_path, capsys, monkeypatch):
    def stopped(*_, **__):
        signal.raise_signal(signal.Signals[name])

    with monkeypatch.context() as patch:
        patch.setattr("training.results.score", stopped)
        assert train(tiny_root, tmp_path / "exp") == run.STOPPED_CODE
    assert "run.py train: stopped" in capsys.readouterr().err
    assert train(tiny_root, tmp_path / "exp", "--resume") == 0
    assert (tmp_path / "exp" / "summary.json").is_file()


def test_a_gpu_that_is_not_there(tiny_root, tmp_path, capsys):
    assert "--device 99" in fails(capsys, [*training(tiny_root, tmp_path / "exp"), "--device", "99"])
    assert "found 'gpu'" in fails(capsys, [*training(tiny_root, tmp_path / "exp"), "--device", "gpu"])


class Malicious:
    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_checkpoints_that_are_none(tiny_root, tmp_path, capsys):
    def evaluate(path):
        return fails(capsys, ["evaluate", "--data", "kvasir", "--root", tiny_root, "--ckpt_path", path])

    assert "expected a checkpoint" in evaluate(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    assert "text.pth" in evaluate(tmp_path / "text.pth")
    torch.save({"state_dict": {"layer.weight": torch.zeros(2, 2)}}, tmp_path / "foreign.pth")
    assert "another architecture" in evaluate(tmp_path / "foreign.pth")
    bad = Malicious()
    bad.marker = tmp_path / "ran"
    torch.save({"state_dict": bad}, tmp_path / "bad.pth")
    assert "not loaded for safety" in evaluate(tmp_path / "bad.pth")
    assert not bad.marker.exists()
    assert not list(tmp_path.glob("evaluate_*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y\na.jpg,0.5,0.5\n", "found no CURRENT_FIX_DURATION"),
        ("IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\na.jpg,0.5,1.5,100\n", "row 2"),
        ("IMAGE,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\nother.jpg,0.5,0.5,100\n", "found none of its 1"),
    ],
)
def test_fixation_tables_that_do_not_fit(tiny_root, tmp_path, capsys, text, message):
    table = tmp_path / "fixations.csv"
    table.write_text(text)
    report = tiny_root / "gaze" / "report.json"
    report.unlink(missing_ok=True)
    assert message in fails(capsys, ["prepare", "--data", "kvasir", "--root", tiny_root, "--fixations", table])
    assert not report.exists()


def test_a_folder_that_may_not_be_written(tiny_root, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert "file" in fails(capsys, training(tiny_root, tmp_path / "file" / "exp"))


def test_a_summary_that_is_none(tmp_path, capsys):
    assert "expected the summary of a finished run" in fails(capsys, ["summarize", tmp_path])


def test_from_another_folder_and_without_a_terminal(tiny_root, tmp_path):
    command = [sys.executable, str(REPOSITORY / "run.py"), "--data", "kvasir", "--root", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_an_image_that_cannot_be_read_costs_no_steps(tiny_root, tmp_path, capsys):
    """It passes the look at its header, and shows itself when it is drawn."""
    names = (tiny_root / "train.txt").read_text().split()
    order = np.random.default_rng([0, 3, 0]).permutation(len(names))
    path = tiny_root / "images" / f"{names[order[-1]]}.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    error = fails(capsys, training(tiny_root, tmp_path / "exp", "-bs", "2", "--num_worker", "0", "--max_ite", "3"))
    assert str(path) in error
    assert torch.load(tmp_path / "exp" / "model_latest.pth")["iteration"] == 2


def test_a_checkpoint_that_was_chosen_on_the_test_set_is_told(tiny_root, tmp_path, capsys):
    assert run.main([*map(str, training(tiny_root, tmp_path / "exp"))]) == 0
    line = ["evaluate", "--root", str(tiny_root), "--device", "cpu", "--ckpt_path"]
    assert run.main([*line, str(tmp_path / "exp" / "model_best.pth")]) == 0
    assert "chosen on these images, so that its score is optimistic" in capsys.readouterr().out
    summary = json.loads((tmp_path / "exp" / "evaluate_test" / "summary.json").read_text())
    assert summary["what"].endswith("chosen on these images (optimistic)")
    assert run.main([*line, str(tmp_path / "exp" / "model_latest.pth")]) == 0
    assert "optimistic" not in capsys.readouterr().out


def test_a_checkpoint_is_not_said_to_be_chosen_on_a_test_set_of_other_images(tiny_root, tmp_path, capsys):
    """Of a checkpoint of the run, of one that was exported, and in the card with the results."""
    best, slim, again = (tmp_path / "exp" / name for name in ("model_best.pth", "slim.pth", "again.pth"))
    assert run.main([*map(str, training(tiny_root, tmp_path / "exp"))]) == 0
    assert run.main(["export", "--ckpt_path", str(best), "--to", str(slim)]) == 0
    root = Path(shutil.copytree(tiny_root, tmp_path / "elsewhere"))
    for path in [path for folder in ("images", "masks") for path in (root / folder).iterdir()]:
        path.rename(path.with_name(f"other_{path.name}"))
    (root / "test.txt").write_text("other_polyp7\nother_polyp8\n")
    (root / "train.txt").unlink()
    for checkpoint in (best, slim):
        for data, is_told in ((tiny_root, True), (root, False)):
            capsys.readouterr()
            line = ["evaluate", "--root", str(data), "--device", "cpu", "--exp_path", str(tmp_path / "results")]
            assert run.main([*line, "--ckpt_path", str(checkpoint)]) == 0
            assert ("was chosen on these images" in capsys.readouterr().out) == is_told
            what = json.loads((tmp_path / "results" / "summary.json").read_text())["what"]
            assert what.endswith("(optimistic)") == is_told
            line = ["export", "--ckpt_path", str(checkpoint), "--to", str(again), "--overwrite", "--results"]
            assert run.main([*line, str(tmp_path / "results")]) == 0
            assert ("these images: optimistic" in Path(f"{again}.md").read_text()) == is_told
