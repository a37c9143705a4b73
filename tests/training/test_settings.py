"""Settings of a training from Python: as the command line gives them, and as strict."""

from pathlib import Path

import pytest

from parse_args import parse_args
from training.recipes import described
from training.settings import Settings

DATA = {"data": "kvasir", "root": "R"}


def test_they_are_those_of_the_command_line():
    line = "--data kvasir --root R --recipe strong --fixations F --seg_loss dice --seeds 3,1 --lr 1"
    given = Settings.of(
        data="kvasir", root=Path("R"), recipe="strong", fixations=Path("F"), seg_loss="dice", seeds=[3, 1], lr=1
    )
    assert given == parse_args(line.split()) and (given.lr, given.seeds, given.declared["encoder"]) == (
        1.0,
        (3, 1),
        "tu-tf_efficientnet_lite0",
    )
    assert given.flat()["seg_loss"] == "dice" and "objective" not in given.flat()


def test_what_is_filled_in_stays_when_it_is_looked_at_again():
    given = Settings.of(**DATA, level_thresholds=(0.6, 0.4, 0.2))
    assert (given.num_levels, given.seed, given.spatial_size, given.ensemble) == (3, 0, 224, "logits")
    assert given.checked() == given


def test_a_copy_with_others_leaves_the_first_alone():
    first = Settings.of(**DATA)
    second = first.replace(max_ite=3, cons_weight=1.0)
    assert (first.max_ite, first.declared["cons_weight"]) == (15000, 3.0)
    assert (second.max_ite, second.declared["cons_weight"], second.declared["seg_loss"]) == (3, 1.0, "bce")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1}, "--lr: expected a number above 0, found '-1'"),
        ({"max_ite": 1.5}, "--max_ite: expected a whole number from 1, found '1.5'"),
        ({"max_ite": None}, "--max_ite: expected a whole number from 1, found 'None'"),
        ({"cons_weight": -1}, "--cons_weight: expected a number from 0, found '-1'"),
        ({"seg_loss": "l2"}, "--seg_loss: expected one of bce, dice, dice_ce, found 'l2'"),
        ({"opt": "a"}, "its scripts say --opt sgd"),
        ({"mode": "gaze"}, "--mode: expected one of full_sup, gaze_sup, found 'gaze'"),
        ({"resume": "yes"}, "--resume: expected True or False, found 'yes'"),
        ({"exp_path": 3}, "--exp_path: expected"),
        ({"ckpt_path": ""}, "--ckpt_path: expected a word or path, found an empty one; leave the option out"),
        ({"features": "16,x"}, "--features: expected numbers separated by commas"),
        ({"learning_rate": 1}, "expected settings of a training, found learning_rate"),
        ({"resume": True, "overwrite": True}, "--resume: expected without --overwrite, found both"),
        ({"recipe": "small", "mode": "full_sup", "rounds": 3}, "expected -m gaze_sup, found -m full_sup"),
        ({"recipe": "best"}, "--recipe: expected one of released, small, strong, found 'best'"),
    ],
)
def test_what_no_training_takes(options, message):
    with pytest.raises(ValueError, match=message):
        Settings.of(**DATA | options)


def test_data_and_root_have_to_be_given():
    with pytest.raises(TypeError, match="root"):
        Settings.of(data="kvasir")


def test_a_gpu_goes_by_its_number_too():
    assert Settings.of(**DATA, device=0).device == "0"


def test_the_recipes_in_the_help_are_options_as_they_are_typed():
    for recipe in described().split("; "):
        name, _, options = recipe.partition(": ")
        if name != "released":
            assert parse_args(["--data", "kvasir", "--root", "r", "--fixations", "f", *options.split()]).lr == 1e-3
