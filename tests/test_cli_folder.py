"""A folder of one's own, as a user types it: split, prepare, train, evaluate, baseline."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import run

SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]
SETTINGS = """
channels = 1             # ultrasound
case_pattern = '^(p\\d)_'
thresholds = [0.4, 0.2]
sigma_px = 60
"""
KINDS = (".png", ".JPG", ".tif", ".bmp", ".dcm", ".tiff")


@pytest.fixture
def folder(tmp_path, write_dicom):
    """Twelve images of six patients in six formats, their masks in three, fixations and settings; no lists."""
    root = tmp_path / "mine"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    rng, rows = np.random.default_rng(0), []
    for index in range(12):
        name, kind = f"p{index // 2}_{index % 2}", KINDS[index % 6]
        mask = np.zeros((20, 24), bool)
        mask[6:14, 8:18] = True
        _write(root / "images" / f"{name}{kind}", mask * 120 + rng.integers(0, 60, mask.shape), kind, write_dicom)
        Image.fromarray(mask.astype(np.uint8) * 255).save(
            root / "masks" / f"{name}{('.png', '.bmp', '.tif')[index % 3]}"
        )
        rows += [(f"{name}.jpg", x, y, 200) for x, y in rng.normal(0.5, 0.05, (5, 2))]
    columns = ["IMAGE", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "fixations.csv", index=False)
    (root / "dataset.toml").write_text(SETTINGS)
    return root


def _write(path, values, kind, write_dicom):
    if kind == ".dcm":
        return write_dicom(path, values)
    dtype = {".tif": np.uint16, ".tiff": np.float32}.get(kind, np.uint8)
    values = values.astype(dtype) * (1000 if dtype == np.float32 else 1)
    if kind in (".JPG", ".bmp"):
        values = np.stack([values] * 3, axis=-1)
    Image.fromarray(values).save(path)


def command(name, root, *more):
    data = [] if name == "split" else ["--data", "folder"]
    return run.main([name, *data, "--root", str(root), *map(str, more)])


def train(root, exp, *more):
    return command("train", root, "--exp_path", exp, *SMALL, "--max_ite", 2, *more)


def evaluate(root, exp, *more):
    checkpoint = str(exp / "model_latest.pth")
    return run.main(["evaluate", "--root", str(root), "--ckpt_path", checkpoint, "--device", "cpu", *more])


def fails(capsys, call, *args) -> str:
    capsys.readouterr()
    assert call(*args) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def lists(root):
    return {path.stem: path.read_text().split() for path in root.glob("*.txt")}


def test_from_a_folder_of_mixed_formats_to_scores(folder, tmp_path, capsys):
    exp = tmp_path / "exp"
    assert command("split", folder, "--val", "0.2", "--test", "0.2") == 0
    assert "train.txt: 8 images of 4 cases" in capsys.readouterr().out
    fixations = ["--fixations", folder / "fixations.csv", "--workers", "1"]
    assert command("prepare", folder, *fixations) == 0
    report = json.loads((folder / "gaze" / "report.json").read_text())
    assert (report["num_images"], report["settings"]["sigma_px"]) == (12, 60)
    assert report["quality"]["num_images"] == 12
    assert len(list((folder / "gaze" / "crf_compat1").glob("*.png"))) == 12

    assert train(folder, exp) == 0
    summary = json.loads((exp / "summary.json").read_text())
    assert (summary["selected_on"], summary["num_train"], summary["num_test"]) == ("validation", 8, 2)
    config = torch.load(exp / "model_latest.pth", weights_only=True)["config"]
    assert (config["channels"], config["normalisation"], config["level_thresholds"]) == (1, "zscore", [0.4, 0.2])
    assert json.loads((exp / "args.json").read_text())["data_spec"]["sigma_px"] == 60
    assert evaluate(folder, exp) == 0
    assert (exp / "evaluate_test" / "per_case.csv").read_bytes() == (exp / "per_case.csv").read_bytes()
    assert evaluate(folder, exp, "--split", "val") == 0
    assert command("baseline", folder, "--exp_path", tmp_path / "trivial", *SMALL[2:4], *SMALL[-4:]) == 0

    # What was trained on one kind of image is not scored on another, nor resumed.
    (folder / "dataset.toml").write_text(SETTINGS.replace("[0.4, 0.2]", "[0.5, 0.2]"))
    assert "thresholds of the run to resume, [0.4, 0.2], found [0.5, 0.2]" in fails(
        capsys, train, folder, exp, "--resume"
    )
    (folder / "dataset.toml").write_text(SETTINGS.replace("channels = 1", "channels = 3\nnormalisation = 'zscore'"))
    assert "expected data with channels 1, as it was trained on, found channels 3 (--data folder)" in fails(
        capsys, evaluate, folder, exp
    )


def test_a_contradiction_of_normalisation_names_both(tiny_root, tmp_path, capsys):
    assert train(tiny_root, tmp_path / "exp", "--num_levels", "1") == 0
    (tiny_root / "dataset.toml").write_text("normalisation = 'zscore'")
    error = fails(capsys, evaluate, tiny_root, tmp_path / "exp")
    assert "normalisation imagenet, as it was trained on, found normalisation zscore" in error


def test_without_masks_gaze_training_works_and_there_is_nothing_to_evaluate(folder, tmp_path, capsys):
    shutil.rmtree(folder / "masks")
    (folder / "masks").mkdir()
    assert command("split", folder) == 0
    assert command("prepare", folder, "--fixations", folder / "fixations.csv", "--workers", "1") == 0
    assert train(folder, tmp_path / "exp") == 0
    assert json.loads((tmp_path / "exp" / "summary.json").read_text())["results"] == {}
    error = fails(capsys, evaluate, folder, tmp_path / "exp")
    assert "2 of 2 files are missing" in error and "put the masks of folder there" in error


def test_one_threshold_trains_one_level(folder, tmp_path):
    (folder / "dataset.toml").write_text(SETTINGS.replace("[0.4, 0.2]", "[0.4]"))
    command("split", folder, "--val", "0")
    assert command("prepare", folder, "--fixations", folder / "fixations.csv", "--workers", "1") == 0
    assert train(folder, tmp_path / "exp") == 0
    assert json.loads((tmp_path / "exp" / "summary.json").read_text())["num_levels"] == 1


class TestSplit:
    def test_lists_keep_patients_whole_and_repeat(self, folder):
        assert command("split", folder, "--val", "0.2", "--test", "0.3") == 0
        first = lists(folder)
        assert sorted(sum(first.values(), [])) == sorted(path.stem for path in (folder / "images").iterdir())
        cases = [{name[:2] for name in names} for names in first.values()]
        assert sum(map(len, cases)) == len(set.union(*cases)) == 6
        assert command("split", folder, "--val", "0.2", "--test", "0.3", "--overwrite") == 0
        assert lists(folder) == first
        assert command("split", folder, "--val", "0.2", "--test", "0.3", "--overwrite", "--seed", "1") == 0
        assert lists(folder) != first

    def test_nothing_is_overwritten_unasked_and_an_old_val_txt_goes(self, folder, capsys):
        assert command("split", folder) == 0
        before = lists(folder)
        assert "val" in before
        assert "add --overwrite to replace them" in fails(capsys, command, "split", folder, "--seed", "1")
        assert lists(folder) == before
        assert command("split", folder, "--overwrite", "--val", "0") == 0
        assert set(lists(folder)) == {"train", "test"}
        assert not list(folder.glob(".tmp*"))

    def test_what_is_no_image_is_said(self, folder, capsys):
        for name in ("notes.docx", "README", ".DS_Store"):
            (folder / "images" / name).touch()
        (folder / "images" / "more").mkdir()
        assert command("split", folder) == 0
        out = capsys.readouterr().out
        assert ".docx (1), a folder (1), no ending (1)" in out
        assert "every image counts as a case" not in out

    def test_every_image_a_case_of_its_own(self, folder, capsys):
        assert "--by image: expected --by case" in fails(capsys, command, "split", folder, "--by", "image")
        (folder / "dataset.toml").unlink()
        assert command("split", folder, "--by", "image") == 0
        out = capsys.readouterr().out
        assert "train.txt: 10 images of 10 cases" in out
        assert "set case_pattern in" in out

    def test_a_released_set_is_split_by_its_cases(self, tiny_prostate_root):
        assert command("split", tiny_prostate_root, "--data", "prostate", "--overwrite", "--test", "0.4") == 0
        parts = lists(tiny_prostate_root)
        assert sorted(sum(parts.values(), []))[:3] == ["caseA_15", "caseA_25", "caseA_5"]
        assert len({name[:5] for name in parts["test"]}) == 2

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--val", "0.5", "--test", "0.5"], "together below 1"),
            (["--test", "0"], "test above 0"),
            (["--val", "0.6", "--test", "0.39"], "expected to leave training cases, found 6 in all"),
        ],
    )
    def test_parts_left_empty(self, folder, capsys, options, message):
        assert message in fails(capsys, command, "split", folder, *options)
        assert not lists(folder)

    def test_folders_that_cannot_be_split(self, folder, tmp_path, capsys):
        (folder / "images" / "p0_0.bmp").write_bytes((folder / "images" / "p0_0.png").read_bytes())
        assert "expected one file of the id p0_0" in fails(capsys, command, "split", folder)
        (folder / "images" / "p0_0.bmp").rename(folder / "images" / "p0_2 .bmp")
        assert "fits on a line of a split file" in fails(capsys, command, "split", folder)
        (folder / "images" / "p0_2 .bmp").rename(folder / "images" / "x.bmp")
        assert "found none in 'x'" in fails(capsys, command, "split", folder)
        (tmp_path / "empty" / "images").mkdir(parents=True)
        assert "expected images (.png, .jpg" in fails(capsys, command, "split", tmp_path / "empty")
        assert "expected a folder of images" in fails(capsys, command, "split", tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["train", "evaluate", "prepare", "baseline"])
def test_every_command_names_a_wrong_setting(folder, tmp_path, capsys, name):
    assert command("split", folder) == 0
    checkpoint = tmp_path / "released.pth"
    more = {
        "prepare": ["--fixations", folder / "fixations.csv"],
        "evaluate": ["--ckpt_path", checkpoint, "--device", "cpu"],
    }.get(name, ["--device", "cpu"])
    if name == "evaluate":
        from models import build_model

        model = build_model("unet", in_channels=1, num_levels=1, features=(4, 8, 8, 8, 8, 4))
        torch.save({"state_dict": model.state_dict()}, checkpoint)
    (folder / "dataset.toml").write_text("thresholds = [2]")
    assert "dataset.toml: thresholds: expected a list" in fails(capsys, command, name, folder, *more)


def test_val_txt_and_a_fraction_contradict_each_other(folder, tmp_path, capsys):
    assert command("split", folder) == 0
    error = fails(capsys, train, folder, tmp_path / "exp", "-m", "full_sup", "--val_fraction", "0.2")
    assert "val.txt: expected no validation file with --val_fraction 0.2" in error
    assert not (tmp_path / "exp").exists()


def test_a_new_split_is_not_resumed_and_old_training_images_are_pointed_out(folder, tmp_path, capsys):
    exp = tmp_path / "exp"
    assert command("split", folder, "--val", "0") == 0
    assert train(folder, exp, "-m", "full_sup") == 0
    assert evaluate(folder, exp) == 0
    assert "warning" not in capsys.readouterr().out
    _swap_first(folder / "train.txt", folder / "test.txt")
    assert "found 10, of which 2 are others; restore" in fails(capsys, train, folder, exp, "-m", "full_sup", "--resume")
    assert evaluate(folder, exp) == 0
    assert "warning: 2 of 2 images go by ids that the checkpoint was trained on (p" in capsys.readouterr().out
    assert evaluate(folder, exp, "--split", "train") == 0
    assert "warning" not in capsys.readouterr().out


def _swap_first(*paths):
    """Exchange whole patients between lists, so that they stay disjoint."""
    first, second = (path.read_text().split() for path in paths)
    one, other = ([name for name in names if name[:2] == names[0][:2]] for names in (first, second))
    for path, names, gone, come in zip(paths, (first, second), (one, other), (other, one), strict=True):
        path.write_text("\n".join([*come, *(name for name in names if name not in gone)]))


@pytest.mark.parametrize(("options", "seed"), [([], 1), (["--seed", "0"], 0), (["--seed", "2"], 2)])
def test_a_drawn_validation_split_goes_by_the_seed_that_is_asked_for(folder, tmp_path, options, seed):
    from datasets import get_spec
    from datasets.splits import split_names

    (folder / "dataset.toml").write_text("normalisation = 'zscore'")
    assert command("split", folder, "--val", "0") == 0
    exp = tmp_path / "exp"
    assert train(folder, exp, "-m", "full_sup", "--val_fraction", "0.3", "--seed", "1") == 0
    assert evaluate(folder, exp, "--split", "val", *options) == 0
    scored = set(pd.read_csv(exp / "evaluate_val" / "per_case.csv")["name"])
    draw = {n: set(split_names(get_spec("folder", folder), folder, "val", val_fraction=0.3, seed=n)) for n in range(3)}
    assert len({frozenset(names) for names in draw.values()}) == 3
    assert scored == draw[seed]


def test_a_fraction_of_0_goes_before_that_of_the_checkpoint(folder, tmp_path):
    (folder / "dataset.toml").write_text("normalisation = 'zscore'")
    assert command("split", folder, "--val", "0") == 0
    exp = tmp_path / "exp"
    assert train(folder, exp, "-m", "full_sup", "--val_fraction", "0.5", "--seed", "1") == 0
    numbers = []
    for options in ([], ["--val_fraction", "0"]):
        assert evaluate(folder, exp, "--split", "train", *options) == 0
        numbers.append(len(set(pd.read_csv(exp / "evaluate_train" / "per_case.csv")["name"])))
    assert numbers[0] < numbers[1] == len((folder / "train.txt").read_text().split())
