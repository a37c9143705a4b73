"""Several seeds by one command: which runs start, which go on, and the table over them."""

import csv
import json
from pathlib import Path

import pytest
import torch

import run
from datasets import get_spec
from parse_args import parse_args
from training.data_options import complete
from training.seeds import train_seeds

SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]
DICE = {0: 0.5, 1: 0.6, 2: 0.7}


def line(root, exp, *more):
    return ["train", "--data", "kvasir", "--root", str(root), "--exp_path", str(exp), *SMALL, "--max_ite", "1", *more]


class Trainer:
    """Writes what a run leaves; stops in the given seed, with a checkpoint or before there is one."""

    def __init__(self, stop_in=None, *, checkpoint=True):
        self.stop_in, self.checkpoint = stop_in, checkpoint
        self.calls = []

    def __call__(self, args) -> int:
        self.calls.append((args.seed, args.resume))
        folder = Path(args.exp_path)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "args.json").exists():
            (folder / "args.json").write_text(json.dumps(args.flat()))
        if args.seed != self.stop_in or self.checkpoint:
            (folder / "model_latest.pth").touch()
        if args.seed == self.stop_in:
            return 130
        entry = {"num_cases": 4, "num_undefined": 0} | dict.fromkeys(("dice_mean", "iou_mean"), DICE[args.seed])
        metrics = {"ensemble": entry | dict.fromkeys(("dice_std", "iou_std"), 0.25)}
        summary = {"seed": args.seed, "recipe": {}, "results": {"last": {"iteration": 1, "metrics": metrics}}}
        (folder / "summary.json").write_text(json.dumps(summary))
        return 0


def seeds(exp, trainer, *more, root="data"):
    return train_seeds(_complete(line(root, exp, *more)), trainer)


def _complete(argv):
    settings = parse_args(argv)
    return complete(settings, get_spec(settings.data, settings.root))


def test_each_run_is_that_of_its_seed_alone(tiny_root, tmp_path, capsys):
    assert run.main(line(tiny_root, tmp_path / "exp", "--seeds", "3,1")) == 0
    output = capsys.readouterr().out
    assert run.main(line(tiny_root, tmp_path / "alone", "--seed", "1")) == 0
    first, second = (
        torch.load(folder / "model_latest.pth", weights_only=True)["state_dict"]
        for folder in (tmp_path / "exp" / "seed1", tmp_path / "alone")
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    table = (tmp_path / "exp" / "seeds.md").read_text()
    assert table in output
    assert "| 2 (1, 3) | 3 | 1 | Dice % |" in table
    rows = list(csv.DictReader((tmp_path / "exp" / "seeds.csv").open(newline="")))
    assert {(row["experiment"], row["n_seeds"]) for row in rows} == {("exp", "2")}
    assert {row["level"] for row in rows} == {"ensemble", "1", "2"}
    # A run alone has the same recipe, and counts as the seed that it is.
    assert run.main(["summarize", str(tmp_path / "exp" / "seed3"), str(tmp_path / "alone")]) == 0
    assert "| seed3, alone |" in capsys.readouterr().out
    assert run.main(["summarize", str(tmp_path / "exp"), str(tmp_path / "alone")]) == 2
    assert "found seed 1 in" in capsys.readouterr().err


def test_a_stopped_command_goes_on_with_resume(tiny_root, tmp_path):
    options = ["--seeds", "0,1", "--max_ite", "2"]
    assert run.main(line(tiny_root, tmp_path / "exp", *options, "--max_minutes", "0.0001")) == 130
    assert not (tmp_path / "exp" / "seed1").exists()
    assert run.main(line(tiny_root, tmp_path / "exp", *options, "--resume")) == 0
    assert "| 2 (0, 1) | 3 | 2 | Dice % |" in (tmp_path / "exp" / "seeds.md").read_text()


def test_the_table_comes_at_the_end(tmp_path, capsys):
    assert seeds(tmp_path / "exp", Trainer(), "--seeds", "0,1,2") == 0
    table = (tmp_path / "exp" / "seeds.md").read_text()
    assert "| exp |  | 3 (0, 1, 2) | 4 | 1 | Dice % | 60.00 ± 10.00 (25.00) |" in table
    assert table in capsys.readouterr().out


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_stop_ends_all_and_resuming_does_what_is_left(tmp_path, checkpoint):
    first = Trainer(stop_in=1, checkpoint=checkpoint)
    assert seeds(tmp_path / "exp", first, "--seeds", "0,1,2") == 130
    assert first.calls == [(0, False), (1, False)]
    assert not (tmp_path / "exp" / "seeds.md").exists()
    second = Trainer()
    assert seeds(tmp_path / "exp", second, "--seeds", "0,1,2", "--resume") == 0
    assert second.calls == [(1, True), (2, True)]
    assert "3 (0, 1, 2)" in (tmp_path / "exp" / "seeds.md").read_text()


def test_an_earlier_run_in_any_folder_is_refused_before_anything_starts(tmp_path):
    assert seeds(tmp_path / "exp", Trainer(), "--seeds", "2") == 0
    trainer = Trainer()
    with pytest.raises(ValueError, match=r"exp/seed2: expected a new run folder .* --resume .* --overwrite"):
        seeds(tmp_path / "exp", trainer, "--seeds", "0,1,2")
    assert trainer.calls == []
    assert not (tmp_path / "exp" / "seed0").exists()


@pytest.mark.parametrize("stopped_in", [None, 1])
def test_other_options_are_refused_before_anything_starts(tmp_path, stopped_in):
    seeds(tmp_path / "exp", Trainer(stop_in=stopped_in), "--seeds", "1")
    trainer = Trainer()
    with pytest.raises(ValueError, match=r"seed1/args\.json: .* found others: --lr 0\.01 \(now 0\.5\)"):
        seeds(tmp_path / "exp", trainer, "--seeds", "0,1", "--resume", "--lr", "0.5")
    assert trainer.calls == []


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "beside its summary.json, found none"), ("{", "something else"), ("null", "something else")],
)
def test_options_of_a_finished_run_that_cannot_be_compared(tmp_path, text, message):
    seeds(tmp_path / "exp", Trainer(), "--seeds", "1")
    path = tmp_path / "exp" / "seed1" / "args.json"
    path.unlink()
    if text:
        path.write_text(text)
    with pytest.raises(ValueError, match=message):
        seeds(tmp_path / "exp", Trainer(), "--seeds", "1", "--resume")


def test_overwriting_replaces_all_even_if_it_is_stopped(tiny_root, tmp_path):
    assert seeds(tmp_path / "exp", Trainer(), "--seeds", "0,1,2") == 0
    stopped = Trainer(stop_in=0)
    assert seeds(tmp_path / "exp", stopped, "--seeds", "0,1,2", "--overwrite", root=tiny_root) == 130
    assert not list((tmp_path / "exp").glob("seeds.*"))
    rest = Trainer()
    assert seeds(tmp_path / "exp", rest, "--seeds", "0,1,2", "--resume") == 0
    assert rest.calls == [(0, True), (1, True), (2, True)]


def test_data_that_cannot_be_trained_on_cost_no_earlier_run(tmp_path):
    assert seeds(tmp_path / "exp", Trainer(), "--seeds", "0") == 0
    with pytest.raises(OSError, match="expected a data folder"):
        seeds(tmp_path / "exp", Trainer(), "--seeds", "0", "--overwrite", root=tmp_path / "nowhere")
    assert (tmp_path / "exp" / "seed0" / "summary.json").is_file()


class TestWeightsToStartFrom:
    """They are no checkpoint to go on from, and belong to all seeds."""

    @pytest.mark.parametrize("checkpoint", [True, False])
    def test_seeds_that_are_left_begin_with_them_too(self, tmp_path, checkpoint):
        options = ["--seeds", "0,1,2", "--ckpt_path", "w.pth"]
        assert seeds(tmp_path / "exp", Trainer(stop_in=1, checkpoint=checkpoint), *options) == 130
        starts = []

        def train_one(args):
            starts.append((args.seed, args.resume, args.overwrite, args.ckpt_path))
            return 1

        for _ in range(2):
            assert seeds(tmp_path / "exp", train_one, *options, "--resume") == 1
        assert starts == [(1, True, False, None) if checkpoint else (1, False, True, "w.pth")] * 2
        seeds(tmp_path / "exp", Trainer(stop_in=2, checkpoint=False), *options, "--resume")
        assert seeds(tmp_path / "exp", train_one, *options, "--resume") == 1
        assert starts[2:] == [(2, False, True, "w.pth")]

    @pytest.mark.parametrize("more", [[], ["--ckpt_path", "other.pth"]])
    def test_to_go_on_without_them_or_with_others_is_refused(self, tmp_path, more):
        seeds(tmp_path / "exp", Trainer(), "--seeds", "0", "--ckpt_path", "w.pth")
        with pytest.raises(ValueError, match=r"expected the weights .*, --ckpt_path w\.pth, found"):
            seeds(tmp_path / "exp", Trainer(), "--seeds", "0,1", "--resume", *more)

    def test_a_resumed_run_is_not_asked_for_them(self, tmp_path):
        seeds(tmp_path / "exp", Trainer(), "--seeds", "0", "--resume")
        assert seeds(tmp_path / "exp", Trainer(), "--seeds", "0,1", "--resume") == 0

    @pytest.mark.parametrize(
        ("file", "message"), [("nowhere.pth", "expected a checkpoint"), ("exp/seed1/model_latest.pth", "--overwrite")]
    )
    def test_overwriting_removes_nothing_where_they_are_absent_or_among_it(self, tiny_root, tmp_path, file, message):
        assert seeds(tmp_path / "exp", Trainer(), "--seeds", "0,1") == 0
        path = tmp_path / file
        if path.exists():
            torch.save({"state_dict": {"w": torch.zeros(1)}}, path)
        with pytest.raises((ValueError, OSError), match=message):
            seeds(
                tmp_path / "exp", Trainer(), "--seeds", "0,1", "--overwrite", "--ckpt_path", str(path), root=tiny_root
            )
        assert (tmp_path / "exp" / "seed0" / "summary.json").is_file()
        assert (tmp_path / "exp" / "seeds.md").is_file()


def test_the_folder_of_seeds_is_named_without_a_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--data", "kvasir", "--root", "data", "--max_ite", "1"]
    trainer = Trainer()
    assert train_seeds(_complete([*options, "--seeds", "0,1"]), trainer) == 0
    assert (tmp_path / "exp" / "kvasir_gaze_sup_2level_prop" / "seed1" / "summary.json").is_file()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seeds", "0,0"], "--seeds: expected each number once, found '0,0'"),
        (["--seeds", "0,1", "--seed", "0"], "--seeds: expected without --seed, found both"),
        (["--seeds", "0,x"], "expected a whole number from 0, found 'x'"),
        (["--seeds", "0,-1"], "expected a whole number from 0, found '-1'"),
        (["--seeds", "0,1", "--test", "--ckpt_path", "c"], "--seeds: expected without --test"),
    ],
)
def test_seeds_that_contradict(more, message, capsys):
    with pytest.raises(SystemExit):
        parse_args(line("data", "exp", *more))
    assert message in capsys.readouterr().err


def test_seeds_left_out_mean_seed_0():
    args = parse_args(line("data", "exp"))
    assert (args.seed, args.seeds) == (0, None)


class TestOneRun:
    """Without --seeds, a run that began with weights."""

    @pytest.fixture
    def started(self, tiny_root, tmp_path):
        assert run.main(line(tiny_root, tmp_path / "first", "--max_ite", "2")) == 0
        options = ["--max_ite", "2", "--ckpt_path", str(tmp_path / "first" / "model_latest.pth")]
        assert run.main(line(tiny_root, tmp_path / "exp", *options, "--max_minutes", "0.0001")) == 130
        return line(tiny_root, tmp_path / "exp", *options)

    @pytest.mark.parametrize("named", [0, 2])
    def test_it_does_not_go_on_at_their_iteration(self, started, capsys, named):
        """Whether or not the command names them again."""
        assert run.main([*started[: len(started) - 2 + named], "--resume"]) == 0
        assert "resumed at iteration 1" in capsys.readouterr().out

    def test_nor_where_they_have_moved(self, started, tmp_path, capsys):
        (tmp_path / "first").rename(tmp_path / "moved")
        moved = str(tmp_path / "moved" / "model_latest.pth")
        assert run.main([*started[:-1], moved, "--resume"]) == 0
        assert "resumed at iteration 1" in capsys.readouterr().out

    def test_overwriting_does_not_remove_them(self, started, tmp_path, capsys):
        weights = tmp_path / "exp" / "model_ite1.pth"
        (tmp_path / "exp" / "model_latest.pth").rename(weights)
        assert run.main([*started[:-1], str(weights), "--overwrite"]) == 2
        assert "outside the folders that --overwrite replaces" in capsys.readouterr().err and weights.is_file()

    @pytest.mark.parametrize("more", [0, 2])
    def test_it_does_not_begin_without_them(self, started, tmp_path, capsys, more):
        (tmp_path / "exp" / "model_latest.pth").unlink()
        assert run.main([*started[: len(started) - 2 + more], "--resume"]) == 2
        assert "has none yet; call it with --overwrite --ckpt_path" in capsys.readouterr().err
