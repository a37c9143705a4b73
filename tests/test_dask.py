"""Preparation on a Dask cluster: a scheduler and two worker processes on the loopback address."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from datasets.gaze.prepare import prepare_gaze
from utils.parallel import map_on_dask

REPOSITORY = Path(__file__).resolve().parents[1]
START_S = 60


def _start(arguments: list[str], log: Path, **environment: str) -> subprocess.Popen:
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env={**os.environ, **environment},
        )


def _start_scheduler(folder: Path) -> tuple[subprocess.Popen, str]:
    file = folder / "scheduler.json"
    arguments = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    process = _start([*arguments, "--scheduler-file", str(file)], folder / "scheduler.log")
    deadline = time.monotonic() + START_S
    while not file.is_file():
        assert process.poll() is None and time.monotonic() < deadline, (folder / "scheduler.log").read_text()
        time.sleep(0.05)
    return process, json.loads(file.read_text())["address"]


def _start_worker(folder: Path, address: str, name: str, **environment: str) -> subprocess.Popen:
    arguments = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    return _start([*arguments, "--name", name, "--host", "127.0.0.1"], folder / f"{name}.log", **environment)


def _stop(*processes: subprocess.Popen) -> None:
    for process in processes:
        process.kill()
        process.wait()


def _wait_for_workers(address: str, number: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(number, timeout=START_S)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    scheduler, address = _start_scheduler(folder)
    workers = [_start_worker(folder, address, f"worker{i}", PYTHONPATH=str(REPOSITORY)) for i in range(2)]
    try:
        _wait_for_workers(address, 2)
        yield address
    finally:
        _stop(scheduler, *workers)


def _prepare(root: Path, address: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "run.py", "prepare", "--data", "kvasir", "--root", str(root), "--dask", address]
    command += ["--fixations", str(root / "fixations.csv")]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


def _maps(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "gaze").rglob("*.jpg")}


def test_cluster_makes_the_same_files_as_this_machine(cluster, tiny_root, tmp_path):
    shutil.rmtree(tiny_root / "gaze")
    other = shutil.copytree(tiny_root, tmp_path / "other")
    prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", workers=1)
    done = _prepare(other, cluster)
    assert done.returncode == 0, done.stderr
    assert "prepared 9 images (0 were up to date)" in done.stdout
    assert _maps(other) == _maps(tiny_root)
    reports = [json.loads((root / "gaze" / "report.json").read_text()) for root in (tiny_root, other)]
    assert [report.pop("fixations") for report in reports] == [str(r / "fixations.csv") for r in (tiny_root, other)]
    assert reports[0] == reports[1]
    again = _prepare(other, cluster)
    assert "prepared 9 images (9 were up to date)" in again.stdout


def test_both_workers_work_and_results_come_in_order(cluster, tmp_path):
    # A function that every machine has; it gives the process it runs in, after a while.
    items = ((f"(__import__('time').sleep(0.01), __import__('os').getpid(), {i})[1:]",) for i in range(30))
    results = list(map_on_dask(eval, items, cluster, tmp_path))
    assert [number for _, number in results] == list(range(30))
    assert len({process for process, _ in results}) == 2
    assert os.getpid() not in {process for process, _ in results}


def test_broken_image_is_reported_and_the_rest_is_done(cluster, tiny_root):
    (tiny_root / "images" / "polyp4.jpg").write_bytes(b"not a picture")
    done = _prepare(tiny_root, cluster)
    assert done.returncode == 1
    assert "prepared 8 images" in done.stdout and "left out polyp4" in done.stdout


def test_folder_that_the_workers_do_not_see(cluster, tmp_path):
    with pytest.raises(ValueError, match=r"see .*nowhere, found that tcp://.* lacks the folder; start workers with"):
        list(map_on_dask(eval, [], cluster, tmp_path / "nowhere"))


def test_no_scheduler(tiny_root, monkeypatch):
    monkeypatch.setattr("utils.parallel.CONNECT_S", 0.5)
    prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", workers=1)
    before = {path: path.stat().st_mtime_ns for path in (tiny_root / "gaze").rglob("*.*")}
    with pytest.raises(ValueError, match=r"--dask: expected a scheduler at tcp://127\.0\.0\.1:9 .*; start one with"):
        prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", dask="tcp://127.0.0.1:9")
    # A mistake in the address must not take finished maps from training.
    assert {path: path.stat().st_mtime_ns for path in (tiny_root / "gaze").rglob("*.*")} == before


@pytest.mark.parametrize("what", ["the workers of an item ended", "its scheduler is gone"])
def test_a_cluster_that_ends_is_a_sentence(monkeypatch, tmp_path, what):
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    errors = {"the workers of an item ended": KilledWorker("loads-1", None, 3)}
    client = MagicMock()
    client.nthreads.return_value = {"tcp://127.0.0.1:9": 1}
    client.__exit__.return_value = False
    client.submit.return_value.result.side_effect = errors.get(what, FutureCancelledError("loads-1", "lost"))
    monkeypatch.setattr("utils.parallel._connect", lambda address: client)
    with pytest.raises(ChildProcessError, match=f"--dask: expected a cluster that lives to the end, found that {what}"):
        list(map_on_dask(eval, [("1",)], "tcp://127.0.0.1:9", tmp_path))


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:9", ":::"])
def test_address_that_is_none(tiny_root, monkeypatch, address):
    monkeypatch.setattr("utils.parallel.CONNECT_S", 0.5)
    with pytest.raises(ValueError, match="--dask: expected a scheduler at"):
        prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", dask=address)


def test_scheduler_without_workers_and_worker_without_the_code(tiny_root, tmp_path):
    scheduler, address = _start_scheduler(tmp_path)
    worker = None
    try:
        with pytest.raises(ValueError, match=r"--dask: expected workers at .*, found none; start some with"):
            prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", dask=address)
        worker = _start_worker(tmp_path, address, "worker")
        _wait_for_workers(address, 1)
        with pytest.raises(ValueError, match=r"found that tcp://.* lacks the code .*No module named"):
            prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", dask=address)
    finally:
        _stop(scheduler, *filter(None, [worker]))
