"""Preparation: which files it writes, from what, and what it reports."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import run
from datasets import build_dataset, io
from datasets.files import sample_path
from datasets.gaze.crf import crf_image, refine_with_crf
from datasets.gaze.fixations import read_fixations
from datasets.gaze.heatmap import to_uint8
from datasets.gaze.prepare import GazeSettings, prepare_gaze, prepare_image
from datasets.specs import get_spec
from utils.images import write_image


def _prepare(root, data="kvasir", **options):
    """In one process, as a pool of them takes longer to start than the work takes."""
    return prepare_gaze(data, root, root / "fixations.csv", **{"workers": 1, **options})


def _edit_fixations(root, edit):
    table = pd.read_csv(root / "fixations.csv")
    edit(table).to_csv(root / "fixations.csv", index=False)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_both_maps_of_every_image_and_nothing_else(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    report = _prepare(tiny_root)
    expected = [f"polyp{i}.jpg" for i in range(1, 10)]
    assert _names(tiny_root / "gaze") == ["crf_compat1", "heatmap", "per_image.csv", "report.json"]
    assert _names(tiny_root / "gaze" / "heatmap") == _names(tiny_root / "gaze" / "crf_compat1") == expected
    assert report["num_images"] == 9 and report["left_out"] == []
    assert json.loads((tiny_root / "gaze" / "report.json").read_text()) | {"num_made": 9} == report


def test_maps_have_the_size_of_their_image_and_can_be_trained_on(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    _prepare(tiny_root)
    sample = build_dataset("kvasir", root=tiny_root, split="train", spatial_size=32, num_levels=2)[0]
    assert sample["pseudo"].shape == (2, 32, 32)
    assert io.check_image(tiny_root / "gaze" / "heatmap" / "polyp2.jpg") == (42, 46)


def test_prostate_table_says_jpg_where_slices_are_dicom_and_maps_png(tiny_prostate_root):
    shutil.rmtree(tiny_prostate_root / "gaze")
    report = _prepare(tiny_prostate_root, "prostate")
    assert report["num_images"] == 6
    assert "caseA_15.png" in _names(tiny_prostate_root / "gaze" / "crf_compat1")
    assert report["settings"]["sigma_px"] == 50
    assert report["quality"]["dice"]["crf"]["0.2"] > 0


def test_crf_starts_from_the_heatmap_as_saved(tiny_root):
    _prepare(tiny_root)
    spec = get_spec("kvasir")
    saved = io.read_gray(sample_path(spec, tiny_root, "heatmap", "polyp1"))
    image = crf_image(io.read_image(tiny_root / "images" / "polyp1.jpg", 3))
    write_image(tiny_root / "again.jpg", to_uint8(refine_with_crf(image, saved / np.float32(255))))
    expected = io.read_gray(tiny_root / "again.jpg")
    np.testing.assert_array_equal(io.read_gray(sample_path(spec, tiny_root, "map", "polyp1")), expected)


def test_two_processes_give_the_same_as_one(tiny_root):
    one = _prepare(tiny_root)
    before = {path: path.read_bytes() for path in (tiny_root / "gaze").rglob("*.jpg")}
    shutil.rmtree(tiny_root / "gaze")
    assert _prepare(tiny_root, workers=2) == one
    assert {path: path.read_bytes() for path in (tiny_root / "gaze").rglob("*.jpg")} == before


def test_sigma_in_place_of_the_data_sets_own(tiny_root):
    wide = _prepare(tiny_root)
    heat = io.read_gray(tiny_root / "gaze" / "heatmap" / "polyp1.jpg").mean()
    narrow = _prepare(tiny_root, settings=GazeSettings(sigma_px=20.0))
    assert (wide["settings"]["sigma_px"], narrow["settings"]["sigma_px"]) == (70, 20.0)
    assert io.read_gray(tiny_root / "gaze" / "heatmap" / "polyp1.jpg").mean() < heat / 2


def test_quality_is_the_mean_dice_of_the_saved_maps(tiny_root):
    report = _prepare(tiny_root)
    quality = report["quality"]
    assert quality["num_images"] == 9
    assert list(quality["dice"]["crf"]) == list(quality["dice"]["heatmap"]) == [f"0.{i}" for i in range(1, 10)]
    scores = []
    for name in (f"polyp{i}" for i in range(1, 10)):
        predicted = io.read_gray(tiny_root / "gaze" / "heatmap" / f"{name}.jpg") / 255 >= 0.3
        truth = io.read_mask(tiny_root / "masks" / f"{name}.jpg")
        scores.append(2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()))
    assert quality["dice"]["heatmap"]["0.3"] == pytest.approx(np.mean(scores), abs=1e-6)


def test_quality_at_the_thresholds_of_four_levels(tiny_root):
    assert "0.367" in _prepare(tiny_root, num_levels=4)["quality"]["dice"]["crf"]


def test_without_masks_there_is_no_quality(tiny_root):
    shutil.rmtree(tiny_root / "masks")
    report = _prepare(tiny_root)
    assert report["num_images"] == 9 and report["quality"] is None


def test_image_without_mask_is_prepared_and_not_scored(tiny_root):
    (tiny_root / "masks" / "polyp1.jpg").unlink()
    report = _prepare(tiny_root)
    assert report["num_images"] == 9 and report["quality"]["num_images"] == 8


def test_image_whose_fixations_all_last_nothing_is_left_out_with_the_reason(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    _edit_fixations(
        tiny_root, lambda t: t.assign(CURRENT_FIX_DURATION=t.CURRENT_FIX_DURATION * (t.IMAGE != "polyp2.jpg"))
    )
    report = _prepare(tiny_root)
    assert report["num_images"] == 8 and report["num_left_out"] == 1
    assert report["left_out"][0]["name"] == "polyp2"
    assert "expected fixations of positive duration" in report["left_out"][0]["reason"]
    assert not (tiny_root / "gaze" / "crf_compat1" / "polyp2.jpg").exists()


def test_maps_of_the_other_format_go_too_where_none_can_be_made(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    _prepare(tiny_root, map_format="png")
    _edit_fixations(
        tiny_root, lambda t: t.assign(CURRENT_FIX_DURATION=t.CURRENT_FIX_DURATION * (t.IMAGE != "polyp2.jpg"))
    )
    _prepare(tiny_root)
    assert not list((tiny_root / "gaze").rglob("polyp2.*"))


def test_a_threshold_that_is_a_sum_is_that_of_the_column(tiny_root):
    (tiny_root / "dataset.toml").write_text(f"thresholds = [0.5, {0.1 + 0.2}]\n")
    quality = _prepare(tiny_root, "folder")["quality"]
    assert list(quality["dice"]["crf"]).count("0.3") == 1 and len(quality["dice"]["crf"]) == 9


def test_training_id_without_fixation_is_reported(tiny_root):
    _edit_fixations(tiny_root, lambda t: t[~t.IMAGE.isin(["polyp2.jpg", "polyp8.jpg"])])
    report = _prepare(tiny_root)
    # polyp8 is a test image, which needs no gaze.
    reason = "no fixation in the table; its map of an earlier table stays, and is learnt from"
    assert report["left_out"] == [{"name": "polyp2", "reason": reason, "broken": False}]


def test_fixations_of_an_absent_image_are_reported(tiny_root):
    (tiny_root / "images" / "polyp9.jpg").unlink()
    report = _prepare(tiny_root)
    assert report["num_images"] == 8
    assert report["left_out"] == [{"name": "polyp9", "reason": "no image polyp9.jpg", "broken": False}]


def test_fixations_on_the_border_are_prepared(tiny_root):
    def to_left_border(table):
        return table.assign(CURRENT_FIX_X=table.CURRENT_FIX_X.where(table.IMAGE != "polyp1.jpg", 0))

    _edit_fixations(tiny_root, to_left_border)
    assert _prepare(tiny_root)["num_left_out"] == 0
    heatmap = io.read_gray(tiny_root / "gaze" / "heatmap" / "polyp1.jpg").mean(axis=0)
    assert heatmap.argmax() < 3 and heatmap[-1] < 3


def test_table_of_another_data_set(tiny_root):
    _edit_fixations(tiny_root, lambda t: t.assign(IMAGE="other.jpg", IMAGE_HEIGHT=40.0, IMAGE_WIDTH=48.0))
    with pytest.raises(ValueError, match=r"found none of its 1 \(first: other\.jpg\); check --root, --data"):
        _prepare(tiny_root)


def test_no_image_folder(tiny_root):
    shutil.rmtree(tiny_root / "images")
    with pytest.raises(FileNotFoundError, match=r"images: expected a folder of images, found none"):
        _prepare(tiny_root)


@pytest.mark.parametrize("workers", [1, 2])
def test_unreadable_image_is_left_out_with_the_reason(tiny_root, workers):
    (tiny_root / "images" / "polyp4.jpg").write_bytes(b"not a picture")
    report = _prepare(tiny_root, workers=workers)
    assert report["num_images"] == 8
    (left_out,) = report["left_out"]
    assert left_out["name"] == "polyp4" and left_out["broken"]
    assert "polyp4.jpg: expected an image, found an unreadable file" in left_out["reason"]
    # Those of the set are not ours.
    assert left_out["reason"].endswith("; its map, which this program did not make, stays, and is learnt from")


def test_progress_wraps_the_results(tiny_root):
    seen = []

    def progress(results, total):
        for result in results:
            seen.append((result["name"], total))
            yield result

    _prepare(tiny_root, progress=progress)
    assert seen == [(f"polyp{i}", 9) for i in range(1, 10)]


def test_golden_map_files(golden, kvasir_fixation_table, tmp_path):
    """From the real fixations to the files: the pixels of the reference's JPEG files.

    The heatmap of the first image differs from the reference's in one pixel by one (see test_heatmap.py), and
    JPEG spreads that over the pixel's block of 8x8 and, through the CRF, thinly over the map.
    """
    spec, fixations = get_spec("kvasir"), read_fixations(kvasir_fixation_table)
    reference = golden / "kvasir_root"
    shutil.copytree(reference / "images", tmp_path / "images")
    for name in io.read_names(reference / "train.txt"):
        prepare_image(spec, tmp_path, name, fixations[name], GazeSettings(sigma_px=spec.sigma_px), [0.5], ".jpg")
        for kind in ("heatmap", "map"):
            paths = [sample_path(spec, root, kind, name) for root in (tmp_path, reference)]
            ours, theirs = (io.read_gray(path).astype(int) for path in paths)
            difference = np.abs(ours - theirs)
            assert difference.max() <= 3, kind
            assert (difference > 0).sum() <= 128, kind


def test_golden_maps_written_by_us(golden, tmp_path):
    """The reference's maps before any file, written by us, have the pixels of its files."""
    with np.load(golden / "kvasir_gaze.npz") as expected:
        for key in (key for key in expected if key.endswith("heatmap_uint8")):
            name = key.split("/")[0]
            write_image(tmp_path / f"{name}.jpg", expected[key])
            theirs = io.read_gray(golden / "kvasir_root" / "gaze" / "heatmap" / f"{name}.jpg")
            np.testing.assert_array_equal(io.read_gray(tmp_path / f"{name}.jpg"), theirs)


def test_golden_crf_files_from_their_own_heatmap_files(golden, tmp_path):
    """From the reference's heatmap file, our CRF map, written, has the pixels of its file."""
    root = golden / "kvasir_root"
    for name in io.read_names(root / "train.txt"):
        heatmap = io.read_gray(root / "gaze" / "heatmap" / f"{name}.jpg") / np.float32(255)
        refined = refine_with_crf(io.read_image(root / "images" / f"{name}.jpg", 3), heatmap)
        write_image(tmp_path / f"{name}.jpg", to_uint8(refined))
        theirs = io.read_gray(root / "gaze" / "crf_compat1" / f"{name}.jpg")
        np.testing.assert_array_equal(io.read_gray(tmp_path / f"{name}.jpg"), theirs)


@pytest.mark.usefixtures("original_crf")
def test_both_crf_engines_make_the_same_maps(tiny_root):
    pixels = []
    for engine in ("compiled", "pydensecrf"):
        _prepare(tiny_root, settings=GazeSettings(sigma_px=70, engine=engine))
        pixels.append([io.read_gray(path) for path in sorted((tiny_root / "gaze" / "crf_compat1").iterdir())])
    for ours, library in zip(*pixels, strict=True):
        np.testing.assert_array_equal(ours, library)


def test_table_of_images_of_another_size(tiny_root):
    _edit_fixations(
        tiny_root, lambda t: t.assign(IMAGE_HEIGHT=t.IMAGE_HEIGHT.where(t.IMAGE != "polyp3.jpg", t.IMAGE_HEIGHT * 2))
    )
    (left_out,) = _prepare(tiny_root)["left_out"]
    assert left_out["name"] == "polyp3" and left_out["broken"]
    assert (
        "polyp3.jpg: expected the size that the fixation table gives, 50x76 (width x height), found 50x38; "
        "the table may belong to other images"
    ) in left_out["reason"]


def test_sigma_wider_than_the_canvas_is_refused_before_any_image(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    with pytest.raises(ValueError, match="expected a sigma_px above 0 and up to 768"):
        _prepare(tiny_root, settings=GazeSettings(sigma_px=1e9))
    assert not (tiny_root / "gaze").exists()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
def test_images_of_a_pixel_in_height_or_width(tiny_root, size):
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(tiny_root / "images" / "polyp1.jpg")
    (tiny_root / "masks" / "polyp1.jpg").unlink()
    _edit_fixations(tiny_root, lambda t: t.drop(columns=["IMAGE_HEIGHT", "IMAGE_WIDTH"]))
    assert _prepare(tiny_root)["num_left_out"] == 0
    assert io.read_gray(tiny_root / "gaze" / "crf_compat1" / "polyp1.jpg").shape == size


def test_a_hundred_thousand_fixations_on_one_image(tiny_root):
    rng = np.random.default_rng(0)
    xy = rng.normal(0.5, 0.1, (100_000, 2)).clip(0, 1)
    rows = {"IMAGE": "polyp1.jpg", "CURRENT_FIX_X": xy[:, 0], "CURRENT_FIX_Y": xy[:, 1], "CURRENT_FIX_DURATION": 200}
    pd.DataFrame(rows).to_csv(tiny_root / "fixations.csv", index=False)
    (tiny_root / "train.txt").write_text("polyp1\n")
    report = _prepare(tiny_root)
    assert (report["num_images"], report["num_left_out"]) == (1, 0)
    heatmap = io.read_gray(tiny_root / "gaze" / "heatmap" / "polyp1.jpg")
    assert heatmap[20, 24] > 240 and heatmap[0, 0] < 10


def test_grey_picture_is_stretched_for_the_crf_as_a_slice_is(tiny_root):
    """With one channel, a PNG of low contrast and a DICOM file of the same values give one map."""
    values = io.read_image(tiny_root / "images" / "polyp1.jpg", 1)[..., 0] // 4 + 60
    for path in (tiny_root / "images").iterdir():
        path.unlink()
    Image.fromarray(values).save(tiny_root / "images" / "polyp1.png")
    stretched = ((values - float(values.min())) / float(np.ptp(values)) * 255).astype(np.uint8)
    Image.fromarray(stretched).save(tiny_root / "images" / "polyp2.png")
    table = pd.read_csv(tiny_root / "fixations.csv").query("IMAGE == 'polyp1.jpg'")
    pd.concat([table, table.assign(IMAGE="polyp2.png")]).to_csv(tiny_root / "fixations.csv", index=False)
    (tiny_root / "train.txt").write_text("polyp1\npolyp2\n")
    (tiny_root / "dataset.toml").write_text("channels = 1\n")
    shutil.rmtree(tiny_root / "masks")
    assert _prepare(tiny_root, "folder")["num_images"] == 2
    maps = [io.read_gray(tiny_root / "gaze" / "crf_compat1" / f"polyp{i}.png") for i in (1, 2)]
    np.testing.assert_array_equal(*maps)


def test_two_files_of_one_image_are_refused(tiny_root):
    Image.open(tiny_root / "images" / "polyp3.jpg").save(tiny_root / "images" / "polyp3.png")
    with pytest.raises(ValueError, match=r"polyp3\.png: expected one file of the id polyp3, found polyp3\.jpg beside"):
        _prepare(tiny_root, "folder")
    (tiny_root / "images" / "polyp3.png").rename(tiny_root / "masks" / "polyp3.png")
    with pytest.raises(ValueError, match=r"masks/polyp3\.png: expected one file of the id polyp3, found polyp3\.jpg"):
        _prepare(tiny_root, "folder")


@pytest.mark.usefixtures("original_crf")
@pytest.mark.parametrize("engine", ["compiled", "pydensecrf"])
@pytest.mark.parametrize("wrong", [{"sxy": 1e-5}, {"srgb": 1e-30}], ids=["sxy", "srgb"])
def test_crf_settings_that_fit_no_image_are_refused_before_any(tiny_root, engine, wrong):
    settings = GazeSettings(sigma_px=70, engine=engine, **wrong)
    with pytest.raises(ValueError, match=r"^crf: expected sxy and srgb large enough .* for an image of 38x50; try"):
        prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", settings=settings, workers=1)
    assert [path.name for path in (tiny_root / "gaze").iterdir()] == ["crf_compat1"]


def test_rows_of_all_images_share_their_column_names(tiny_root, monkeypatch):
    """With a name of its own in every cell, as processes send them, a million rows would take gigabytes."""
    seen = []
    monkeypatch.setattr("datasets.gaze.quality.write_per_image", lambda path, rows, _: seen.extend(rows.values()))
    _prepare(tiny_root, workers=2)
    assert len(seen) == 9
    assert len({id(column) for row in seen for column in row}) == len({column for row in seen for column in row})


def test_mask_that_cannot_be_used_takes_no_map_away(tiny_root, capsys):
    _prepare(tiny_root)
    before = {path: path.read_bytes() for path in (tiny_root / "gaze").rglob("*.jpg")}
    (tiny_root / "masks" / "polyp1.jpg").write_bytes(b"cut")
    shutil.copy(tiny_root / "masks" / "polyp3.jpg", tiny_root / "masks" / "polyp2.jpg")
    arguments = ["--data", "kvasir", "--root", str(tiny_root), "--fixations", str(tiny_root / "fixations.csv")]
    assert run.main(["prepare", *arguments, "--workers", "1"]) == 1
    report = json.loads((tiny_root / "gaze" / "report.json").read_text())
    assert (report["num_images"], report["quality"]["num_images"]) == (9, 7)
    assert [item["name"] for item in report["unscored"]] == ["polyp1", "polyp2"]
    assert "polyp1.jpg: expected an image" in report["unscored"][0]["reason"]
    assert "not scored polyp2: gaze quality: expected a map of the mask's size" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in (tiny_root / "gaze").rglob("*.jpg")} == before


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"iterations": -1}, "--crf_iterations: expected a whole number from 0, found '-1'"),
        ({"compat": -2}, "--crf_compat: expected a number from 0, found '-2'"),
        ({"srgb": 0}, "--crf_srgb: expected a number above 0, found '0'"),
        ({"engine": "none"}, "--crf_engine: expected one of compiled, pydensecrf, found 'none'"),
        ({"sigma_px": 0}, "sigma"),
    ],
)
def test_settings_made_in_python_are_checked_as_options_are(wrong, expected):
    with pytest.raises(ValueError, match=expected):
        GazeSettings(**{"sigma_px": 70, **wrong})
