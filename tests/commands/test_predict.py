"""``run.py predict`` as a user types it: what is written, what is refused, and what a stop leaves."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

import run
from inference.folder import loading, writing
from inference.folder.images import find_images
from models import build_model
from reporting.visualize import PREDICTION_COLOUR
from utils.inputs import sha256_of
from utils.locks import lock_folder

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN = ["-bs", "2", "--num_worker", "0", "--device", "cpu"]


def save_checkpoint(path, *, in_channels=3, normalisation="imagenet", seed=0):
    torch.manual_seed(seed)
    features = [4, 8, 8, 8, 8, 4]
    model = build_model("unet", in_channels=in_channels, num_levels=2, features=features)
    for level in model.model:
        # So that masks are neither empty nor full.
        torch.nn.init.normal_(level.classifier.weight)
    config = {
        "model": {"name": "unet", "in_channels": in_channels, "num_levels": 2, "features": features},
        "spatial_size": 32,
        "normalisation": normalisation,
    }
    torch.save({"state_dict": model.state_dict(), "config": config, "iteration": 1}, path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model.pth")


@pytest.fixture(scope="module")
def grey_checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "grey.pth"
    return save_checkpoint(path, in_channels=1, normalisation="zscore")


@pytest.fixture
def images(tmp_path):
    """Five colour images of different sizes and formats."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index, ending in enumerate((".png", ".jpg", ".bmp", ".tif", ".PNG")):
        write_picture(folder / f"i{index}{ending}", size=(20 + index, 30 - index), seed=index)
    return folder


def write_picture(path, size=(20, 24), seed=0):
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(path)


def read_one(path):
    with Image.open(path) as image:
        return torch.full((3, 2, 2), float(np.array(image).mean()))


def predict(checkpoint, images, out, *more):
    images = images if isinstance(images, list) else [images]
    checkpoints = checkpoint if isinstance(checkpoint, list) else [checkpoint]
    given = ["--ckpt_path", *checkpoints, "--images", *images, "--out", out, *PLAIN, *more]
    return run.main(["predict", *map(str, given)])


def fails(capsys, *args) -> str:
    capsys.readouterr()
    assert predict(*args) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def table(out, name="predictions.csv"):
    with open(out / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stamps(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


class TestWhatIsWritten:
    def test_files_and_table_agree(self, checkpoint, images, tmp_path, capsys):
        out = tmp_path / "deep" / "out"
        assert predict(checkpoint, images, out, "--save_prob") == 0
        assert "predicted 5 of 5 images (0 were up to date), refused 0" in capsys.readouterr().out
        rows = table(out)
        assert list(rows[0]) == (
            "name,file,height_px,width_px,area_px,area_mm2,area_share,num_components,largest_component_px,confidence"
        ).split(",")
        assert [row["name"] for row in rows] == [f"i{index}" for index in range(5)]
        for index, row in enumerate(rows):
            name = row["name"]
            mask, probability = pixels(out / "masks" / f"{name}.png"), pixels(out / "probabilities" / f"{name}.png")
            assert mask.shape == probability.shape == (20 + index, 30 - index)
            assert set(np.unique(mask)) <= {0, 255} and probability.dtype == np.uint16
            np.testing.assert_array_equal(mask > 0, probability / 65535 > 0.5)
            assert (int(row["height_px"]), int(row["width_px"])) == mask.shape
            assert 0 < int(row["area_px"]) == (mask > 0).sum() < mask.size
            assert float(row["area_share"]) == pytest.approx((mask > 0).mean(), abs=1e-6)
            assert float(row["confidence"]) == pytest.approx((probability / 65535)[mask > 0].mean(), abs=1e-5)
            assert 1 <= int(row["num_components"]) and 1 <= int(row["largest_component_px"]) <= int(row["area_px"])
            assert row["area_mm2"] == "" and Path(row["file"]).stem == name
            assert pixels(out / "overlays" / f"{name}.jpg").shape == (*mask.shape, 3)
        assert not (out / "errors.csv").exists()
        settings = json.loads((out / "settings.json").read_text())
        assert settings["ckpt_path"][0]["file"] == str(checkpoint) and settings["spatial_size"] == 32
        assert {path.name for path in out.iterdir()} == {
            *("masks", "overlays", "probabilities"),
            *("predictions.csv", "predictions.jsonl", "settings.json"),
        }

    @pytest.mark.parametrize("more", [(), ("--ensemble", "probs", "--threshold", "0.6"), ("--tta",)])
    def test_masks_and_probabilities_are_those_of_evaluate(self, checkpoint, tiny_root, tmp_path, more):
        scores, out = tmp_path / "scores", tmp_path / "out"
        data = ["--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(scores), "--save_pred", "--save_prob"]
        # On CPUs with AVX-512, rounding depends on the number of threads.
        more = (*more, "--threads", "1")
        assert run.main(["evaluate", "--ckpt_path", str(checkpoint), *data, *PLAIN, *more]) == 0
        names = (tiny_root / "test.txt").read_text().split()
        files = [tiny_root / "images" / f"{name}.jpg" for name in names]
        assert predict(checkpoint, files, out, "--num_worker", "2", "--save_prob", *more) == 0
        for name in names:
            expected = pixels(scores / "predictions" / f"{name}.png")
            assert expected.any()
            np.testing.assert_array_equal(pixels(out / "masks" / f"{name}.png"), expected)
            expected = pixels(scores / "probabilities" / "ensemble" / f"{name}.png")
            assert len(np.unique(expected)) > 100
            np.testing.assert_array_equal(pixels(out / "probabilities" / f"{name}.png"), expected)

    def test_the_overlay_shows_the_image_with_a_yellow_outline(self, checkpoint, tmp_path):
        Image.new("RGB", (450, 450), (0, 0, 120)).save(tmp_path / "blue.png")
        out = tmp_path / "out"
        assert predict(checkpoint, tmp_path / "blue.png", out, "--threshold", "0") == 0
        overlay = pixels(out / "overlays" / "blue.jpg").astype(int)
        assert abs(overlay[1, 200] - PREDICTION_COLOUR).max() < 60
        assert abs(overlay[200, 200] - (0, 0, 120)).max() < 20

    def test_areas_of_tiny_pixels_keep_their_digits(self, checkpoint, images, tmp_path):
        assert predict(checkpoint, images / "i0.png", tmp_path / "out", "--spacing_mm", "0.00025") == 0
        row = table(tmp_path / "out")[0]
        assert float(row["area_mm2"]) == pytest.approx(int(row["area_px"]) * 6.25e-8, rel=1e-8)

    def test_shares_of_large_images_keep_their_digits(self, checkpoint, images, tmp_path, monkeypatch):
        """Nine pixels of twelve million."""
        shape = {"area_px": 9, "area_share": 9 / 12e6, "confidence": 0.1234567}
        monkeypatch.setattr(writing, "measure_mask", lambda mask, probability: shape)
        assert predict(checkpoint, images / "i0.png", tmp_path / "out") == 0
        row = table(tmp_path / "out")[0]
        assert (row["area_share"], row["confidence"]) == ("7.5e-07", "0.123457")

    def test_several_checkpoints_and_flips_are_averaged(self, checkpoint, images, tmp_path):
        other = save_checkpoint(tmp_path / "other.pth", seed=1)
        found = {}
        for key, given, more in (
            ("one", [checkpoint], ()),
            ("other", [other], ()),
            ("both", [checkpoint, other], ("--ensemble", "probs")),
            ("tta", [checkpoint], ("--tta",)),
        ):
            assert predict(given, images / "i0.png", tmp_path / key, "--save_prob", "--no_overlay", *more) == 0
            found[key] = pixels(tmp_path / key / "probabilities" / "i0.png").astype(float)
            assert not (tmp_path / key / "overlays").exists()
        assert abs(found["one"] - found["other"]).max() > 100
        assert abs(found["tta"] - found["one"]).max() > 10
        between = np.minimum(found["one"], found["other"]) - 900, np.maximum(found["one"], found["other"]) + 900
        assert ((between[0] <= found["both"]) & (found["both"] <= between[1])).mean() > 0.9

    def test_a_threshold_of_1_gives_empty_masks(self, checkpoint, images, tmp_path):
        assert predict(checkpoint, images, tmp_path / "out", "--threshold", "1") == 0
        for row in table(tmp_path / "out"):
            assert [row[key] for key in ("area_px", "area_share", "num_components", "confidence")] == [
                "0",
                "0.0",
                "0",
                "",
            ]
            assert not pixels(tmp_path / "out" / "masks" / f"{row['name']}.png").any()

    def test_sub_folders_are_kept(self, checkpoint, images, tmp_path):
        (images / "sub").mkdir()
        write_picture(images / "sub" / "i0.png")
        assert predict(checkpoint, images, tmp_path / "out", "--recursive") == 0
        assert {row["name"] for row in table(tmp_path / "out")} == {*(f"i{index}" for index in range(5)), "sub/i0"}
        assert (tmp_path / "out" / "masks" / "sub" / "i0.png").is_file()

    def test_what_is_passed_over_is_counted(self, checkpoint, images, tmp_path, capsys):
        (images / "sub").mkdir()
        for name in ("a.webp", "b.GIF", "sub/c.webp"):
            (images / name).write_bytes(b"")
        assert predict(checkpoint, images, images / "out") == 0
        said = capsys.readouterr().err
        assert "passed over, since only .png, " in said
        assert said.endswith(" are images: .gif (1), .webp (1), a folder (1); for sub-folders give --recursive\n")
        assert predict(checkpoint, images, images / "out", "--recursive") == 0
        assert capsys.readouterr().err.endswith(" are images: .gif (1), .webp (2)\n")


class TestDicom:
    @pytest.fixture
    def slice_(self, tmp_path, write_dicom):
        def write(name="s.dcm", **attributes):
            path = tmp_path / name
            write_dicom(path, np.random.default_rng(0).integers(0, 900, (24, 32)).astype(np.uint16))
            dicom = pydicom.dcmread(path)
            for key, value in attributes.items():
                setattr(dicom, key, value)
            dicom.save_as(path)
            return path

        return write

    def read(self, out, name="s"):
        return table(out)[0], json.loads((out / "masks" / f"{name}.json").read_text())

    def test_with_spacing(self, grey_checkpoint, slice_, tmp_path):
        path = slice_(PixelSpacing=[0.5, 0.25], ImagePositionPatient=[1, 2, 3])
        assert predict(grey_checkpoint, path, tmp_path / "out") == 0
        row, geometry = self.read(tmp_path / "out")
        assert pixels(tmp_path / "out" / "masks" / "s.png").shape == (24, 32)
        assert float(row["area_mm2"]) == pytest.approx(int(row["area_px"]) * 0.125)
        assert (geometry["rows"], geometry["columns"], geometry["pixel_spacing_mm"]) == (24, 32, [0.5, 0.25])
        assert geometry["ImagePositionPatient"] == [1, 2, 3]
        assert geometry["SOPInstanceUID"] == pydicom.dcmread(path).SOPInstanceUID

    def test_without_spacing(self, grey_checkpoint, slice_, tmp_path):
        assert predict(grey_checkpoint, slice_(), tmp_path / "out") == 0
        row, geometry = self.read(tmp_path / "out")
        assert (row["area_mm2"], geometry["pixel_spacing_mm"]) == ("", None)

    def test_with_the_detectors_spacing_which_is_said(self, grey_checkpoint, slice_, tmp_path, capsys):
        assert predict(grey_checkpoint, slice_(ImagerPixelSpacing=[2, 2]), tmp_path / "out") == 0
        assert "area_mm2 of 1 image(s) goes by ImagerPixelSpacing" in capsys.readouterr().out
        row, geometry = self.read(tmp_path / "out")
        assert float(row["area_mm2"]) == 4 * int(row["area_px"])
        assert geometry["pixel_spacing_source"] == "ImagerPixelSpacing"

    def test_padding_is_black_in_the_overlay(self, grey_checkpoint, tmp_path, write_dicom):
        values = np.random.default_rng(0).integers(500, 900, (24, 32)).astype(np.uint16)
        values[:, :8] = 60128
        write_dicom(tmp_path / "s.dcm", values)
        dicom = pydicom.dcmread(tmp_path / "s.dcm")
        dicom.add_new("PixelPaddingValue", "US", 60128)
        dicom.save_as(tmp_path / "s.dcm")
        assert predict(grey_checkpoint, tmp_path / "s.dcm", tmp_path / "out") == 0
        overlay = pixels(tmp_path / "out" / "overlays" / "s.jpg")
        # But for the outline of what was predicted.
        assert np.median(overlay[:, 1:5]) < 20 < np.median(overlay[:, 12:])

    def test_with_a_wrong_one_the_mask_is_written_all_the_same(self, grey_checkpoint, slice_, tmp_path, capsys):
        assert predict(grey_checkpoint, slice_(PixelSpacing=[0, 1]), tmp_path / "out") == 0
        assert "expected PixelSpacing of 2 finite numbers above 0" in capsys.readouterr().err
        assert self.read(tmp_path / "out")[0]["area_mm2"] == ""

    def test_the_option_goes_before_the_header_and_holds_for_pictures(self, grey_checkpoint, slice_, tmp_path):
        slice_(PixelSpacing=[0.5, 0.25])
        write_picture(tmp_path / "p.png")
        files = [tmp_path / "s.dcm", tmp_path / "p.png"]
        assert predict(grey_checkpoint, files, tmp_path / "out", "--spacing_mm", "2,3") == 0
        for row in table(tmp_path / "out"):
            assert float(row["area_mm2"]) == 6 * int(row["area_px"])
        geometry = json.loads((tmp_path / "out" / "masks" / "s.json").read_text())
        assert (geometry["pixel_spacing_mm"], geometry["pixel_spacing_source"]) == ([2, 3], "--spacing_mm")
        assert not (tmp_path / "out" / "masks" / "p.json").exists()


class TestRefusedFiles:
    def test_each_is_said_and_the_rest_is_done(self, checkpoint, images, tmp_path, capsys):
        (images / "zero.png").write_bytes(b"")
        (images / "cut.jpg").write_bytes((images / "i1.jpg").read_bytes()[:200])
        (images / "text.dcm").write_text("no DICOM")
        Image.fromarray(np.zeros((9, 9), np.uint16)).save(images / "deep.png")
        Image.new("RGBA", (9, 9), (1, 2, 3, 4)).save(images / "rgba.png")
        Image.new("CMYK", (9, 9)).save(images / "taken.jpg")
        os.symlink(tmp_path / "nowhere.png", images / "broken.png")
        os.mkfifo(images / "pipe.png")
        out = tmp_path / "out"
        assert predict(checkpoint, images, out) == 1
        captured = capsys.readouterr()
        assert "predicted 6 of 13 images (0 were up to date), refused 7" in captured.out
        reasons = {Path(row["file"]).name: row["reason"] for row in table(out, "errors.csv")}
        assert set(reasons) == {"zero.png", "cut.jpg", "text.dcm", "deep.png", "rgba.png", "broken.png", "pipe.png"}
        assert "expected an 8-bit image" in reasons["deep.png"] and "found transparency" in reasons["rgba.png"]
        assert captured.err.count("run.py predict: refused: ") == 7 and "Traceback" not in captured.err
        names = {row["name"] for row in table(out)}
        assert names == {f"i{index}" for index in range(5)} | {"taken"}
        assert {path.stem for path in (out / "masks").iterdir()} == names

    def test_one_that_breaks_between_two_calls_loses_its_results(self, checkpoint, images, tmp_path):
        out = tmp_path / "out"
        assert predict(checkpoint, images, out, "--save_prob") == 0
        (images / "i2.bmp").write_bytes(b"BM")
        assert predict(checkpoint, images, out) == 1
        assert "i2" not in {row["name"] for row in table(out)}
        assert not [path for path in out.rglob("*") if path.stem == "i2"]
        (images / "i2.bmp").unlink()
        write_picture(images / "i2.bmp")
        assert predict(checkpoint, images, out) == 0
        assert len(table(out)) == 5 and not (out / "errors.csv").exists()

    @pytest.mark.parametrize("predicted_before", [False, True])
    def test_a_mask_that_was_drawn_for_one_by_hand_stays(self, checkpoint, images, tmp_path, predicted_before):
        out, drawn = tmp_path / "out", tmp_path / "out" / "masks" / "i2.png"
        if predicted_before:
            assert predict(checkpoint, images, out) == 0
        (images / "i2.bmp").write_bytes(b"BM")
        assert predict(checkpoint, images, out) == 1
        drawn.write_bytes(b"drawn")
        assert predict(checkpoint, images, out) == 1
        write_picture(images / "i2.bmp")
        for more in ((), ("--overwrite",)):
            assert predict(checkpoint, images, out, *more) == 1
            (refused,) = table(out, "errors.csv")
            assert refused["reason"].startswith(f"{drawn}: expected nothing of this name, found a file of other origin")
            assert drawn.read_bytes() == b"drawn" and len(table(out)) == 4
        drawn.unlink()
        assert predict(checkpoint, images, out) == 0

    def test_one_that_cannot_be_read_for_now_keeps_them(self, checkpoint, images, tmp_path):
        out = tmp_path / "out"
        assert predict(checkpoint, images / "i0.png", out) == 0
        (images / "i0.png").rename(images / "away.png")
        os.symlink("nowhere", images / "i0.png")
        assert predict(checkpoint, images, out) == 1
        assert "i0" in {row["name"] for row in table(out)}

    def test_a_decoder_may_raise_anything(self, checkpoint, images, tmp_path, monkeypatch):
        def explode(path):
            raise ZeroDivisionError("odd header")

        sample = loading.load(loading.FoundImage("i0", images / "i0.png"), explode)[0]
        assert sample.refused.endswith("expected an image, found an unreadable file (ZeroDivisionError: odd header)")


class TestNothingDone:
    def test_no_image_at_all(self, checkpoint, tmp_path, capsys):
        (tmp_path / "empty").mkdir()
        assert "found none in" in fails(capsys, checkpoint, tmp_path / "empty", tmp_path / "out")
        assert "expected a file or a folder" in fails(capsys, checkpoint, tmp_path / "absent", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_all_refused_leaves_nothing(self, checkpoint, tmp_path, capsys):
        (tmp_path / "zero.png").write_bytes(b"")
        assert predict(checkpoint, tmp_path / "zero.png", tmp_path / "a" / "out") == 2
        error = capsys.readouterr().err.splitlines()
        assert "zero.png: expected an image" in error[0]
        assert error[1].endswith("expected images that can be predicted, found none among 1; see above")
        assert not (tmp_path / "a").exists()
        # A folder that was there before stays.
        (tmp_path / "there").mkdir()
        assert predict(checkpoint, tmp_path / "zero.png", tmp_path / "there") == 2
        assert list((tmp_path / "there").iterdir()) == []

    def test_a_kill_while_traces_are_removed_does_not_bar_the_folder(self, checkpoint, images, tmp_path, monkeypatch):
        (tmp_path / "zero.png").write_bytes(b"")
        unlink, out = Path.unlink, tmp_path / "out"

        def killed(path, **options):
            unlink(path, **options)
            if path.name in ("settings.json", "predictions.jsonl"):
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", killed)
            assert predict(checkpoint, tmp_path / "zero.png", out) == 130
        assert predict(checkpoint, images, out) == 0

    def test_checkpoints_that_do_not_fit(self, checkpoint, grey_checkpoint, images, tmp_path, capsys):
        out = tmp_path / "out"
        four = save_checkpoint(tmp_path / "four.pth", in_channels=4, normalisation="zscore")
        assert "expected a network for images of 1 or 3 channels" in fails(capsys, four, images, out)
        one = save_checkpoint(tmp_path / "one.pth", in_channels=1)
        assert "images of 3 channels (normalisation imagenet), found one for 1" in fails(capsys, one, images, out)
        assert "expected channels 3" in fails(capsys, [checkpoint, grey_checkpoint], images, out)
        (tmp_path / "text.pth").write_text("weights")
        assert "it begins with b'weights'" in fails(capsys, tmp_path / "text.pth", images, out)
        assert not out.exists()

    def test_an_output_folder_that_cannot_be_written(self, checkpoint, images, tmp_path, capsys):
        (tmp_path / "file").write_text("")
        for out in (tmp_path / "file", tmp_path / "file" / "out"):
            assert str(tmp_path / "file") in fails(capsys, checkpoint, images, out)
        if os.geteuid():
            (tmp_path / "closed").mkdir(mode=0o500)
            assert "closed" in fails(capsys, checkpoint, images, tmp_path / "closed")

    def test_masks_of_other_origin_are_not_touched(self, checkpoint, images, tmp_path, capsys):
        root = tmp_path / "data"
        (root / "masks").mkdir(parents=True)
        (root / "masks" / "i0.png").write_bytes(b"the truth")
        for more in ((), ("--overwrite",)):
            assert "found files of other origin" in fails(capsys, checkpoint, images, root, *more)
        (root / "settings.json").write_text('{"command": "something else"}')
        assert "expected the settings of predictions" in fails(capsys, checkpoint, images, root, "--overwrite")
        assert contents(root / "masks") == {"i0.png": b"the truth"}

    def test_masks_are_not_put_beside_the_images_of_a_data_set(self, checkpoint, images, tmp_path, capsys):
        (tmp_path / "train.txt").write_text("i0\n")
        for more in ((), ("--overwrite",)):
            assert "expected a folder without images/" in fails(capsys, checkpoint, images, tmp_path, *more)
        assert not (tmp_path / "masks").exists()

    def test_two_images_of_one_name(self, checkpoint, images, tmp_path, capsys):
        write_picture(images / "i0.jpg")
        assert "expected one image of the name 'i0'" in fails(capsys, checkpoint, images, tmp_path / "out")
        assert not (tmp_path / "out").exists()


HOSTILE = [
    b"<script>alert(1)<script>.png",
    b"=cmd()|'.png",
    b"-rf.png",
    b"a\nb.png",
    b"a\rb.png",
    b'quo"te, comma.png',
    b"\x1b[2J\x07.png",
    b"no\xff\xfeutf8.png",
    b"..evil...png",
    b"%2e%2e%2fup.png",
    b"back\\slash.png",
    b"~root.png",
    "ümläut \u202e gnp.png".encode(),
    b"x" * 251 + b".png",
]


class TestHostileNames:
    def test_they_stay_names_of_files_in_the_folder(self, checkpoint, tmp_path, capsys):
        folder, out = tmp_path / "in", tmp_path / "out"
        folder.mkdir()
        for index, name in enumerate(HOSTILE):
            path = os.path.join(os.fsencode(folder), name)
            write_picture(folder / "plain.png", seed=index)
            os.rename(folder / "plain.png", path)
        before = {path for path in tmp_path.iterdir()}
        taken = [name for name in HOSTILE if not name.startswith(b".")]
        assert predict(checkpoint, folder, out, "--save_prob", "--threads", "1", "--num_worker", "2") == 0
        assert {os.fsencode(path.name) for path in (out / "masks").iterdir()} == set(taken)
        assert set(tmp_path.iterdir()) == before | {out}
        rows = table(out)
        assert len(rows) == len(taken) and all(None not in row and None not in row.values() for row in rows)
        expected = {os.fsdecode(name[:-4]).encode("utf-8", "backslashreplace").decode() for name in taken}
        assert {row["name"] for row in rows} == expected
        # Continued by the same names.
        assert predict(checkpoint, folder, out, "--save_prob") == 0
        assert f"({len(taken)} were up to date)" in capsys.readouterr().out

    def test_what_is_said_of_them_does_not_steer_the_terminal(self, checkpoint, images, tmp_path, capsys):
        (images / "\x1b[2Jevil\n.png").write_bytes(b"")
        assert predict(checkpoint, images, tmp_path / "out") == 1
        captured = capsys.readouterr()
        assert "\x1b" not in captured.err + captured.out
        assert captured.err.count("\n") == 1 and r"\x1b[2Jevil" in captured.err
        (images / "\x1b[2Jevil\n.jpg").write_bytes(b"")
        error = fails(capsys, checkpoint, images, tmp_path / "out")
        assert "\x1b" not in error and r"\x1b[2Jevil" in error

    @pytest.mark.filterwarnings("ignore:The value length")
    def test_a_name_too_long_for_its_json_is_refused_alone(self, grey_checkpoint, images, tmp_path, write_dicom):
        path = images / ("x" * 251 + ".dcm")
        write_dicom(path, np.arange(80, dtype=np.uint16).reshape(8, 10))
        out = tmp_path / "out"
        assert predict(grey_checkpoint, images, out) == 1
        assert "name too long" in table(out, "errors.csv")[0]["reason"].lower()
        assert {path.stem for path in out.rglob("*.*") if path.parent.name == "overlays"} == {f"i{i}" for i in range(5)}

    @pytest.mark.parametrize("name", ["../../precious", "/tmp/precious", "a/../../precious", ""])
    def test_a_journal_that_names_files_elsewhere_removes_none(self, checkpoint, images, tmp_path, capsys, name):
        out = tmp_path / "out"
        assert predict(checkpoint, images, out) == 0
        (tmp_path / "precious.png").write_bytes(b"kept")
        with open(out / "predictions.jsonl", "a") as file:
            file.write(json.dumps({"name": name}) + "\n")
        assert "which leads elsewhere" in fails(capsys, checkpoint, images, out, "--overwrite")
        assert (tmp_path / "precious.png").read_bytes() == b"kept"


class TestContinuing:
    def test_what_is_there_is_kept_and_what_is_not_is_made(self, checkpoint, images, tmp_path, capsys):
        out = tmp_path / "out"
        assert predict(checkpoint, images, out) == 0
        whole, before = contents(out), stamps(out / "masks")
        assert predict(checkpoint, images, out, "--threads", "1", "--num_worker", "2") == 0
        assert "(5 were up to date)" in capsys.readouterr().out
        assert stamps(out / "masks") == before and contents(out) == whole
        (out / "masks" / "i1.png").unlink()
        (out / "overlays" / "i2.jpg").unlink()
        write_picture(images / "i3.tif", seed=77)
        write_picture(images / "new.png")
        assert predict(checkpoint, images, out) == 0
        assert "predicted 6 of 6 images (2 were up to date)" in capsys.readouterr().out
        after = contents(out)
        assert after["masks/i1.png"] == whole["masks/i1.png"] and after["overlays/i2.jpg"] == whole["overlays/i2.jpg"]
        fresh = tmp_path / "fresh"
        assert predict(checkpoint, images, fresh) == 0
        assert {key: value for key, value in contents(fresh).items() if key != "predictions.jsonl"} == {
            key: value for key, value in after.items() if key != "predictions.jsonl"
        }

    def test_further_kinds_of_results_are_added(self, checkpoint, images, tmp_path, capsys):
        out = tmp_path / "out"
        assert predict(checkpoint, images, out, "--no_overlay") == 0
        (out / "masks" / "i0.png").write_bytes(b"corrected by hand")
        assert predict(checkpoint, images, out, "--save_prob") == 0
        assert (out / "masks" / "i0.png").read_bytes() == b"corrected by hand"
        assert "(0 were up to date)" in capsys.readouterr().out
        assert len(list((out / "overlays").iterdir())) == len(list((out / "probabilities").iterdir())) == 5

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            (("--threshold", "0.4"), "expected --threshold 0.5, as its predictions were made with, found 0.4"),
            (("--tta",), "expected --tta False"),
            (("--spatial_size", "48"), "expected --spatial_size 32"),
            (("--ensemble", "probs"), "expected --ensemble logits"),
            (("--spacing_mm", "1"), "expected --spacing_mm None"),
        ],
    )
    def test_other_settings_are_refused_by_name(self, checkpoint, images, tmp_path, capsys, more, said):
        out = tmp_path / "out"
        assert predict(checkpoint, images / "i0.png", out) == 0
        before = contents(out)
        assert said in fails(capsys, checkpoint, images, out, *more)
        assert contents(out) == before
        assert predict(checkpoint, images / "i1.jpg", out, "--overwrite", *more) == 0
        assert {path.name for path in (out / "masks").iterdir()} == {"i1.png"}

    def test_another_checkpoint_is_refused_and_a_moved_one_is_not(self, checkpoint, images, tmp_path, capsys):
        out = tmp_path / "out"
        assert predict(checkpoint, images, out) == 0
        other = save_checkpoint(tmp_path / "other.pth", seed=1)
        assert "expected --ckpt_path sha256:" in fails(capsys, other, images, out)
        other.write_bytes(checkpoint.read_bytes())
        assert predict(other, images, out) == 0
        assert "(5 were up to date)" in capsys.readouterr().out

    def test_a_file_of_the_same_name_from_elsewhere_is_refused(self, checkpoint, images, tmp_path, capsys):
        out, other = tmp_path / "out", tmp_path / "other"
        other.mkdir()
        assert predict(checkpoint, images, out) == 0
        (other / "i0.png").write_bytes((images / "i0.png").read_bytes())
        assert predict(checkpoint, other, out) == 0
        assert table(out)[0]["file"] == str(other / "i0.png") and len(table(out)) == 5
        write_picture(other / "i0.png", seed=5)
        (other / "i1.jpg").write_bytes((images / "i2.bmp").read_bytes())
        before = {**contents(out / "masks"), **contents(out / "overlays")}, (out / "predictions.csv").read_bytes()
        assert "expected no results of the name 'i1'" in fails(capsys, checkpoint, other, out)
        after = {**contents(out / "masks"), **contents(out / "overlays")}, (out / "predictions.csv").read_bytes()
        assert after == before

    def test_a_wish_to_stop_ends_after_a_batch_with_a_table(self, checkpoint, images, tmp_path, capsys, monkeypatch):
        out, original = tmp_path / "out", loading.load

        def signalling(image, prepare):
            if image.name == "i2":
                signal.raise_signal(signal.SIGTERM)
            return original(image, prepare)

        with monkeypatch.context() as patch:
            patch.setattr(loading, "load", signalling)
            assert predict(checkpoint, images, out) == 130
        assert "stopped (SIGTERM); the same command continues" in capsys.readouterr().out
        assert [row["name"] for row in table(out)] == [f"i{index}" for index in range(4)]
        assert predict(checkpoint, images, out) == 0
        assert "(4 were up to date)" in capsys.readouterr().out and len(table(out)) == 5

    def test_a_full_disk_is_one_sentence_and_what_is_done_is_kept(
        self, checkpoint, images, tmp_path, capsys, monkeypatch
    ):
        out, original = tmp_path / "out", writing.write_image

        def limited(path, values):
            if path.stem == "i3":
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            original(path, values)

        with monkeypatch.context() as patch:
            patch.setattr(writing, "write_image", limited)
            assert "No space left on device" in fails(capsys, checkpoint, images, out)
        assert predict(checkpoint, images, out) == 0
        assert "(3 were up to date)" in capsys.readouterr().out and len(table(out)) == 5

    def test_a_disk_that_is_full_at_the_first_image_does_not_bar_the_folder(
        self, checkpoint, images, tmp_path, capsys, monkeypatch
    ):
        """Where nothing is done all is removed, but not the settings of what was left of an image."""
        out, original = tmp_path / "out", writing.write_image

        def limited(path, values):
            if path.parent.name == "overlays":
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            original(path, values)

        with monkeypatch.context() as patch:
            patch.setattr(writing, "write_image", limited)
            assert "No space left on device" in fails(capsys, checkpoint, images, out, "--save_prob")
        assert predict(checkpoint, images, out, "--save_prob") == 0
        assert len(table(out)) == 5

    def test_two_calls_at_a_time_are_refused(self, checkpoint, images, tmp_path, capsys):
        out = tmp_path / "out"
        assert predict(checkpoint, images, out) == 0
        with lock_folder(out, "run.py predict"):
            assert "expected to be alone, found run.py predict at work" in fails(capsys, checkpoint, images, out)

    def test_a_batch_keeps_its_size_where_images_fall_out(self, images):
        """Last bits depend on it, and are to be those of an undisturbed call."""
        (images / "i1.jpg").write_bytes(b"broken")
        finished = {"i2": sha256_of(images / "i2.bmp")}
        found, _ = find_images([str(images)], images / "out")
        found = [image._replace(finished_from=finished.get(image.name)) for image in found]
        loader = loading.image_loader(found, lambda path: (read_one(path), (20, 30)), batch_size=4, num_worker=0)
        first, last = loader
        assert [image.name for image in (*first.images, *last.images)] == [f"i{index}" for index in range(5)]
        assert first.inputs.shape == (4, 3, 2, 2) and last.inputs.shape == (1, 3, 2, 2)
        assert first.inputs.abs().sum(dim=(1, 2, 3)).bool().tolist() == [True, False, False, True]
        assert [bool(image.refused) for image in first.images] == [False, True, False, False]
        assert next(iter(loading.image_loader(found[2:3], read_one, batch_size=4, num_worker=0))).inputs is None

    def test_no_more_than_a_few_batches_are_there_at_a_time(self, images, monkeypatch):
        found = [loading.FoundImage(str(i), images / "i0.png") for i in range(40)]
        asked = []

        def prepare(path):
            asked.append(path)
            return torch.zeros(3, 4, 4), (20, 30)

        batches = iter(loading.image_loader(found, prepare, batch_size=2, num_worker=0))
        for count in range(1, 6):
            assert next(batches).inputs.shape == (2, 3, 4, 4)
            assert len(asked) == 2 * count
        loader = loading.image_loader(found, prepare, batch_size=2, num_worker=2)
        assert loader.prefetch_factor * loader.num_workers == 4


@pytest.fixture
def many(tmp_path):
    """So many images that the work can be caught half-way."""
    folder = tmp_path / "many"
    folder.mkdir()
    write_picture(folder / "m0.png", size=(300, 400))
    for index in range(1, 150):
        (folder / f"m{index}.png").write_bytes((folder / "m0.png").read_bytes())
    return folder


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL], ids=["ctrl_c", "sigkill"])
def test_stopped_from_outside_and_called_again(checkpoint, many, tmp_path, capsys, stop):
    out = tmp_path / "out"
    given = [
        "--ckpt_path",
        checkpoint,
        "--images",
        many,
        "--out",
        out,
        "-bs",
        "2",
        "--threads",
        "1",
        "--num_worker",
        "2",
    ]
    command = [sys.executable, str(REPOSITORY / "run.py"), "predict", *map(str, given), "--device", "cpu"]
    pipe = subprocess.PIPE
    # Terminals and queues signal loader processes, too.
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (out / "masks").is_dir() or len(list((out / "masks").iterdir())) < 10:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, stop)
    said, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    done = sum(b'"gone"' not in line for line in (out / "predictions.jsonl").read_bytes().splitlines())
    assert 8 <= done < 150
    if stop == signal.SIGINT:
        assert process.returncode == 130 and "the same command continues" in said
        assert len(table(out)) == done == len(list((out / "masks").iterdir()))
    kept = stamps(out / "masks")
    assert predict(checkpoint, many, out) == 0
    assert f"({done} were up to date)" in capsys.readouterr().out
    rows = table(out)
    assert {row["name"] for row in rows} == {path.stem for path in (out / "masks").iterdir()}
    assert len(rows) == 150 and len({row["area_px"] for row in rows}) == 1
    assert sum(stamps(out / "masks").get(path) == stamp for path, stamp in kept.items()) >= done
    assert not list(out.rglob(".tmp-*"))


def test_what_is_no_image_is_a_line_each_and_the_rest_is_done(grey_checkpoint, tmp_path, write_dicom, capsys):
    images = tmp_path / "images"
    images.mkdir()
    write_picture(images / "good.png")
    os.mkfifo(images / "pipe.png")
    (images / "loop.png").symlink_to("loop.png")
    (images / "loop").symlink_to("loop")
    (images / "endless.jpg").symlink_to("/dev/zero")
    (images / "says_empty.tif").symlink_to("/proc/self/mounts")
    (images / "script.bmp").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    write_dicom(images / "frames.dcm", np.zeros((3, 9, 9), np.uint16))
    frames = pydicom.dcmread(images / "frames.dcm")
    del frames.NumberOfFrames
    frames.save_as(images / "frames.dcm")
    assert predict(grey_checkpoint, images, tmp_path / "out") == 1
    reasons = {Path(row["file"]).name: row["reason"] for row in table(tmp_path / "out", "errors.csv")}
    assert set(reasons) == {"pipe.png", "loop.png", "endless.jpg", "says_empty.tif", "script.bmp", "frames.dcm"}
    assert all(reason.startswith(str(images / name)) for name, reason in reasons.items())
    assert [path.name for path in (tmp_path / "out" / "masks").iterdir()] == ["good.png"]
    assert "predicted 1 of 7 images" in capsys.readouterr().out
