import re

import pytest

from parse_args import COMMANDS, parse_args
from training.recipes import RECIPES

NEEDED = ["--data", "kvasir", "--root", "data/kvasir"]


def test_defaults_are_the_released_recipe():
    args = parse_args(["-m", "gaze_sup", *NEEDED])
    assert args.command == "train"
    recipe = {
        "opt": "sgd", "lr": 1e-2, "lr_min": 1e-4, "lr_scheduler": "cosine", "weight_decay": 4e-4, "batch_size": 8,
        "max_ite": 15000, "spatial_size": 224, "cons_mode": "prop", "cons_weight": 3.0, "seg_loss": "bce", "seed": 0,
        "features": (64, 128, 256, 512, 1024, 128), "flip_prob": 0.5, "fp16": False,
        "prop_kernel_size": 5, "prop_dilation": 2, "prop_similarity": "dot", "init": "copy",
    }  # fmt: skip
    assert {key: args.flat()[key] for key in recipe} == recipe


def test_a_whole_command_line_of_the_reference():
    line = (
        "-m gaze_sup --model unet --in_channels 1 --data prostate --root R --exp_path E --ckpt_path C "
        "--spatial_size 224 --feat_dim 128 --opt sgd --lr 1e-2 --lr_min 1e-4 --lr_scheduler cosine --weight_decay 4e-4 "
        "--data_size_rate 1 --max_ite 15000 --warmup_ite 0 -bs 8 --log_step 10 --val_step 1000 --save_step 1000 "
        "--resume --fp16 --seed 0 --num_worker 4 --device 0 --save_pred --num_levels 2 --cons_weight 3 --cons_mode prop"
    )
    args = parse_args(line.split())
    assert (args.command, args.mode, args.data, args.batch_size, args.device) == (
        "train",
        "gaze_sup",
        "prostate",
        8,
        "0",
    )


@pytest.mark.parametrize(("word", "meaning"), [("cos", "cosine"), ("none", "constant"), ("poly", "poly")])
def test_schedules_have_the_words_of_the_reference(word, meaning):
    assert parse_args([*NEEDED, "--method", "gaze_sup", "--lr_scheduler", word]).lr_scheduler == meaning


def test_of_a_run_folder_the_latest_checkpoint_is_taken(tmp_path):
    args = parse_args([*NEEDED, "--resume", "--ckpt_path", str(tmp_path)])
    assert args.ckpt_path == str(tmp_path / "model_latest.pth")


def test_the_command_may_be_named_or_left_out():
    assert parse_args(["train", *NEEDED]) == parse_args(NEEDED)


def test_test_means_evaluate():
    args = parse_args([*NEEDED, "--test", "--ckpt_path", "model.pth"])
    assert (args.command, args.split, args.spatial_size) == ("evaluate", "test", None)


def test_thresholds_give_the_number_of_levels():
    args = parse_args([*NEEDED, "--level_thresholds", "0.6,0.4,0.2"])
    assert (args.num_levels, args.level_thresholds) == (3, (0.6, 0.4, 0.2))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--foo", "1"], "unrecognized arguments: --foo"),
        (["--max", "10"], "unrecognized arguments: --max"),
        (["--opt", "a"], "found 'a', the reference's default, which is none: its scripts say --opt sgd"),
        (["--opt", "b"], "invalid choice: 'b'"),
        (["--max_ite", "0"], "expected a whole number from 1, found '0'"),
        (["--lr", "-1"], "expected a number above 0, found '-1'"),
        (["--lr", "nan"], "expected a number above 0, found 'nan'"),
        (["--data_size_rate", "1.5"], "above 0 to 1"),
        (["--features", "16,x"], "numbers separated by commas"),
        (["--model", "smp-unet", "--features", "16,8"], "--features: expected 6 numbers, found 2"),
        (["--num_levels", "3", "--level_thresholds", "0.5,0.3"], "expected 3 (--num_levels), found 2"),
        (["-m", "full_sup", "--level_thresholds", "0.5"], "has no pseudo-masks"),
        (["--encoder", "resnet18"], "--encoder: expected --model smp-unet"),
        (["--encoder_weights", "imagenet"], "expected --model smp-unet"),
        (["--frozen_stages", "2", "--ckpt_path", "a.pth"], "--frozen_stages: expected --model smp-unet"),
        (["--lr", "1e-5"], "--lr_min 0.0001: expected at most --lr"),
        (["--prop_kernel_size", "4"], "expected an odd number, found 4"),
        (["--decoder_channels", "8,8,8,8,8,8"], "--decoder_channels: expected up to 5 numbers, found 6"),
        (["--decoder_channels", "8,0"], "--decoder_channels: expected a whole number from 1 to 65536, found '0'"),
        (
            ["--model", "smp-unet", "--frozen_stages", "2"],
            "expected --encoder_weights, as stages of random weights would stay so, found none",
        ),
        (["--frozen_stages", "6"], "--frozen_stages: expected a whole number from 0 to 5, found '6'"),
        (["--resume", "--overwrite"], "found both"),
        (["--cache", "ram"], "invalid choice: 'ram'"),
        (["--cache_gb", "-1"], "expected a number from 0, found '-1'"),
        (["--cache_dir", "D"], "--cache_dir: expected --cache disk, found --cache memory"),
        (["--test"], "expected --ckpt_path"),
    ],
)
def test_wrong_and_contradictory_options_are_one_line_and_code_2(line, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parse_args([*NEEDED, *line])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert error.count("\n") == 1


def test_an_unknown_command_names_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        parse_args(["trian", *NEEDED])
    assert stop.value.code == 2
    assert f"expected a command of {', '.join(COMMANDS)}, found 'trian'" in capsys.readouterr().err


def test_nothing_at_all_names_the_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        parse_args([])
    assert stop.value.code == 2
    assert f"expected a command of {', '.join(COMMANDS)}, found none" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_a_default_once_and_only_where_there_is_one(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")  # an option a line
    with pytest.raises(SystemExit) as stop:
        parse_args([command, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and f"run.py {command}" in text
    assert not re.search(r"\(default: (None|False|\[\]|contours)\)", text)
    assert all(line.count("(default: ") <= 1 for line in text.splitlines())
    if command == "train":
        assert "(default: 64,128,256,512,1024,128)" in text and "(default: 15000)" in text
        assert "of labels by --pseudo area, fusion or network 0.5, 0.3 and between" in text
    if command == "fixations":
        assert "columns of t, end, duration, x, y, left_x, " in text
    assert ("data set (default: as trained; " in text) == (command == "evaluate")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--lr", "inf", "expected a number above 0, found 'inf'"),
        ("--weight_decay", "inf", "expected a number from 0, found 'inf'"),
        ("--seed", "9" * 20, f"expected a whole number from 0 to {2**63 - 1}, found"),
    ],
)
def test_numbers_that_no_training_takes(capsys, option, value, message):
    with pytest.raises(SystemExit):
        parse_args([*NEEDED, option, value])
    assert message in capsys.readouterr().err


def test_a_cache_may_be_unbounded():
    assert parse_args([*NEEDED, "--cache_gb", "inf"]).cache_gb == float("inf")


def test_a_recipe_is_a_set_of_defaults():
    released = parse_args(NEEDED).flat()
    assert released["recipe"] == "released" and parse_args([*NEEDED, "--recipe", "released"]).flat() == released
    for name, recipe in RECIPES.items():
        args = parse_args([*NEEDED, "--recipe", name, "--fixations", "F"]).flat()
        expected = released | recipe | {"recipe": name, "fixations": "F"}
        assert args == expected


def test_options_go_before_the_recipe():
    args = parse_args([*NEEDED, "--recipe", "strong", "--fixations", "F", "--lr", "0.5", "--rounds", "1"])
    assert (args.lr, args.rounds, args.opt) == (0.5, 1, "adamw")


def test_every_mask_needs_no_rounds():
    args = parse_args([*NEEDED, "-m", "full_sup", "--recipe", "strong"])
    assert (args.rounds, args.pseudo, args.declared["encoder"]) == (1, "levels", "tu-tf_efficientnet_lite0")


def test_help_lists_what_a_recipe_sets(capsys):
    with pytest.raises(SystemExit):
        parse_args(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--encoder_weights package:efficientnet-lite0" in said and "--features 16,32,64,128,256,32" in said


def test_the_help_of_train_begins_with_the_ten_options_that_most_runs_need(capsys):
    with pytest.raises(SystemExit):
        parse_args(["train", "--help"])
    usage, _, _, first, *rest = capsys.readouterr().out.split("\n\n")
    assert usage == "usage: run.py train --data NAME --root FOLDER [options]"
    assert first.startswith("what most runs need:")
    assert re.findall(r"^  (-+\w+)", first, re.MULTILINE) == [
        "--data", "--root", "-m", "--recipe", "--exp_path", "--resume", "--seeds", "--max_minutes", "--val_fraction",
        "--device",
    ]  # fmt: skip
    assert rest[0].startswith("run:") and rest[-1].startswith("recipes: released: as released")


@pytest.mark.parametrize(
    "line, option",
    [
        ("predict --ckpt_path C --images a b --images c", "images"),
        ("predict --images I --ckpt_path a --ckpt_path b c", "ckpt_path"),
        ("export --ckpt_path C --to F --check_images a --check_images b c", "check_images"),
        ("figure --data folder --root R --to F --ids a b --ids c", "ids"),
        ("figure --data folder --root R --ids I --to a --to b c", "to"),
        ("figure --data folder --root R --ids I --to F --runs a b --runs c", "runs"),
    ],
)
def test_a_list_that_is_named_twice_is_one_list(line, option):
    assert getattr(parse_args(line.split()), option) == ["a", "b", "c"]


def test_a_home_folder_that_the_shell_left_is_put_in(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    args = parse_args(["--data", "folder", "--root=~/data", "--exp_path", "~/exp"])
    assert (args.root, args.exp_path) == ("/home/me/data", "/home/me/exp")
    assert parse_args(["compare", "a=~/a", "b=c~"]).runs == ["a=/home/me/a", "b=c~"]
