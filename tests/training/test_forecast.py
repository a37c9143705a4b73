"""How long a training will take."""

import re
from types import SimpleNamespace

import pytest
import torch

import run
from parse_args import parse_args
from trainer import TrainState
from training import forecast
from training.forecast import ForecastHook, format_duration, remaining_work
from training.settings import Settings

TRAIN = ["train", "--data", "kvasir", "--root", "data", "--exp_path", "exp"]


class Lines(list):
    info = list.append


def said(device, *, monkeypatch, steps=10, start=0, first=9.0, each=2.0, **options):
    """The lines about a run whose first step takes ``first`` seconds and all others ``each``."""
    clock = [100.0]
    monkeypatch.setattr(forecast.time, "monotonic", lambda: clock[0])
    options = {"max_ite": 106, "spatial_size": 64, "recipe": "small"} | options
    lines, settings = Lines(), Settings(data="kvasir", root="data", **options)
    state = TrainState(iterations_per_epoch=5, iteration=start)
    hook = ForecastHook(SimpleNamespace(log=lines, settings=settings, device=torch.device(device), state=state))
    for step in range(1, steps + 1):
        clock[0] += first if step == 1 else each
        hook(TrainState(iterations_per_epoch=5, iteration=start + step), {}, 0.1)
    return lines


def test_a_cpu_is_asked_after_one_step_and_again_without_it(monkeypatch):
    lines = said("cpu", monkeypatch=monkeypatch)
    assert lines == [
        "105 iterations at 9 s: about 16 min on this CPU",
        "100 iterations at 2 s: about 3 min on this CPU",
    ]


def test_the_first_step_of_a_gpu_says_nothing(monkeypatch):
    assert said("cuda", monkeypatch=monkeypatch) == ["100 iterations at 2 s: about 3 min on this GPU"]


def test_a_resumed_run_has_only_its_rest_to_do(monkeypatch):
    assert said("cuda", start=80, monkeypatch=monkeypatch) == ["20 iterations at 2 s: about 40 s on this GPU"]


@pytest.mark.parametrize("steps", [1, 6])
def test_at_the_end_nothing_is_forecast(steps, monkeypatch):
    assert len(said("cpu", steps=steps, max_ite=steps, monkeypatch=monkeypatch)) == (0 if steps == 1 else 1)


def test_rounds_and_seeds_that_come_after_are_counted_by_their_pixels(monkeypatch):
    lines = said("cuda", work_after=100 * 128**2, monkeypatch=monkeypatch)
    # Four times the pixels: 8 s a step.
    assert lines == ["100 iterations at 2 s: about 3 min on this GPU; with the rounds and seeds after it 17 min"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (780, "13 min"),
        (5400, "1.5 h"),
        (86400, "24.0 h"),
        (864000, "10 days"),
    ],
)
def test_a_duration_in_its_unit(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("after", "expected"), [(0, 2 * 600 * 16**2 + 1200 * 32**2), (2, 1200 * 32**2), (3, 0)])
def test_work_of_the_rounds_that_are_left(after, expected):
    args = Settings(data="kvasir", root="data", rounds=3, round_ite=600, round_size=16, max_ite=1200, spatial_size=32)
    assert remaining_work(args, after=after) == expected


def test_each_seed_knows_what_the_others_have_to_do():
    from training.rounds import settings_of_round
    from training.seeds import settings_of_seed

    options = ["--seeds", "3,1,2", "--rounds", "2", "--round_ite", "10", "--max_ite", "20", "--spatial_size", "16"]
    args = parse_args([*TRAIN, *options])
    one = 30 * 16**2
    assert [settings_of_seed(args, seed).work_after for seed in (3, 1, 2)] == [2 * one, one, 0]
    first = settings_of_seed(args, 3)
    assert [settings_of_round(first, number).work_after for number in (1, 2)] == [2 * one + 20 * 16**2, 2 * one]


def test_a_training_of_days_names_the_recipe_for_a_cpu_and_goes_on(tiny_root, tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "LONG", 1e-6)
    exp, size = tmp_path / "exp", ["--spatial_size", "32", "--features", "4,8,8,8,8,4", "-bs", "2"]
    line = ["--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(exp), "--num_worker", "0", "--max_ite", "3"]
    assert run.main(["train", *line, *size, "--device", "cpu", "--log_step", "2"]) == 0
    log = (exp / "train.log").read_text()
    said = r"2 iterations at [\d.]+ s: about [\d.]+ \w+ on this CPU; --recipe small and --recipe strong are made for"
    assert re.search(said, log)
    first, second = re.findall(r"Ite [12]\].*", log)
    assert "left" not in first and re.search(r"peak [\d.]+ GB, \d+ \w+ left$", second)


def test_asking_how_long_changes_no_number(tiny_root, tmp_path, monkeypatch):
    line = ["train", "--data", "kvasir", "--root", str(tiny_root), "--spatial_size", "32", "--features", "4,8,8,8,8,4"]
    line += ["-bs", "2", "--num_worker", "0", "--max_ite", "2", "--device", "cpu"]
    weights = []
    for name, long in (("asked", 0.0), ("not", 1e9)):
        monkeypatch.setattr(forecast, "LONG", long)
        assert run.main([*line, "--exp_path", str(tmp_path / name)]) == 0
        weights.append(torch.load(tmp_path / name / "model_latest.pth", weights_only=True)["state_dict"])
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
