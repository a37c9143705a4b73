"""Splits: as the files say, validation by case, and nothing in two of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from datasets.specs import get_spec
from datasets.splits import check_disjoint, draw_splits, split_names

KVASIR, PROSTATE = get_spec("kvasir"), get_spec("prostate")
TEN = [f"img{i}" for i in range(10)]
SLICES = [f"case{case}_{index}" for case in "ABCDE" for index in range(4)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def _write(root: Path, split: str, names: list[str]) -> None:
    (root / f"{split}.txt").write_text("\n".join(names))


def _cases(names: list[str]) -> set[str]:
    return {PROSTATE.case_of(name) for name in names}


def test_train_and_test_in_the_order_of_their_files(root):
    _write(root, "train", ["c", "a", "b"])
    _write(root, "test", ["z", "y"])
    assert split_names(KVASIR, root, "train") == ["c", "a", "b"]
    assert split_names(KVASIR, root, "test") == ["z", "y"]


def test_the_other_split_file_may_be_absent(root):
    _write(root, "train", ["a"])
    assert split_names(KVASIR, root, "train") == ["a"]


def test_validation_and_training_share_train_txt_between_them(root):
    _write(root, "train", TEN)
    train, val = (split_names(KVASIR, root, split, val_fraction=0.3) for split in ("train", "val"))
    assert len(val) == 3
    assert sorted(train + val) == TEN
    assert train == sorted(train) and val == sorted(val)


def test_validation_keeps_prostate_cases_whole(root):
    _write(root, "train", SLICES)
    train, val = (split_names(PROSTATE, root, split, val_fraction=0.4) for split in ("train", "val"))
    assert len(_cases(val)) == 2 and len(val) == 8
    assert not _cases(train) & _cases(val)


def test_validation_draw_follows_the_seed_and_not_the_order_of_the_file(root):
    def draw(seed):
        return sorted(split_names(KVASIR, root, "val", val_fraction=0.3, seed=seed))

    _write(root, "train", TEN)
    first, others = draw(0), [draw(seed) for seed in range(1, 6)]
    _write(root, "train", TEN[::-1])
    assert draw(0) == first
    assert any(other != first for other in others)


def test_a_small_share_still_gives_one_validation_case(root):
    _write(root, "train", TEN)
    assert len(split_names(KVASIR, root, "val", val_fraction=0.01)) == 1


@pytest.mark.parametrize(("rate", "count"), [(1.0, 10), (0.5, 5), (0.25, 2), (0.01, 1)])
def test_data_size_rate_takes_the_first_as_released(root, rate, count):
    _write(root, "train", TEN)
    names = split_names(KVASIR, root, "train", data_size_rate=rate)
    assert names == TEN[:count]
    drawn = split_names(KVASIR, root, "train", data_size_rate=rate, draw_subset=True)
    assert len(drawn) == count and drawn == sorted(drawn)


def test_a_subset_can_be_drawn_by_seed(root):
    _write(root, "train", TEN)

    def draw(seed):
        return tuple(split_names(KVASIR, root, "train", data_size_rate=0.5, draw_subset=True, seed=seed))

    assert len({draw(seed) for seed in range(5)}) > 1
    assert draw(0) == draw(0)


def test_data_size_rate_leaves_validation_and_test_alone(root):
    _write(root, "train", TEN)
    _write(root, "test", ["z", "y"])
    assert len(split_names(KVASIR, root, "val", val_fraction=0.3, data_size_rate=0.1)) == 3
    assert split_names(KVASIR, root, "test", data_size_rate=0.1) == ["z", "y"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_id_in_both_files(root, split):
    _write(root, "train", ["a", "b", "c"])
    _write(root, "test", ["c", "d"])
    with pytest.raises(ValueError, match=r"expected disjoint train\.txt and test\.txt, found 1 in both \(c\)"):
        split_names(KVASIR, root, split)


def test_prostate_case_in_both_files_although_no_slice_is(root):
    _write(root, "train", ["caseA_1", "caseB_1"])
    _write(root, "test", ["caseB_2"])
    with pytest.raises(ValueError, match=r"found 1 in both \(caseB\)"):
        check_disjoint(PROSTATE, root)
    check_disjoint(KVASIR, root)


def test_only_the_first_five_shared_ids_are_listed(root):
    _write(root, "train", TEN)
    _write(root, "test", TEN)
    with pytest.raises(ValueError, match=r"found 10 in both \(img0, img1, img2, img3, img4, \.\.\.\);"):
        check_disjoint(KVASIR, root)


def test_missing_folder(root):
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected a data folder \(--root\)"):
        split_names(KVASIR, root / "nowhere", "train")


@pytest.mark.parametrize("split", ["train", "test"])
def test_missing_split_file(root, split):
    with pytest.raises(FileNotFoundError, match=rf"{split}\.txt"):
        split_names(KVASIR, root, split)


def test_empty_split_file(root):
    _write(root, "train", [])
    with pytest.raises(ValueError, match=r"train\.txt: .*empty"):
        split_names(KVASIR, root, "train")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "val"}, r"expected .*val\.txt or a --val_fraction above 0, found neither"),
        ({"split": "train", "val_fraction": 0.95}, "expected to leave training cases, found 10 in all"),
        ({"split": "validation"}, "split: expected one of train, val, test, found 'validation'"),
    ],
)
def test_wrong_argument(root, arguments, message):
    _write(root, "train", TEN)
    with pytest.raises(ValueError, match=message):
        split_names(KVASIR, root, **arguments)


class TestValidationFile:
    def test_it_is_the_validation_split_and_leaves_train_alone(self, root):
        for split, names in (("train", ["a", "b"]), ("val", ["d", "c"]), ("test", ["e"])):
            _write(root, split, names)
        assert split_names(KVASIR, root, "val") == ["d", "c"]
        assert split_names(KVASIR, root, "train") == ["a", "b"]

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_not_together_with_a_fraction(self, root, split):
        _write(root, "train", TEN)
        _write(root, "val", ["x"])
        with pytest.raises(
            ValueError, match=r"val\.txt: expected no validation file with --val_fraction 0\.3, found one"
        ):
            split_names(KVASIR, root, split, val_fraction=0.3)

    @pytest.mark.parametrize(("other", "pair"), [("train", r"train\.txt and val\.txt"), ("test", r"val\.txt and test")])
    def test_it_shares_no_case_with_the_others(self, root, other, pair):
        _write(root, "train", ["caseA_1"])
        _write(root, "test", ["caseB_1"])
        _write(root, "val", ["caseA_2" if other == "train" else "caseB_2"])
        for split in ("train", "val", "test"):
            with pytest.raises(ValueError, match=f"expected disjoint {pair}"):
                split_names(PROSTATE, root, split)


class TestDrawing:
    def test_cases_stay_whole_and_every_name_is_dealt_once(self):
        parts = draw_splits(PROSTATE, SLICES, val=0.2, test=0.4, seed=0)
        assert {part: len(names) for part, names in parts.items()} == {"train": 8, "val": 4, "test": 8}
        assert sorted(sum(parts.values(), [])) == sorted(SLICES)
        cases = [_cases(names) for names in parts.values()]
        assert sum(map(len, cases)) == len(set.union(*cases)) == 5

    def test_the_draw_follows_the_seed_and_not_the_order_of_the_names(self):
        draws = [draw_splits(KVASIR, TEN, val=0.2, test=0.3, seed=seed) for seed in range(5)]
        assert draw_splits(KVASIR, TEN[::-1], val=0.2, test=0.3, seed=0) == draws[0]
        assert len({tuple(draw["test"]) for draw in draws}) > 1

    def test_no_validation_part_on_demand_and_one_case_at_least_in_the_others(self):
        assert set(draw_splits(KVASIR, TEN, val=0, test=0.3, seed=0)) == {"train", "test"}
        parts = draw_splits(KVASIR, TEN[:3], val=0.1, test=0.1, seed=0)
        assert [len(names) for names in parts.values()] == [1, 1, 1]

    @pytest.mark.parametrize(
        ("names", "val", "test", "message"),
        [
            (TEN, 0.5, 0.5, "together below 1, found val 0.5 and test 0.5"),
            (TEN, 0.1, 0, "test above 0"),
            (TEN, float("nan"), 0.1, "found val nan"),
            (TEN[:2], 0.1, 0.1, "expected to leave training cases, found 2 in all"),
            (["caseA_1", "caseA_2"], 0, 0.1, "expected to leave training cases, found 1 in all"),
        ],
    )
    def test_shares_that_leave_a_part_empty(self, names, val, test, message):
        with pytest.raises(ValueError, match=message):
            draw_splits(PROSTATE, names, val=val, test=test, seed=0)

    def test_a_name_without_a_case_is_not_taken_for_a_case_of_its_own(self):
        spec = replace(KVASIR, case_pattern=r"^(p\d+)_")
        with pytest.raises(ValueError, match="expected to find a case in every image's name, found none in 'x1'"):
            draw_splits(spec, ["p1_1", "p2_1", "x1"], val=0, test=0.3, seed=0)
