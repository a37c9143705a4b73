"""What the data set decides of a command line, and what a checkpoint remembers."""

from dataclasses import replace

import pytest

from datasets.remembered import check_settings, remembered_settings
from datasets.specs import get_spec
from parse_args import parse_args
from training.data_options import complete

KVASIR, PROSTATE = get_spec("kvasir"), get_spec("prostate")


def train_args(*more, data="kvasir"):
    return parse_args(["--data", data, "--root", "R", *more])


def test_released_sets_have_two_levels_and_their_channels():
    done = complete(train_args(), KVASIR)
    assert (done.in_channels, done.num_levels, done.exp_path) == (3, 2, "exp/kvasir_gaze_sup_2level_prop_seed0")
    assert complete(train_args(data="prostate"), PROSTATE).in_channels == 1


@pytest.mark.parametrize("thresholds", [(0.5,), (0.5, 0.3), (0.6, 0.4, 0.2)])
def test_a_level_for_each_threshold_of_the_settings(thresholds):
    spec = replace(KVASIR, end_thresholds=thresholds)
    assert complete(train_args(), spec).num_levels == len(thresholds)
    assert complete(train_args("-m", "full_sup"), spec).num_levels == 1


def test_what_was_given_stays_and_the_command_line_itself_is_left_alone():
    args = train_args("--num_levels", "4", "--exp_path", "E")
    done = complete(args, KVASIR)
    assert (done.num_levels, done.exp_path) == (4, "E")
    assert args.in_channels is None


def test_other_channels_than_the_data_set_has():
    with pytest.raises(ValueError, match="--in_channels 1: expected 3, the channels of --data kvasir"):
        complete(train_args("--in_channels", "1"), KVASIR)
    assert complete(train_args("--in_channels", "3"), KVASIR).in_channels == 3


def test_a_checkpoint_of_another_normalisation_names_both():
    check_settings(KVASIR, remembered_settings(KVASIR), "model.pth")
    zscored = replace(KVASIR, normalisation="zscore")
    with pytest.raises(ValueError, match=r"model\.pth: expected data with normalisation imagenet, .* found .* zscore"):
        check_settings(zscored, remembered_settings(KVASIR), "model.pth")


def test_a_checkpoint_that_remembers_nothing_is_not_checked():
    check_settings(PROSTATE, {}, "released.pth")


def test_an_ignore_value_is_remembered_and_binds_no_evaluation():
    ignoring = replace(KVASIR, ignore_value=255)
    assert remembered_settings(ignoring) == remembered_settings(KVASIR) | {"ignore_value": 255}
    check_settings(KVASIR, remembered_settings(ignoring), "model.pth")
