"""The included model: small, described, of use at once, and as good as its card says."""

import json
import shutil
from pathlib import Path

import pytest

import run

REPOSITORY = Path(__file__).resolve().parents[1]
MODEL = REPOSITORY / "pretrained" / "kvasir_gaze.pth"


def test_it_is_small_and_its_card_says_what_the_data_allow():
    assert MODEL.stat().st_size <= 15e6
    facts = json.loads(Path(f"{MODEL}.json").read_text())
    assert facts["bytes"] == MODEL.stat().st_size and facts["data"][0]["licence"] == "research and education only"
    card = Path(f"{MODEL}.md").read_text()
    assert "research and education only" in card and "gaze, 1 level, labels by area, 4 rounds" in card


def test_it_segments_images_as_the_readme_says(tiny_root, tmp_path):
    line = ["predict", "--ckpt_path", str(MODEL), "--images", str(tiny_root / "images"), "--out", str(tmp_path / "out")]
    assert run.main([*line, "--device", "cpu", "--num_worker", "0"]) == 0
    assert len(list((tmp_path / "out" / "masks").glob("*.png"))) == 9


def test_its_dice_is_that_of_its_card(kvasir_root, tmp_path):
    """On the real test images, where they are at hand."""
    root = tmp_path / "kvasir"
    (root / "images").mkdir(parents=True), (root / "masks").mkdir()
    names = [line.removesuffix(".jpg") for line in (kvasir_root / "test.txt").read_text().split()]
    for name in names:
        for kind in ("images", "masks"):
            shutil.copy(kvasir_root / kind / f"{name}.jpg", root / kind)
    (root / "test.txt").write_text("\n".join(names) + "\n")
    (root / "train.txt").write_text("none\n")
    line = ["evaluate", "--root", str(root), "--ckpt_path", str(MODEL), "--exp_path", str(tmp_path / "scores")]
    assert run.main([*line, "--device", "cpu", "--num_worker", "0"]) == 0
    found = json.loads((tmp_path / "scores" / "summary.json").read_text())["results"]["checkpoint"]
    said = json.loads(Path(f"{MODEL}.json").read_text())["evaluation"]["results"]["last"]
    dices = [result["metrics"]["ensemble"]["dice_mean"] for result in (found, said)]
    assert dices[0] == pytest.approx(dices[1], abs=1e-3)
