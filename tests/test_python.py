"""docs/python.md, run from top to bottom on tiny data; and arrays in place of files."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import torch
from PIL import Image

import run
from datasets.io import image_of, read_image, read_mask
from datasets.split_files import write_splits
from datasets.transforms import preprocess
from evaluation.scores import score_case
from inference.exporting.check import find_images
from inference.exporting.formats import pick_format
from inference.figure import draw_figure
from inference.predictor import Predictor
from inference.qualitative import FigureRequest, choose_cases
from models import build_model
from training.recipes import RECIPES

PIECES = re.findall(
    r"^```python\n(.*?)^```",
    (Path(__file__).resolve().parents[1] / "docs" / "python.md").read_text(),
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture
def mine(tiny_root, tmp_path, monkeypatch):
    """A folder of own images, with masks, in the place that the document says; the first is called ``a``."""
    monkeypatch.chdir(tmp_path)
    root = Path(shutil.copytree(tiny_root, "data/mine"))
    shutil.rmtree(root / "gaze")
    for folder in ("images", "masks"):
        (root / folder / "polyp1.jpg").rename(root / folder / "a.jpg")
    for file in ("train.txt", "fixations.csv"):
        (root / file).write_text(re.sub(r"\bpolyp1\b", "a", (root / file).read_text()))
    # Masks of one data set and images of one kind, so that the document's ending is right too.
    Image.open(root / "images" / "a.jpg").save(root / "images" / "a.png")
    (root / "images" / "a.jpg").unlink()
    assert "a.jpg" in pd.read_csv(root / "fixations.csv")["IMAGE"].tolist()
    return root


def test_the_document_runs(mine, monkeypatch):
    monkeypatch.setitem(RECIPES, "small", RECIPES["small"] | {"max_ite": 2, "val_step": 2})
    shutil.move(mine / "masks" / "a.jpg", mine / "masks" / "a.png")
    pixels, truth = read_image(mine / "images" / "a.png"), read_mask(mine / "masks" / "a.png")
    names = {}
    gaze, split, train, predict, export, score, compare = PIECES
    exec(gaze, names)
    assert names["report"]["num_made"] == 9 and names["crf_map"].shape == truth.shape
    exec(split, names)
    assert [len(names["parts"][part]) for part in ("train", "val", "test")] == [6, 1, 2]
    exec(train, names)
    assert names["code"] == 0
    exec(predict, names)
    assert names["probability"].shape == truth.shape and names["probability"].dtype == np.float32
    np.testing.assert_array_equal(names["probability"], names["predict"](pixels))
    assert names["code"] == 0 and Path("exp", "mine", "predicted", "masks", "a.png").is_file()
    exec(export, names)
    assert names["facts"]["check"]["real_images"] and Path("exp", "mine", "polyps.pth.md").is_file()
    exec(score, names)
    assert names["metrics"]["ensemble"]["num_cases"] == 2
    assert names["compared"].comparisons[0].num_cases == 2
    exec(compare, names)
    assert names["floor"].keys() == {"everything", "mean_map"} and Path("figure.pdf").is_file()


def test_a_predictor_is_what_evaluate_and_predict_use(tiny_root, tmp_path):
    line = f"train --data kvasir --root {tiny_root} --num_levels 2 --features 4,8,8,8,8,4 --spatial_size 32 -bs 2"
    line += f" --max_ite 2 --num_worker 0 --device cpu --exp_path {tmp_path / 'exp'}"
    assert run.main(line.split()) == 0
    checkpoint, image = str(tmp_path / "exp" / "model_latest.pth"), tiny_root / "images" / "polyp1.jpg"
    line = f"predict --ckpt_path {checkpoint} --images {image} --out {tmp_path / 'out'} --save_prob --device cpu"
    assert run.main(line.split()) == 0
    predict = Predictor(checkpoint, torch.device("cpu"))
    saved = np.asarray(Image.open(tmp_path / "out" / "probabilities" / "polyp1.png"))
    np.testing.assert_allclose(np.round(predict(image) * 65535), saved, atol=1)
    np.testing.assert_array_equal(predict(image), predict(np.asarray(Image.open(image))))


def test_arrays_are_taken_as_files_are():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(image_of(grey, 3), np.repeat(grey[..., None], 3, 2))
    np.testing.assert_array_equal(image_of(grey[..., None], 1), grey[..., None])
    assert image_of(grey.astype(np.uint16), 1).dtype == np.float32
    with pytest.raises(ValueError, match="expected an 8-bit image for the normalisation imagenet, found an array of u"):
        image_of(grey.astype(np.uint16), 3, needs_8_bit=True)
    with pytest.raises(ValueError, match="expected finite values"):
        image_of(np.array([[np.nan]]), 1)
    for wrong in (np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 3)), np.zeros((0, 3), np.uint8), np.zeros(4)):
        with pytest.raises(ValueError, match=r"image: expected an array \(H,W\) of grey, or \(H,W,3\) uint8"):
            image_of(wrong)
    picture = Image.fromarray(grey)
    np.testing.assert_array_equal(image_of(picture, 1), grey[..., None])
    with pytest.raises(ValueError, match=r"found Pillow's mode P"):
        image_of(picture.convert("P"))
    with pytest.raises(ValueError, match=r"found Pillow's mode YCbCr"):
        image_of(picture.convert("YCbCr"), 3)


def test_padding_stays_padding(tmp_path, write_dicom):
    pixels = np.arange(40, dtype=np.uint16).reshape(5, 8) + 100
    pixels[:, :3] = 0
    write_dicom(tmp_path / "a.dcm", pixels)
    slice_ = pydicom.dcmread(tmp_path / "a.dcm")
    slice_.add_new("PixelPaddingValue", "US", 0)
    slice_.save_as(tmp_path / "a.dcm")
    read = read_image(tmp_path / "a.dcm", 1)
    assert np.ma.count_masked(read) == 15
    of_file, of_array = (preprocess(one, "zscore", 8) for one in (read, image_of(read, 1)))
    assert torch.equal(of_array, of_file)


def test_a_predictor_says_what_it_takes(tmp_path):
    weights = build_model("unet", in_channels=3, num_levels=1).state_dict()
    torch.save({"state_dict": weights}, tmp_path / "a.pth")
    assert Predictor(tmp_path.glob("*.pth"), "cpu").device.type == "cpu"
    for checkpoints in ([], 2 * [tmp_path / "a.pth"]):
        with pytest.raises(ValueError, match="expected each checkpoint once, and one at least, found"):
            Predictor(checkpoints)
    with pytest.raises(ValueError, match="ensemble: expected one of logits, probs, found 'prob'"):
        Predictor(tmp_path / "a.pth", ensemble="prob")


def test_masks_of_other_numbers_are_not_scored():
    """Of 255 and 255 each bit would count."""
    mask = np.ones((1, 2, 2), bool)
    with pytest.raises(ValueError, match="expected masks of True and False, found bool and uint8; read files by"):
        score_case("a", mask, mask[0].astype(np.uint8) * 255)


def test_one_path_is_as_good_as_several(mine, tmp_path):
    picture = Path("data", "mine", "images", "a.png")
    assert find_images(picture) == find_images(str(picture)) == [picture]
    layout, _ = draw_figure(FigureRequest(data="folder", root="data/mine", names=["a"]), "figure.png")
    assert layout.width == 174 and Path("figure.png").is_file()
    with pytest.raises(ValueError, match=r"--to figure.gif: expected a file name ending in .pdf, .png, .svg, found"):
        draw_figure(FigureRequest(data="folder", root="data/mine", names=["a"]), "figure.gif")
    for wrong, said in (
        ({"names": []}, "--ids: expected a list of ids, one at least, found"),
        ({"columns": ["x"]}, "--columns: expected some of image, .*, found x"),
        ({"style": "x"}, "style: expected some of contours, masks, found x"),
    ):
        with pytest.raises(ValueError, match=said):
            draw_figure(FigureRequest(**{"data": "folder", "root": "data/mine", "names": ["a"]} | wrong), "figure.png")
    with pytest.raises(ValueError, match="how: expected worst, best or spread, found 'x'"):
        choose_cases("exp/mine", "x", 1)
    with pytest.raises(ValueError, match="--format: expected one of onnx, torch.export, checkpoint, found 'x'"):
        pick_format("x", Path("a.pth"))
    with pytest.raises(ValueError, match="--by: expected case or image, found 'patient'"):
        write_splits("data/mine", by="patient", overwrite=True)
