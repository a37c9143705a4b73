"""Runs that differ in their seed alone, as one experiment."""

import json

import pytest

from evaluation.experiments import FinishedRun, find_runs, group_runs, over_seeds


def metrics(dice=0.5, std=0.1, num_cases=100, num_undefined=0):
    return {
        "num_cases": num_cases,
        "dice_mean": dice,
        "dice_std": None if dice is None else std,
        "iou_mean": dice,
        "iou_std": None if dice is None else std,
        "num_undefined": num_undefined,
    }


def summary(seed=0, recipe=None, label="last", **entries):
    summary = {"results": {label: {"iteration": 10, "metrics": {"ensemble": metrics(**entries)}}}, "seed": seed}
    return summary if recipe is None else summary | {"recipe": recipe}


def run_folder(folder, content):
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(content))
    return folder


def experiment(*summaries):
    runs = [FinishedRun("exp", f"seed{content['seed']}", content) for content in summaries]
    (together,) = group_runs(runs)
    return together


def of_dice(*summaries):
    return over_seeds(experiment(*summaries)).loc["last", "dice", "ensemble"]


RECIPE = {"lr": 0.01, "features": [4, 8]}


def test_three_seeds_by_hand():
    seeds = [(0, 0.5, 0.1), (1, 0.6, 0.2), (2, 0.7, 0.3)]
    numbers = of_dice(*(summary(seed, RECIPE, dice=dice, std=std) for seed, dice, std in seeds))
    assert numbers["mean"] == pytest.approx(0.6)
    # ((-0.1)^2 + 0 + 0.1^2) / (3 - 1) = 0.01; with n in place of n-1 it would be 0.0816.
    assert numbers.std_over_seeds == pytest.approx(0.1)
    assert numbers.std_over_images == pytest.approx(0.2)
    assert (numbers.n_seeds, numbers.num_cases, numbers.num_undefined) == (3, 100, 0)


def test_distances_in_mm_count_the_cases_with_a_spacing():
    content = summary()
    content["results"]["last"]["metrics"]["ensemble"] |= {"hd95_px_mean": 3.0, "hd95_mm_mean": 2.0, "num_cases_mm": 7}
    numbers = over_seeds(experiment(content))
    assert [numbers.num_cases["last", f"hd95_{unit}", "ensemble"] for unit in ("px", "mm")] == [100, 7]


def test_one_seed_has_no_spread_over_seeds():
    numbers = of_dice(summary(0, RECIPE, dice=0.5, std=0.1))
    assert numbers.fillna(-1).tolist() == [1, 0.5, -1, 0.1, 100, 0]


def test_a_seed_without_a_value_or_without_the_result_is_not_counted():
    nothing = summary(1, RECIPE, dice=None, num_undefined=100)
    other = summary(2, RECIPE, label="test_selected")
    numbers = over_seeds(experiment(summary(0, RECIPE, dice=0.4, num_undefined=3), nothing, other))
    assert numbers.loc["last", "iou", "ensemble"].fillna(-1).tolist() == [1, 0.4, -1, 0.1, 100, 103]
    assert list(numbers.index.unique("result")) == ["last", "test_selected"]


def test_all_values_missing():
    numbers = of_dice(summary(0, RECIPE, dice=None, num_undefined=100))
    assert numbers.fillna(-1).tolist() == [0, -1, -1, -1, 100, 100]


def test_grouped_by_recipe_and_ordered_by_seed():
    def named(name, *args):
        return FinishedRun(name, name, summary(*args))

    same = {"features": [4, 8], "lr": 0.01}
    runs = [named("b", 2, RECIPE), named("old", 0), named("a", 1, same), named("c", 0, {**RECIPE, "lr": 0.1})]
    found = [(one.name, one.seeds) for one in group_runs([*runs, named("old", 0)])]
    assert found == [("b, a", (1, 2)), ("old", (0,)), ("c", (0,)), ("old", (0,))]


def test_a_seed_is_not_counted_twice():
    runs = [FinishedRun("x", f"exp/{name}", summary(3, RECIPE)) for name in ("first", "second")]
    with pytest.raises(ValueError, match=r"exp/second: expected each seed .* once, found seed 3 in exp/first too"):
        group_runs(runs)


def test_seeds_on_different_test_sets_are_no_experiment():
    runs = [FinishedRun("x", f"exp/{n}", summary(n, RECIPE, num_cases=n)) for n in (100, 99)]
    with pytest.raises(ValueError, match=r"exp/99: expected 100 test cases, as in exp/100, .* found 99"):
        group_runs(runs)


def test_seeds_that_learnt_from_other_images_are_no_experiment():
    lists = {0: {}, 1: {"train_list_sha256": "a"}, 2: {"train_list_sha256": "b"}}
    runs = [FinishedRun("x", f"exp/{n}", summary(n, RECIPE) | of) for n, of in lists.items()]
    assert len(group_runs(runs[:2])) == 1
    with pytest.raises(ValueError, match=r"exp/2: expected the training images of exp/1, .* train.txt had other ids"):
        group_runs(runs)


def test_a_folder_of_seeds_and_those_without_a_summary(tmp_path):
    for seed in (10, 2):
        run_folder(tmp_path / "exp" / f"seed{seed}", summary(seed, RECIPE))
    for other in ("seed3", "seed_old", "seeds"):
        (tmp_path / "exp" / other).mkdir()
    (tmp_path / "exp" / "seed7").write_text("a file")
    runs, unfinished = find_runs([tmp_path / "exp"])
    assert [(run.name, run.folder.name) for run in runs] == [("exp", "seed2"), ("exp", "seed10")]
    assert unfinished == [tmp_path / "exp" / "seed3"]


def test_a_run_folder_with_seeds_inside_hides_neither(tmp_path):
    run_folder(tmp_path / "exp", summary(0))
    run_folder(tmp_path / "exp" / "seed1", summary(1))
    assert [run.folder.name for run in find_runs([tmp_path / "exp"])[0]] == ["exp", "seed1"]


def test_runs_are_named_so_that_they_can_be_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a/seed0", "b/seed0", "c"):
        run_folder(tmp_path / folder, summary())
    runs, _ = find_runs(["a/seed0", "b/seed0/", "c/summary.json"])
    assert [run.name for run in runs] == ["a/seed0", "b/seed0", "c"]
    assert [run.name for run in find_runs(["a/seed0", "a/seed0/"])[0]] == ["seed0", "seed0"]


def test_nothing_finished(tmp_path):
    (tmp_path / "seed0").mkdir()
    with pytest.raises(FileNotFoundError, match=r"summary\.json: expected the summary of a finished run, found none"):
        find_runs([tmp_path])


def test_seeds_from_before_networks_declared_their_settings_belong_to_those_from_after():
    before = {"model": "unet", "encoder": "resnet34", "encoder_weights": None, "decoder_channels": [256, 128]}
    after = {"model": "unet"}
    assert experiment(summary(0, RECIPE | before | {"frozen_stages": 0}), summary(1, RECIPE | after)).seeds == (0, 1)
    others = [{"model": "smp-unet", "encoder": encoder} for encoder in ("resnet18", "resnet34")]
    assert len(group_runs([FinishedRun("exp", "a", summary(0, RECIPE | other)) for other in others])) == 2
