"""Several processes on the CPU compute what one does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import run

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "--num_worker", "0", "--device", "cpu"]
RECIPE = ["-bs", "4", "--max_ite", "8", "--val_step", "3", "--save_step", "4", "--log_step", "1"]


def line(root, exp, *more):
    return ["train", "--data", "kvasir", "--root", str(root), "--exp_path", str(exp), *SMALL, *more]


def launch(processes, root, exp, *more):
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return subprocess.run(
        [sys.executable, *launcher, "run.py", *line(root, exp, *more)],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def losses(exp):
    """Of every step: the learning rate and all terms."""
    lines = [line for line in (exp / "train.log").read_text().splitlines() if "[train |" in line]
    return np.array([[float(x) for x in re.findall(r"(?:lr|loss\w*): ([-\d.e]+)", line)] for line in lines])


def test_two_processes_train_and_evaluate_as_one(tiny_root, tmp_path):
    # Five images in batches of four: the second batch has one, which only one of the processes gets.
    names = (tiny_root / "train.txt").read_text().split()
    (tiny_root / "train.txt").write_text("\n".join(names[:5]))
    one, two = tmp_path / "one", tmp_path / "two"
    assert run.main(line(tiny_root, one, *RECIPE, "--save_pred")) == 0
    done = launch(2, tiny_root, two, *RECIPE, "--save_pred")
    assert done.returncode == 0, done.stderr
    assert losses(one).shape == (8, 5)
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-5, atol=2e-6)  # the log has six decimals
    a, b = (torch.load(exp / "model_latest.pth", weights_only=True) for exp in (one, two))
    for key, value in a["state_dict"].items():
        torch.testing.assert_close(b["state_dict"][key], value, rtol=1e-5, atol=1e-5)
    assert a["best_performance"] == pytest.approx(b["best_performance"], abs=1e-5)
    # Three test images, in their order, each once.
    assert (two / "per_case.csv").read_text() == (one / "per_case.csv").read_text()
    for name in (tiny_root / "test.txt").read_text().split():
        mask = f"predictions/{name}.png"
        assert (two / mask).read_bytes() == (one / mask).read_bytes()
    # Only the process of rank 0 writes and talks.
    assert sorted(path.name for path in two.iterdir() if "tfevents" not in path.name) == sorted(
        path.name for path in one.iterdir() if "tfevents" not in path.name
    )
    assert len(list(two.glob("events*"))) == 1
    assert done.stdout.count("2 processes, each with 1 thread,") == 1
    assert json.loads((two / "summary.json").read_text())["processes"] == 2


def test_an_unreadable_image_in_one_process_ends_all_without_a_traceback(tiny_root, tmp_path):
    image = next((tiny_root / "images").glob((tiny_root / "train.txt").read_text().split()[0] + ".*"))
    image.write_bytes(image.read_bytes()[:400])
    done = launch(2, tiny_root, tmp_path / "exp", "-bs", "2", "--max_ite", "9")
    assert done.returncode != 0
    ours = [line for line in done.stderr.splitlines() if line.startswith("run.py train: error:")]
    assert any(image.name in line for line in ours), done.stderr
    assert "Connection closed by peer" not in done.stderr and not any("loader" in line for line in ours)


def test_a_stop_of_several_processes_comes_after_the_same_step_and_resumes_in_one(tiny_root, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    recipe = ["-bs", "4", "--max_ite", "3", "--save_step", "9"]
    assert run.main(line(tiny_root, one, *recipe)) == 0
    done = launch(2, tiny_root, two, *recipe, "--max_minutes", "1e-6")
    assert done.returncode != 0 and "stopped after iteration 1" in done.stdout
    assert run.main(line(tiny_root, two, *recipe, "--resume")) == 0
    a, b = (torch.load(exp / "model_latest.pth", weights_only=True)["state_dict"] for exp in (one, two))
    for key, value in a.items():
        torch.testing.assert_close(b[key], value, rtol=1e-5, atol=1e-5)


def launch_script(processes, folder, script, *more):
    path = folder / "script.py"
    path.write_text(script)
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", path, *more],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
    )


# Only the process of rank 1 is asked to stop; that of rank 0 takes long over its last words.
STOP_OF_ONE = """
import os, signal, sys, time
import run
from training.hooks import StopHook
from utils.log import RunLog
stop, say = StopHook.__call__, RunLog.info
def stop_one(self, state, terms, lr):
    if os.environ["RANK"] == "1" and state.iteration == 2:
        signal.raise_signal(signal.SIGTERM)
    stop(self, state, terms, lr)
def say_slowly(self, message):
    time.sleep(2 * ("stopped" in message))
    say(self, message)
StopHook.__call__, RunLog.info = stop_one, say_slowly
sys.exit(run.main())
"""


def test_a_stop_of_one_process_stops_all_and_rank_0_ends_in_peace(tiny_root, tmp_path):
    done = launch_script(2, tmp_path, STOP_OF_ONE, *line(tiny_root, tmp_path / "exp", "-bs", "4", "--max_ite", "9"))
    assert "stopped after iteration 2 (SIGTERM)" in done.stdout, done.stderr
    assert torch.load(tmp_path / "exp" / "model_latest.pth", weights_only=True)["iteration"] == 2


# The statistics of the two differ; then both hear what gloo says of a process that was killed within a step.
TWO_PROCESSES = """
import torch
from utils.distributed import process_group
from inference.network_scores import score_network
class Model(torch.nn.Module):
    def __init__(self, rank):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(1)
        self.norm.running_mean.fill_(rank)
    def forward(self, x):
        logits = self.norm(x)
        return {"logits": logits, "level_logits": logits[None]}
try:
    with process_group("cpu") as (group, device):
        batch = {"image": torch.full((1, 1, 1, 1), 0.5), "label": [torch.ones(1, 1, 1)], "name": [str(group.rank)]}
        table = score_network(Model(group.rank), [batch], device, group=group)
        if group.is_main:
            print("dice", table["dice"][table["level"] == "ensemble"].tolist(), flush=True)
        group.barrier()
        raise RuntimeError("[gloo/transport/tcp/pair.cc:538] Read error [127.0.0.1]:29080: Connection reset by peer")
except OSError as error:
    print(error, flush=True)
"""


def test_statistics_are_those_of_rank_0_and_a_lost_process_is_named(tmp_path):
    done = launch_script(2, tmp_path, TWO_PROCESSES)
    # With a running mean of 1 in place of 0, the image of rank 1 would be background.
    assert "dice [1.0, 1.0]" in done.stdout, done.stderr
    assert all(f"process {rank} of 2 lost another one" in done.stdout for rank in (0, 1)), done.stderr
