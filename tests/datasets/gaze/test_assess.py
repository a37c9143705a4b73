"""Assessing maps that are there: the same numbers as preparation, and the published ones on the real set."""

import csv
import json
import shutil

import pytest
from PIL import Image

import run
from datasets import io
from datasets.gaze.assess import assess_gaze
from datasets.gaze.fixations import read_fixations
from datasets.gaze.prepare import prepare_gaze
from datasets.gaze.quality import score_image, summarize


def _assess(root, data="kvasir", **options):
    return assess_gaze(data, root, root / "fixations.csv", **{"workers": 1, **options})


def _table(root):
    with open(root / "gaze" / "per_image.csv", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_same_quality_as_preparation_says(tiny_root):
    prepared = prepare_gaze("kvasir", tiny_root, tiny_root / "fixations.csv", workers=1)
    table = (tiny_root / "gaze" / "per_image.csv").read_bytes()
    assessed = _assess(tiny_root)
    assert assessed["quality"] == prepared["quality"]
    assert assessed["without_map"] == {"heatmap": 0, "crf": 0}
    assert (tiny_root / "gaze" / "per_image.csv").read_bytes() == table
    assert json.loads((tiny_root / "gaze" / "quality.json").read_text()) == assessed


def test_two_processes_give_the_same_as_one(tiny_root):
    assert _assess(tiny_root, workers=2) == _assess(tiny_root)


def test_maps_from_elsewhere_are_scored(tiny_root):
    # The fixture's CRF maps come without heatmaps, fingerprints and report.
    report = _assess(tiny_root)
    assert report["without_map"] == {"heatmap": 9, "crf": 0}
    assert set(report["quality"]["dice"]) == {"crf"}
    row = _table(tiny_root)["polyp1"]
    predicted = io.read_gray(tiny_root / "gaze" / "crf_compat1" / "polyp1.jpg") / 255 >= 0.3
    truth = io.read_mask(tiny_root / "masks" / "polyp1.jpg")
    expected = 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum())
    assert float(row["crf_dice_0.3"]) == pytest.approx(expected, abs=1e-6)
    assert row["heatmap_dice_0.3"] == "" and row["seconds"] == ""


def test_no_maps_at_all(tiny_root):
    shutil.rmtree(tiny_root / "gaze")
    with pytest.raises(ValueError, match=r"expected gaze maps, found none of 9 images; make them with: .* prepare"):
        _assess(tiny_root)


def test_mask_of_another_size_is_left_out_with_the_reason(tiny_root):
    shutil.copy(tiny_root / "masks" / "polyp1.jpg", tiny_root / "masks" / "polyp2.jpg")
    report = _assess(tiny_root)
    assert report["num_images"] == 8
    assert "expected a map of the mask's size (40, 48), found (42, 46)" in report["left_out"][0]["reason"]


def test_without_masks_only_the_gaze_is_described(tiny_root):
    shutil.rmtree(tiny_root / "masks")
    assert _assess(tiny_root)["quality"] is None
    assert float(_table(tiny_root)["polyp1"]["num_fixations"]) == 5


@pytest.mark.parametrize("masks", [True, False])
def test_command_writes_table_means_and_figure(tiny_root, capsys, masks):
    if not masks:
        shutil.rmtree(tiny_root / "masks")
    arguments = ["--data", "kvasir", "--root", str(tiny_root), "--fixations", str(tiny_root / "fixations.csv")]
    assert run.main(["assess", *arguments, "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert "assessed 9 images (9 without heatmap map), left out 0" in printed
    assert ("fixations inside the target: mean" in printed) == masks
    assert io.read_image(tiny_root / "gaze" / "quality.png", 3).std() > 10
    assert run.main(["prepare", *arguments, "--workers", "1", "--report"]) == 0
    assert ("figure:" in (printed := capsys.readouterr().out)) and ("heatmap 0.1:" in printed) == masks


def test_what_is_said_of_maps_goes_with_them(tiny_root):
    arguments = ["--data", "kvasir", "--root", str(tiny_root), "--fixations", str(tiny_root / "fixations.csv")]
    figure, means = tiny_root / "gaze" / "quality.png", tiny_root / "gaze" / "quality.json"
    assert run.main(["prepare", *arguments, "--workers", "1"]) == 0 and not figure.exists()
    assert run.main(["assess", *arguments, "--workers", "1"]) == 0
    drawn = figure.read_bytes()
    assert run.main(["prepare", *arguments, "--workers", "1"]) == 0
    assert figure.read_bytes() == drawn and means.is_file()
    assert run.main(["prepare", *arguments, "--workers", "1", "--sigma_px", "20"]) == 0
    assert figure.read_bytes() != drawn and not means.exists()


def test_maps_of_which_none_can_be_scored(tiny_root, tmp_path):
    maps = tmp_path / "round" / "maps"
    maps.mkdir(parents=True)
    (maps / "polyp1.png").write_bytes(b"cut")
    assert [item["name"] for item in _assess(tiny_root, map_folder=maps)["left_out"]] == ["polyp1"]
    (maps.parent / "labels.json").write_text('{"finished": true, "masks": ["polyp1", "polyp2"]}')
    report = _assess(tiny_root, map_folder=maps)
    assert (report["num_images"], report["quality"]) == (0, None)
    assert [(item["name"], item["reason"]) for item in report["left_out"]] == [
        ("polyp1", "its map is the mask that was given")
    ]


def test_broken_map_is_exit_code_1(tiny_root, capsys):
    (tiny_root / "gaze" / "crf_compat1" / "polyp3.jpg").write_bytes(b"cut")
    arguments = ["--data", "kvasir", "--root", str(tiny_root), "--fixations", str(tiny_root / "fixations.csv")]
    assert run.main(["assess", *arguments, "--workers", "1"]) == 1
    assert "left out polyp3: " in capsys.readouterr().out


def test_published_gaze_quality_of_the_real_set(kvasir_fixation_table, kvasir_root):
    """Published: 0.85 in the mean, 0.90 in the median; the centroid off by 0.029 and 0.036 (standard deviation)."""
    rows = []
    for name, fixations in read_fixations(kvasir_fixation_table).items():
        rows.append(score_image(fixations, {}, io.read_mask(kvasir_root / "masks" / f"{name}.jpg")))
    summary = summarize(rows)
    assert summary["num_images"] == 1000
    share = summary["fixations_inside"]["share"]
    assert (round(share["mean"], 2), round(share["median"], 2)) == (0.85, 0.90)
    offset = summary["centroid_offset"]
    assert (round(offset["x"]["std"], 3), round(offset["y"]["std"], 3)) == (0.029, 0.036)


def test_two_maps_of_one_image_are_refused(tiny_root):
    folder = tiny_root / "gaze" / "crf_compat1"
    Image.open(folder / "polyp2.jpg").save(folder / "polyp2.png")
    with pytest.raises(ValueError, match=r"expected one file of the id polyp2, found polyp2\.(jpg|png) beside it"):
        _assess(tiny_root)


def test_maps_of_a_preparation_that_was_stopped_are_refused(tiny_root):
    (tiny_root / "gaze" / "unfinished.txt").write_text("stopped")
    with pytest.raises(ValueError, match="expected finished gaze maps, found a preparation that was stopped half-way"):
        _assess(tiny_root)
