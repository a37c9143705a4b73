"""Preparation can be repeated, changed, stopped and killed: it does what is missing or outdated, nothing else."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets import build_dataset, io
from datasets.files import sample_path
from datasets.gaze.prepare import GazeSettings, prepare_gaze
from datasets.specs import get_spec

REPOSITORY = Path(__file__).resolve().parents[3]
NUM_KILLS = 20
NUM_SLOW = 30


def _prepare(root, data="kvasir", **options):
    return prepare_gaze(data, root, root / "fixations.csv", **{"workers": 1, **options})


def _maps(root: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every map."""
    paths = [path for kind in ("heatmap", "crf_compat1") for path in (root / "gaze" / kind).iterdir()]
    return {f"{path.parent.name}/{path.name}": (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def _rewritten(before: dict, after: dict) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name][1] != after[name][1]}


def _everything(root: Path) -> dict[str, object]:
    """All that a preparation leaves, but for the time it took."""
    files = {}
    for path in sorted((root / "gaze").rglob("*")):
        if path.name == "per_image.csv":
            files[path.name] = [row[:-1] for row in csv.reader(path.read_text().splitlines())]
        elif path.is_file():
            files[str(path.relative_to(root))] = path.read_bytes()
    return files


def test_second_call_writes_no_map(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    first, before = _prepare(tiny_root), _maps(tiny_root)
    table = (tiny_root / "gaze" / "per_image.csv").read_bytes()
    second = _prepare(tiny_root)
    assert _rewritten(before, _maps(tiny_root)) == set()
    assert (first.pop("num_made"), second.pop("num_made")) == (9, 0)
    assert first == second
    # Times included: they tell how long making the maps took, not how long keeping them.
    assert (tiny_root / "gaze" / "per_image.csv").read_bytes() == table


def test_map_that_is_missing_cut_or_from_elsewhere_is_made_again(tiny_root):
    _prepare(tiny_root)
    expected, gaze = _everything(tiny_root), tiny_root / "gaze"
    (gaze / "heatmap" / "polyp3.jpg").unlink()
    (gaze / "crf_compat1" / "polyp5.jpg").unlink()
    cut, other = gaze / "heatmap" / "polyp4.jpg", gaze / "crf_compat1" / "polyp6.jpg"
    cut.write_bytes(cut.read_bytes()[:-40])
    Image.fromarray(io.read_gray(other)).save(other)
    assert _prepare(tiny_root)["num_made"] == 4
    assert _everything(tiny_root) == expected


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        (GazeSettings(sigma_px=60), {"heatmap", "crf_compat1"}),
        (GazeSettings(sigma_px=70, compat=2), {"crf_compat1"}),
        (GazeSettings(sigma_px=70, iterations=5), {"crf_compat1"}),
        (GazeSettings(sigma_px=70, sxy=40), {"crf_compat1"}),
        (GazeSettings(sigma_px=70, srgb=20), {"crf_compat1"}),
    ],
)
def test_changed_setting_remakes_what_depends_on_it(tiny_root, settings, kinds):
    _prepare(tiny_root)
    before = _maps(tiny_root)
    assert _prepare(tiny_root, settings=settings)["num_made"] == 9
    assert _rewritten(before, _maps(tiny_root)) == {f"{kind}/polyp{i}.jpg" for kind in kinds for i in range(1, 10)}


def test_number_of_levels_remakes_nothing(tiny_root):
    _prepare(tiny_root)
    assert _prepare(tiny_root, num_levels=4)["num_made"] == 0


def test_changed_fixations_remake_their_image(tiny_root):
    _prepare(tiny_root)
    before = _maps(tiny_root)
    table = pd.read_csv(tiny_root / "fixations.csv")
    table.loc[table.IMAGE == "polyp2.jpg", "CURRENT_FIX_X"] *= 0.9
    table.to_csv(tiny_root / "fixations.csv", index=False)
    assert _prepare(tiny_root)["num_made"] == 1
    assert _rewritten(before, _maps(tiny_root)) == {"heatmap/polyp2.jpg", "crf_compat1/polyp2.jpg"}


def test_changed_image_remakes_its_crf_map(tiny_root):
    _prepare(tiny_root)
    before = _maps(tiny_root)
    path = tiny_root / "images" / "polyp2.jpg"
    Image.fromarray(255 - io.read_image(path, 3)).save(path)
    assert _prepare(tiny_root)["num_made"] == 1
    # The heatmap depends on the image's size alone.
    assert _rewritten(before, _maps(tiny_root)) == {"crf_compat1/polyp2.jpg"}


def test_png_in_place_of_jpeg_and_back(tiny_root):
    _prepare(tiny_root)
    expected = _everything(tiny_root)
    report = _prepare(tiny_root, map_format="png")
    assert report["num_made"] == 9 and report["settings"]["map_format"] == "png"
    assert {Path(name).suffix for name in _maps(tiny_root)} == {".png"}
    sample = build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)[0]
    assert sample["pseudo"].shape == (2, 32, 32) and sample["pseudo"].any()
    _prepare(tiny_root)
    assert _everything(tiny_root) == expected


def test_png_keeps_what_jpeg_changes(tiny_root):
    _prepare(tiny_root, map_format="png")
    exact = io.read_gray(sample_path(get_spec("kvasir"), tiny_root, "heatmap", "polyp1")).astype(int)
    _prepare(tiny_root)
    jpeg = io.read_gray(sample_path(get_spec("kvasir"), tiny_root, "heatmap", "polyp1")).astype(int)
    assert 0 < np.abs(exact - jpeg).max() < 10


def test_outdated_maps_of_an_image_that_became_unusable_are_removed(tiny_root):
    _prepare(tiny_root)
    table = pd.read_csv(tiny_root / "fixations.csv")
    table.loc[table.IMAGE == "polyp2.jpg", "CURRENT_FIX_DURATION"] = 0
    table.to_csv(tiny_root / "fixations.csv", index=False)
    assert _prepare(tiny_root)["num_left_out"] == 1
    assert not any("polyp2" in name for name in _maps(tiny_root))


def test_maps_of_images_that_the_table_does_not_name_stay(tiny_root):
    _prepare(tiny_root)
    table = pd.read_csv(tiny_root / "fixations.csv")
    table[table.IMAGE != "polyp2.jpg"].to_csv(tiny_root / "fixations.csv", index=False)
    _prepare(tiny_root)
    assert "heatmap/polyp2.jpg" in _maps(tiny_root)


def test_interrupted_preparation_is_not_trained_on(tiny_root):
    _prepare(tiny_root)

    def stop(results, total):
        yield next(iter(results))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _prepare(tiny_root, settings=GazeSettings(sigma_px=30), progress=stop)
    assert not (tiny_root / "gaze" / "report.json").exists()
    with pytest.raises(ValueError, match="expected finished gaze maps, found a preparation that was stopped"):
        build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)
    # Without pseudo-masks they do not matter.
    build_dataset("kvasir", root=tiny_root, split="test", spatial_size=32)
    _prepare(tiny_root)
    build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)


def test_two_preparations_of_one_folder_at_once(tiny_root):
    def other(results, total):
        with pytest.raises(ValueError, match="expected to be alone, found a preparation at work"):
            _prepare(tiny_root)
        yield from results

    assert _prepare(tiny_root, progress=other)["num_images"] == 9


# Forks itself, so that a run starts without the seconds that importing takes.
DRIVER = """
import os, random, shutil, signal, sys, time
from pathlib import Path
from datasets.gaze.prepare import GazeSettings, prepare_gaze
pristine, work, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def prepare(root):
    prepare_gaze("kvasir", root, pristine / "fixations.csv", workers=1)

def maps_in(root):
    return len(list(root.glob("gaze/*/[!.]*.jpg")))

prepare(work / "whole")
rng, interrupted = random.Random(0), 0
for kill in range(kills):
    root = work / f"killed{kill}"
    # Every other one starts with maps of other settings.
    shutil.copytree(work / ("outdated" if kill % 2 else "bare"), root)
    child = os.fork()
    if child == 0:
        prepare(root)
        os._exit(0)
    # After some of the 18 maps, and then at any moment, so that most come before the end.
    enough, end = rng.randrange(18), time.monotonic() + 10
    while maps_in(root) < enough and time.monotonic() < end:
        pass
    time.sleep(rng.uniform(0, 0.005))
    os.kill(child, signal.SIGKILL)
    interrupted += os.waitpid(child, 0)[1] == signal.SIGKILL
    prepare(root)
print(interrupted)
"""


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tiny_root, tmp_path):
    shutil.rmtree(tiny_root / "gaze")
    for name in ("whole", "bare", "outdated"):
        shutil.copytree(tiny_root, tmp_path / name)
    _prepare(tmp_path / "outdated", settings=GazeSettings(sigma_px=30), map_format="png")
    command = [sys.executable, "-c", DRIVER, str(tiny_root), str(tmp_path), str(NUM_KILLS)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= NUM_KILLS / 2
    expected = _everything(tmp_path / "whole")
    assert len(expected) == 9 + 9 + 2
    for kill in range(NUM_KILLS):
        assert _everything(tmp_path / f"killed{kill}") == expected, kill


def _start(root: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "run.py", "prepare", "--data", "kvasir", "--root", str(root)]
    command += ["--fixations", str(root / "fixations.csv"), *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


@pytest.fixture
def slow_root(tiny_root):
    """So many images that a preparation can be caught at work."""
    shutil.rmtree(tiny_root / "gaze")
    table = pd.read_csv(tiny_root / "fixations.csv")
    rows = table[table.IMAGE == "polyp1.jpg"]
    picture = Image.open(tiny_root / "images" / "polyp1.jpg").resize((400, 300))
    names = [f"more{i}" for i in range(NUM_SLOW)]
    for name in names:
        picture.save(tiny_root / "images" / f"{name}.jpg")
    sizes = {"IMAGE_HEIGHT": 300.0, "IMAGE_WIDTH": 400.0}
    pd.concat([rows.assign(IMAGE=f"{name}.jpg", **sizes) for name in names]).to_csv(
        tiny_root / "fixations.csv", index=False
    )
    (tiny_root / "train.txt").unlink()
    return tiny_root


def _wait_for_maps(root: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    # So many that both workers are at it: one that is stopped while it imports shows a traceback.
    while len(list((root / "gaze" / "crf_compat1").glob("[!.]*"))) < 10:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL], ids=["ctrl_c", "sigkill"])
def test_command_stopped_and_called_again(slow_root, stop):
    process = _start(slow_root, "--workers", "2")
    _wait_for_maps(slow_root, process)
    os.killpg(process.pid, stop)
    errors = process.communicate(timeout=60)[1]
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert "Traceback" not in errors
        assert errors.splitlines()[-1].endswith("run.py prepare: stopped")
    again = _start(slow_root, "--workers", "2")
    output, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    kept = int(output.split("(")[1].split(" were")[0])
    assert 10 <= kept < NUM_SLOW
    assert json.loads((slow_root / "gaze" / "report.json").read_text())["num_images"] == NUM_SLOW
    left = {path.name for path in (slow_root / "gaze").rglob("*") if path.is_file()}
    expected = {f"more{i}.jpg" for i in range(NUM_SLOW)}
    assert left == expected | {"report.json", "per_image.csv", "examples.png"}


def test_full_disk_is_one_sentence_and_leaves_nothing_half_written(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    command = [sys.executable, "run.py", "prepare", "--data", "kvasir", "--root", str(tiny_root), "--workers", "1"]
    command += ["--fixations", str(tiny_root / "fixations.csv")]
    # A limit on the size of files acts as a disk that fills up while a map is written.
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)); "
    limited = [sys.executable, "-c", limit + "os.execv(sys.argv[1], sys.argv[1:])", *command]
    done = subprocess.run(limited, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "run.py prepare: error:" in done.stderr.splitlines()[-1]
    assert [path.name for path in (tiny_root / "gaze").rglob("*") if path.is_file()] == ["unfinished.txt"]
