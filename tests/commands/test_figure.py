"""``run.py figure`` as a user types it."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import run
from datasets.io import read_mask
from inference.qualitative import choose_cases
from models import build_model

TEST = ("polyp7", "polyp8", "polyp9")


@pytest.fixture
def root(tiny_root):
    """The tiny data set, with heatmaps."""
    shutil.copytree(tiny_root / "gaze" / "crf_compat1", tiny_root / "gaze" / "heatmap")
    return tiny_root


@pytest.fixture
def results(root, tmp_path):
    """A results folder: predictions equal to the masks, but nothing on polyp8; Dice in the order of the names."""
    folder = tmp_path / "exp" / "gaze_a"
    (folder / "predictions").mkdir(parents=True)
    lines = ["name,level,dice,iou"]
    for index, name in enumerate(TEST):
        mask = read_mask(root / "masks" / f"{name}.jpg") * (name != "polyp8")
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "predictions" / f"{name}.png")
        lines.append(f"{name},ensemble,{index / 4},{index / 5}")
    (folder / "per_case.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def figure(root, tmp_path):
    """A function that draws polyp7 and polyp8 with further options, into figure.svg; its exit code."""

    def draw(*more, ids=TEST[:2], to="figure.svg"):
        cases = ["--ids", *ids] if ids else []
        options = ["--data", "kvasir", "--root", str(root), "--to", str(tmp_path / to), "--device", "cpu"]
        return run.main(["figure", *options, *cases, *map(str, more)])

    return draw


def texts(path):
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def test_everything_that_there_is(figure, root, results, tmp_path, capsys):
    fixations = root / "fixations.csv"
    assert figure("--runs", results, f"same again={results}", "--fixations", fixations, "--dice") == 0
    found = texts(tmp_path / "figure.svg")
    titles = ["image", "fixations", "heatmap", "level 1 (≥0.5)", "level 2 (≥0.3)", "gaze_a"]
    assert [title for title in found if title in titles] == titles
    assert found[6:] == ["same again", "truth", "100.0", "100.0", "0.0", "0.0"]
    printed = capsys.readouterr().out
    assert printed.startswith("cases: polyp7, polyp8\noutlines: truth green, gaze_a yellow, same again light blue\n")
    assert "figure.svg: 174 x " in printed


def test_several_files_masks_and_columns_in_order(figure, results, tmp_path):
    columns = "truth,predictions,crf,image"
    more = ["--runs", results, "--masks", "--columns", columns, "--width_mm", "50.8", "--dpi", "100"]
    assert figure(*more, "--to", tmp_path / "a.png", tmp_path / "a.pdf", tmp_path / "a.SVG") == 0
    assert texts(tmp_path / "a.SVG") == ["truth", "gaze_a", "CRF map", "image"]
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 200
        # The first cell is the truth in black and white.
        cell = np.array(image.convert("L"))[20:50, 5:40]
    assert (cell < 20).any() and (cell > 235).any()
    assert b"/MediaBox [ 0 0 144 " in (tmp_path / "a.pdf").read_bytes()


def test_a_checkpoint_is_run_on_the_cases(figure, root, tmp_path, seeded_weights):
    arguments = {"in_channels": 3, "num_levels": 1, "features": (4, 8, 8, 8, 8, 4)}
    model = seeded_weights(build_model("unet", **arguments))
    config = {"model": {"name": "unet", **arguments}, "spatial_size": 32, "normalisation": "imagenet"}
    checkpoint = tmp_path / "seen" / "model_latest.pth"
    checkpoint.parent.mkdir()
    torch.save({"state_dict": model.state_dict(), "config": config}, checkpoint)
    options = ["--runs", checkpoint, "--columns", "predictions", "--masks", "--dice"]
    # Everything is above 0, so that Dice is that of the whole image as a prediction.
    assert figure(*options, "--threshold", "0", ids=TEST[:1]) == 0
    mask = read_mask(root / "masks" / "polyp7.jpg")
    assert texts(tmp_path / "figure.svg") == ["seen", f"{100 * 2 * mask.sum() / (mask.sum() + mask.size):.1f}"]


def test_what_is_not_there_is_left_out_with_a_word(figure, root, tmp_path, capsys):
    shutil.rmtree(root / "masks")
    (root / "gaze" / "heatmap" / "polyp8.jpg").unlink()
    assert figure() == 0
    printed = capsys.readouterr().out
    assert (
        f"left out the column heatmap: expected {root}/gaze/heatmap/polyp8.jpg, found none; run.py prepare" in printed
    )
    assert f"left out the column truth: expected {root}/masks/polyp7.jpg, found none; put it there" in printed
    assert printed.count("left out") == 2 and "outlines" not in printed
    assert texts(tmp_path / "figure.svg") == ["image", "level 1 (≥0.5)", "level 2 (≥0.3)"]


@pytest.mark.parametrize(
    ("gone", "more", "message"),
    [
        ("gaze/heatmap", ["--columns", "heatmap"], "--columns heatmap: expected {root}/gaze/heatmap/polyp7.jpg, "
         "found none; run.py prepare --data kvasir --root {root} --fixations CSV makes it"),
        ("gaze/crf_compat1", ["--columns", "levels"], "--columns levels: expected {root}/gaze/crf_compat1/polyp7.jpg"),
        ("masks", ["--columns", "image,truth"], "--columns truth: expected {root}/masks/polyp7.jpg, found none"),
        ("masks", ["--dice"], "--dice: expected the masks of all cases, found none at {root}/masks/polyp7.jpg"),
        (None, ["--columns", "predictions"], "--columns predictions: expected --runs, found none"),
        (None, ["--columns", "fixations"], "--columns fixations: expected --fixations CSV, found none"),
        ("images", [], "{root}/images/polyp7.jpg: expected the image of an id, found none"),
        (None, ["--level_thresholds", "0.5,2"], "level thresholds: expected one or more numbers above 0 and up to 1"),
        (None, ["--width_mm", "20", "--columns", "image,levels", "--level_thresholds", ",".join(["0.5"] * 12)],
         "--width_mm 20: expected room for 13 columns"),
        (None, ["--by", "nowhere"], "--by: expected with --worst, --best or --spread, found with --ids"),
        (None, ["--runs", "nowhere"], "nowhere: expected a results folder or a checkpoint, found none"),
        (None, ["--runs", "{root}"], "{root}/predictions/polyp7.png: expected the prediction of a run, found none; "
         "run.py evaluate with --save_pred"),
        (None, ["--runs", "{root}/train.txt"], "{root}/train.txt: expected a checkpoint, found a corrupt"),
    ],
)  # fmt: skip
def test_what_is_asked_for_and_is_not_there_is_refused(figure, root, tmp_path, capsys, gone, more, message):
    if gone:
        shutil.rmtree(root / gone)
    assert figure(*(option.format(root=root) for option in more)) == 2
    printed = capsys.readouterr()
    assert message.format(root=root) in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert not (tmp_path / "figure.svg").exists()


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["../images/polyp7"], "expected plain ids, without folders, found '../images/polyp7'"),
        (["/etc/passwd"], "expected plain ids"),
        (["a\\b"], "expected plain ids"),
        (["a\nb"], "expected plain ids, without folders, found 'a\\nb'"),
        ([""], "expected plain ids, without folders, found nothing"),
        (["polyp7", "polyp7"], "expected every id once, found polyp7 again"),
    ],
)
def test_ids_do_not_leave_the_folder(figure, capsys, ids, message):
    assert figure(ids=ids) == 2
    assert message in capsys.readouterr().err


def test_ids_of_a_table_do_not_either(figure, tmp_path, capsys):
    (tmp_path / "per_case.csv").write_text("name,level,dice\n../../secret,ensemble,0.5\n")
    assert figure("--worst", "1", "--by", tmp_path, ids=()) == 2
    assert "row 2: expected a plain id, without folders, in name, found '../../secret'" in capsys.readouterr().err


def test_files_of_another_size_are_refused(figure, root, results, capsys):
    Image.new("L", (5, 4)).save(results / "predictions" / "polyp8.png")
    assert figure("--runs", results) == 2
    assert "gaze_a, polyp8: expected the image's size, 46x42, found 5x4" in capsys.readouterr().err
    Image.new("L", (5, 4)).save(root / "gaze" / "crf_compat1" / "polyp7.jpg")
    assert figure() == 2
    assert "crf_compat1/polyp7.jpg: expected the image's size, 48x40, found 5x4" in capsys.readouterr().err


def test_no_fixations_on_a_case(figure, root, capsys):
    lines = [line for line in (root / "fixations.csv").read_text().splitlines() if not line.startswith("polyp8")]
    (root / "fixations.csv").write_text("\n".join(lines) + "\n")
    assert figure("--fixations", root / "fixations.csv") == 0
    assert (
        "left out the column fixations: expected fixations on every case, found none on polyp8"
        in capsys.readouterr().out
    )
    assert figure("--fixations", root / "fixations.csv", "--columns", "fixations") == 2
    assert "--columns fixations: expected fixations on every case" in capsys.readouterr().err


def test_cases_by_rank(results, tmp_path):
    (tmp_path / "per_case.csv").write_text(
        "name,level,dice\n"
        + "".join(f"{name},ensemble,{dice}\n" for name, dice in zip("abcde", (0.3, "", 0.9, 0.1, 0.3), strict=True))
    )
    assert choose_cases(tmp_path, "worst", 2) == ["d", "a"]
    assert choose_cases(tmp_path, "best", 2) == ["c", "e"]
    assert choose_cases(tmp_path, "spread", 3) == ["d", "e", "c"]
    assert choose_cases(tmp_path, "spread", 9) == ["d", "a", "e", "c"]
    assert choose_cases(tmp_path, "worst", 9) == ["d", "a", "e", "c"]


def test_the_first_run_with_a_table_ranks(figure, results, capsys):
    assert figure("--worst", "2", "--runs", results, ids=()) == 0
    assert capsys.readouterr().out.startswith("cases: polyp7, polyp8\n")
    assert figure("--best", "1", ids=()) == 2
    assert "--best: expected a run with per_case.csv in --runs to rank cases by, found none" in capsys.readouterr().err
    (results / "per_case.csv").write_text("name,level,dice\npolyp7,ensemble,\n")
    assert figure("--best", "1", "--runs", results, ids=()) == 2
    assert "expected a Dice of the ensemble to rank cases by, found none" in capsys.readouterr().err


@pytest.mark.parametrize(("drawn", "first"), [("model_latest.pth", "polyp7"), ("model_best.pth", "polyp9")])
def test_a_run_ranks_by_the_checkpoint_that_is_drawn(drawn, first, figure, results, capsys):
    model = build_model("unet", in_channels=3, num_levels=1, features=(4,) * 6)
    torch.save({"state_dict": model.state_dict()}, results / drawn)
    # The headline is the last iteration; the selected checkpoint has the cases in the other order.
    worst_last = "name,level,dice\npolyp7,ensemble,0.9\npolyp9,ensemble,0.1\n"
    (results / "per_case_test_selected.csv").write_text(worst_last)
    means = dict.fromkeys(("num_cases", "dice_mean", "dice_std", "iou_mean", "iou_std"), 0)
    result = {"iteration": 1, "metrics": {"ensemble": means}}
    summary = {"headline": "last", "results": {"last": result, "test_selected": result}}
    (results / "summary.json").write_text(json.dumps(summary))
    assert figure("--worst", "1", "--by", results, "--runs", results / drawn, ids=()) == 0
    assert capsys.readouterr().out.startswith(f"cases: {first}\n--worst: by the Dice in {results}")
    # Results of evaluate, which the checkpoint happens to lie beside, have one table.
    (results / "summary.json").write_text(json.dumps({"results": {"checkpoint": result}}))
    assert figure("--worst", "1", "--by", results, "--runs", results / drawn, ids=()) == 0


def test_where_it_goes(figure, tmp_path, capsys):
    assert figure(to="figure.jpg") == 2
    assert "figure.jpg: expected a file name ending in .pdf or .png or .svg, found .jpg" in capsys.readouterr().err
    assert figure("--to", tmp_path / "a.svg", tmp_path / "b" / ".." / "a.svg") == 2
    assert "expected every file once" in capsys.readouterr().err
    (tmp_path / "file").write_text("kept")
    # The first one could be written, and is not left behind.
    assert figure("--to", tmp_path / "new" / "a.svg", tmp_path / "file" / "a.svg") == 2
    assert not (tmp_path / "new").exists() and (tmp_path / "file").read_text() == "kept"


def test_sixteen_bit_grey_of_a_patient(tiny_prostate_root, tmp_path):
    options = ["--data", "prostate", "--root", str(tiny_prostate_root), "--ids", "caseA_5", "caseB_6"]
    fixations = ["--fixations", str(tiny_prostate_root / "fixations.csv")]
    assert run.main(["figure", *options, *fixations, "--to", str(tmp_path / "a.svg")]) == 0
    assert texts(tmp_path / "a.svg") == ["image", "fixations", "level 1 (≥0.2)", "level 2 (≥0.4)", "truth"]
