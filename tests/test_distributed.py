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

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "--num_worker", "0", "--device", "cpu"]
RECIPE = ["-bs", "4", "--max_ite", "8", "--val_step", "3", "--save_step", "4", "--log_step", "1"]


def launch(processes, root, exp, *more):
    argv = ["run.py", "train", "--data", "kvasir", "--root", str(root), "--exp_path", str(exp), *SMALL, *more]
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes > 1 else []
    return subprocess.run(
        [sys.executable, *torchrun, *argv],
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
    for processes, exp in ((1, one), (2, two)):
        done = launch(processes, tiny_root, exp, *RECIPE, "--save_pred")
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


def test_a_batch_that_does_not_divide(tiny_root, tmp_path):
    done = launch(2, tiny_root, tmp_path / "exp", "-bs", "3", "--max_ite", "1")
    assert done.returncode != 0
    assert "run.py train: error: -bs 3: expected a multiple of 2, the number of processes" in done.stderr
    assert not (tmp_path / "exp").exists()


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
    assert launch(1, tiny_root, one, *recipe).returncode == 0
    done = launch(2, tiny_root, two, *recipe, "--max_minutes", "1e-6")
    assert done.returncode != 0 and "stopped after iteration 1" in done.stdout
    assert launch(1, tiny_root, two, *recipe, "--resume").returncode == 0
    a, b = (torch.load(exp / "model_latest.pth", weights_only=True)["state_dict"] for exp in (one, two))
    for key, value in a.items():
        torch.testing.assert_close(b[key], value, rtol=1e-5, atol=1e-5)
