"""Splits: as the files say, validation by case, and nothing in two of them."""

from pathlib import Path

import pytest

from datasets.specs import get_spec
from datasets.splits import check_disjoint, split_names

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


@pytest.mark.parametrize(("rate", "count"), [(1.0, 10), (0.5, 5), (0.25, 3), (0.01, 1)])
def test_data_size_rate_rounds_up_and_keeps_the_order(root, rate, count):
    _write(root, "train", TEN)
    names = split_names(KVASIR, root, "train", data_size_rate=rate)
    assert len(names) == count
    assert names == sorted(names)


def test_data_size_rate_draws_by_seed(root):
    _write(root, "train", TEN)
    draws = {tuple(split_names(KVASIR, root, "train", data_size_rate=0.5, seed=seed)) for seed in range(5)}
    assert len(draws) > 1
    assert tuple(split_names(KVASIR, root, "train", data_size_rate=0.5, seed=0)) in draws


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
    with pytest.raises(ValueError, match=r"found 10 in both \(img0, img1, img2, img3, img4\);"):
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
        ({"split": "dev"}, "expected one of train, val, test, found 'dev'"),
        ({"split": "val"}, r"expected .*val\.txt or a --val_fraction above 0, found neither"),
        ({"split": "train", "data_size_rate": 0.0}, "data_size_rate: .*found 0.0"),
        ({"split": "train", "data_size_rate": 1.5}, "data_size_rate: .*found 1.5"),
        ({"split": "train", "val_fraction": 1.0}, "val_fraction: .*found 1.0"),
        ({"split": "train", "val_fraction": float("nan")}, "val_fraction: .*found nan"),
        ({"split": "train", "val_fraction": 0.95}, "expected to leave training cases, found 10 in all"),
    ],
)
def test_wrong_argument(root, arguments, message):
    _write(root, "train", TEN)
    with pytest.raises(ValueError, match=message):
        split_names(KVASIR, root, **arguments)
