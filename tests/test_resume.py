"""Runs that are killed, stopped, or find a broken checkpoint end as an undisturbed one does, to the last bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import run

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]
NUM_KILLS = 20
# Imports take seconds and a run of this size one, so a process that has imported everything forks one for each run.
SERVER = """
import json, os, resource, sys
import scipy.ndimage, torch, torch._dynamo, torch.utils.tensorboard, torch.utils.checkpoint
import commands.train, run
run.parse_args = __import__("parse_args").parse_args
torch.set_num_threads(1)
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1), os.dup2(output, 2), os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if order["file_limit"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"], order["file_limit"]))
        code = run.main(order["argv"])
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Runs:
    """Starts command lines in processes that can be killed."""

    def __init__(self, output: Path):
        self.output = output
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        # Who measures how long a run takes is not to measure the imports.
        assert self.server.stdout.readline() == "ready\n"

    def start(self, root, exp, *more, file_limit=None) -> int:
        argv = ["train", "--data", "kvasir", "--root", str(root), "--exp_path", str(exp), *SMALL, *more]
        order = {"argv": argv, "output": str(self.output), "file_limit": file_limit}
        print(json.dumps(order), file=self.server.stdin, flush=True)
        return int(self.server.stdout.readline())

    def wait(self) -> int:
        """The exit code; -9 if it was killed."""
        return int(self.server.stdout.readline())

    def __call__(self, root, exp, *more, **limits) -> int:
        self.start(root, exp, *more, **limits)
        return self.wait()

    def said(self) -> str:
        """What the runs have said since the last call."""
        text = self.output.read_text()
        self.output.write_text("")
        return text


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    runs = Runs(tmp_path_factory.mktemp("runs") / "output.txt")
    yield runs
    runs.server.stdin.close()
    assert runs.server.wait(timeout=30) == 0


def contents(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def assert_same(found, expected):
    """Nested values equal to the last bit."""
    assert type(found) is type(expected)
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    else:
        assert found == expected


def assert_same_run(found: Path, expected: Path):
    """All that two finished runs leave, but for times and the paths in their options."""
    for file in ("model_latest.pth", "model_best.pth"):
        a, b = contents(found / file), contents(expected / file)
        for checkpoint in (a, b):
            del checkpoint["opt"], checkpoint["state"]["seconds"]
        assert_same(a, b)
    assert (found / "per_case.csv").read_bytes() == (expected / "per_case.csv").read_bytes()


RECIPE = ["--max_ite", "10", "--save_step", "1", "--val_step", "4", "--log_step", "5"]


def test_killed_at_twenty_random_moments(runs, tiny_root, tmp_path):
    began = time.monotonic()
    assert runs(tiny_root, tmp_path / "undisturbed", *RECIPE) == 0
    duration = time.monotonic() - began
    rng, kills, campaigns, resumed = random.Random(0), 0, 0, 0
    while kills < NUM_KILLS:
        exp, code = tmp_path / f"killed{campaigns}", None
        while code != 0:
            process = runs.start(tiny_root, exp, *RECIPE, "--resume")
            if kills < NUM_KILLS:
                time.sleep(rng.uniform(0, 0.6 * duration))
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            code = runs.wait()
            assert code in (0, -9)
            kills += code == -9
        resumed += runs.said().count("resumed at iteration")
        assert_same_run(exp, tmp_path / "undisturbed")
        assert not list(exp.glob(".tmp-*")), "what a kill left half-written is cleared away"
        campaigns += 1
    assert resumed >= NUM_KILLS / 4, "most kills came before the first checkpoint: the test says little"


def test_a_stop_leaves_a_validation_that_is_due_to_the_resumed_run(runs, tiny_root, tmp_path):
    """The Dice of the validation that was cut decides on the best checkpoint all the same."""
    recipe = ["--max_ite", "4", "--save_step", "9", "--val_step", "2"]
    assert runs(tiny_root, tmp_path / "undisturbed", *recipe) == 0
    assert runs(tiny_root, tmp_path / "cut", *recipe, "--max_minutes", "1e-6") == 130
    checkpoint = contents(tmp_path / "cut" / "model_latest.pth")
    assert (checkpoint["iteration"], checkpoint["state"]["validated"]) == (1, 0)
    assert "stopped after iteration 1 (--max_minutes 1e-06); the same command with --resume continues" in runs.said()
    assert runs(tiny_root, tmp_path / "cut", *recipe, "--max_minutes", "1e-6", "--resume") == 130
    checkpoint = contents(tmp_path / "cut" / "model_latest.pth")
    assert (checkpoint["iteration"], checkpoint["state"]["validated"]) == (2, 0), "due, and left to the next call"
    assert not (tmp_path / "cut" / "model_best.pth").exists()
    assert runs(tiny_root, tmp_path / "cut", *recipe, "--resume") == 0
    assert_same_run(tmp_path / "cut", tmp_path / "undisturbed")


def test_a_stop_within_a_validation_between_saves_saves_the_steps(tiny_root, tmp_path, monkeypatch):
    def stopped(model, loader, device, **options):
        options["stop"].signal_name = "SIGTERM"

    recipe = ["--max_ite", "4", "--save_step", "9", "--val_step", "2"]
    argv = ["train", "--data", "kvasir", "--root", str(tiny_root), *SMALL, *recipe]
    with monkeypatch.context() as patch:
        patch.setattr("training.hooks.score_network", stopped)
        assert run.main([*argv, "--exp_path", str(tmp_path / "cut")]) == 130
    checkpoint = contents(tmp_path / "cut" / "model_latest.pth")
    assert (checkpoint["iteration"], checkpoint["state"]["validated"]) == (2, 0)
    assert run.main([*argv, "--exp_path", str(tmp_path / "cut"), "--resume"]) == 0
    assert run.main([*argv, "--exp_path", str(tmp_path / "whole")]) == 0
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_an_error_between_saves_keeps_the_checkpoint_before(tiny_root, tmp_path, monkeypatch):
    """As where a network's outputs are no longer finite, and an earlier checkpoint is to be taken."""

    def fail(*_, network, **options):
        raise ValueError(f"expected finite outputs of {network}")

    monkeypatch.setattr("training.hooks.score_network", fail)
    exp, recipe = tmp_path / "exp", ["--max_ite", "6", "--save_step", "2", "--val_step", "3"]
    argv = ["train", "--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(exp), *SMALL, *recipe]
    assert run.main(argv) == 2
    assert [contents(exp / f"model_{name}.pth")["iteration"] for name in ("previous", "latest")] == [2, 3]


SIX = ["--max_ite", "6", "--save_step", "2", "--val_step", "3"]


@pytest.fixture(scope="module")
def undisturbed(runs, make_tiny_root, tmp_path_factory):
    """A data set, and a finished run on it; only to be read."""
    folder = tmp_path_factory.mktemp("undisturbed")
    root = make_tiny_root(folder / "kvasir")
    assert runs(root, folder / "exp", *SIX) == 0
    return root, folder / "exp"


@pytest.mark.parametrize("damage", ["cut short", "a flipped byte", "gone", "empty"])
def test_a_broken_checkpoint_falls_back_to_the_one_before(runs, undisturbed, tmp_path, damage):
    root, expected = undisturbed
    exp = tmp_path / "exp"
    assert runs(root, exp, *SIX) == 0
    latest = exp / "model_latest.pth"
    data = bytearray(latest.read_bytes())
    # In the middle of the weights, where torch itself would not notice.
    data[len(data) // 3] ^= 1
    damaged = {"cut short": data[: len(data) // 2], "a flipped byte": data, "gone": None, "empty": b""}[damage]
    latest.unlink()
    if damaged is not None:
        latest.write_bytes(damaged)
    runs.said()
    assert runs(root, exp, *SIX, "--resume") == 0
    said = runs.said()
    assert "model_latest.pth: expected a checkpoint" in said
    assert f"falling back to {exp / 'model_previous.pth'}" in said and "resumed at iteration 4" in said
    assert_same_run(exp, expected)


def test_both_checkpoints_broken(runs, tiny_root, tmp_path):
    recipe = ["--max_ite", "2", "--save_step", "1"]
    assert runs(tiny_root, tmp_path / "exp", *recipe) == 0
    for file in ("model_latest.pth", "model_previous.pth"):
        (tmp_path / "exp" / file).write_bytes(b"no checkpoint")
    runs.said()
    assert runs(tiny_root, tmp_path / "exp", *recipe, "--resume") == 2
    last = runs.said().strip().splitlines()[-1]
    assert last.startswith("run.py train: error:") and "model_previous.pth: expected a checkpoint, found" in last


def test_resuming_before_the_first_checkpoint_starts_from_scratch(runs, tiny_root, tmp_path):
    recipe = ["--max_ite", "2"]
    assert runs(tiny_root, tmp_path / "undisturbed", *recipe) == 0
    runs.said()
    assert runs(tiny_root, tmp_path / "new", *recipe, "--resume") == 0
    assert "nothing to resume: no checkpoint in" in runs.said()
    assert json.loads((tmp_path / "new" / "args.json").read_text())["resume"] is False
    assert_same_run(tmp_path / "new", tmp_path / "undisturbed")


def test_a_full_disk_stops_with_a_sentence_and_the_last_checkpoint_intact(runs, tiny_root, tmp_path):
    """A limit on the size of files stands for the disk: the write fails half-way in either case."""
    recipe = ["--max_ite", "4", "--save_step", "1", "--val_step", "9"]
    exp = tmp_path / "exp"
    assert runs(tiny_root, tmp_path / "undisturbed", *recipe) == 0
    assert runs(tiny_root, exp, *recipe, "--max_minutes", "1e-6") == 130
    before = (exp / "model_latest.pth").read_bytes()
    runs.said()
    assert runs(tiny_root, exp, *recipe, "--resume", file_limit=len(before) // 2) == 2
    said = runs.said()
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1] == f"run.py train: error: [Errno 27] File too large: '{exp}/model_latest.pth'"
    assert (exp / "model_latest.pth").read_bytes() == before
    assert not list(exp.glob(".tmp-*"))
    assert runs(tiny_root, exp, *recipe, "--resume") == 0
    assert_same_run(exp, tmp_path / "undisturbed")


def test_the_random_generators_go_on_where_they_were(runs, tiny_root, tmp_path):
    assert runs(tiny_root, tmp_path / "exp", "--max_ite", "1", "--seed", "5") == 0
    states = contents(tmp_path / "exp" / "model_latest.pth")["random"]
    from training.seeding import random_states, restore_random_states, seed_everything

    seed_everything(1)
    restore_random_states(states)
    assert_same(random_states(), states)


RECIPE_OF_SIX = ["--max_ite", "6", "--save_step", "2", "--val_step", "3"]


def test_a_broken_checkpoint_never_takes_the_place_of_the_one_before(runs, tiny_root, tmp_path):
    exp = tmp_path / "exp"
    assert runs(tiny_root, exp, *RECIPE_OF_SIX) == 0
    (exp / "model_latest.pth").write_bytes(b"no checkpoint")
    assert runs(tiny_root, exp, *RECIPE_OF_SIX, "--resume", "--max_minutes", "1e-6") == 130
    assert [contents(exp / f"model_{name}.pth")["iteration"] for name in ("previous", "latest")] == [4, 5]


def test_a_stop_at_the_last_step_leaves_the_same_checkpoint_in_the_end(runs, tiny_root, tmp_path):
    recipe = ["--max_ite", "1", "--save_step", "9", "--val_step", "9"]
    assert runs(tiny_root, tmp_path / "undisturbed", *recipe) == 0
    assert runs(tiny_root, tmp_path / "cut", *recipe, "--max_minutes", "1e-6") == 130
    assert runs(tiny_root, tmp_path / "cut", *recipe, "--resume") == 0
    assert_same_run(tmp_path / "cut", tmp_path / "undisturbed")


def test_the_best_checkpoint_is_chosen_on_one_split_throughout(runs, tiny_root, tmp_path):
    exp = tmp_path / "exp"
    assert runs(tiny_root, exp, *RECIPE_OF_SIX) == 0
    names = (tiny_root / "test.txt").read_text().split()
    (tiny_root / "test.txt").write_text("\n".join(names[1:]))
    for val, found in ((None, "test with 2"), (names[0], "validation with 1")):
        if val:
            (tiny_root / "val.txt").write_text(val)
        runs.said()
        assert runs(tiny_root, exp, *RECIPE_OF_SIX, "--resume") == 2
        assert f"best checkpoint on the 3 images of the test split, as so far, found {found}" in runs.said()


def test_a_run_that_goes_on_in_another_folder_chooses_its_best_anew(runs, tiny_root, tmp_path):
    recipe = [*RECIPE_OF_SIX, "--val_fraction", "0.4"]
    assert runs(tiny_root, tmp_path / "first", *recipe) == 0
    for checkpoint in ("model_previous.pth", "model_latest.pth"):
        exp = tmp_path / checkpoint
        path = str(tmp_path / "first" / checkpoint)
        assert runs(tiny_root, exp, *recipe, "--resume", "--ckpt_path", path) == 0
        assert "expected the best checkpoint so far, found none; it is chosen anew" in runs.said()
        summary = json.loads((exp / "summary.json").read_text())
        assert summary["headline"] == "validation_selected" and "validation_selected" in summary["results"]
        assert (exp / "per_case.csv").is_file() and (exp / "args.json").is_file()


def test_a_run_goes_on_in_the_precision_that_it_began_in(runs, tiny_root, tmp_path):
    """--fp16 means float16 on a GPU."""
    exp = tmp_path / "exp"
    assert runs(tiny_root, exp, "--max_ite", "1", "--fp16") == 0
    assert contents(exp / "model_latest.pth")["amp"] == "bf16"
    torch.save(contents(exp / "model_latest.pth") | {"amp": "fp16"}, exp / "model_latest.pth")
    runs.said()
    assert runs(tiny_root, exp, "--max_ite", "1", "--fp16", "--resume") == 2
    assert "--amp: expected fp16, in which the run to resume began, found bf16 on cpu" in runs.said()


def test_what_cannot_be_trained_costs_no_earlier_run(runs, tiny_root, tmp_path):
    exp, other = tmp_path / "exp", tmp_path / "other"
    assert runs(tiny_root, exp, "--max_ite", "1") == 0
    assert runs(tiny_root, other, "--max_ite", "1", "--num_levels", "1") == 0
    before = sorted(path.name for path in exp.iterdir())
    weights = str(other / "model_best.pth")
    for options in (["--ckpt_path", weights], ["--features", "3,8,8,8,8,4"]):
        assert runs(tiny_root, exp, "--max_ite", "1", "--overwrite", *options) == 2
        assert sorted(path.name for path in exp.iterdir()) == before
