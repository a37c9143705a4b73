"""``run.py compare --report``: from results folders to one page."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import run

NAMES = ("polyp7", "polyp8", "polyp9")


@pytest.fixture
def results(tiny_root, tmp_path):
    """A function that makes a results folder: the truth, moved by some columns, as prediction."""

    def make(folder, *, shift, predictions=True, summary=True):
        folder = tmp_path / folder
        (folder / "predictions").mkdir(parents=True)
        for level in ("ensemble", "level1"):
            (folder / "probabilities" / level).mkdir(parents=True)
        rows = ["name,group,level,dice,hd95_px"]
        for number, name in enumerate(NAMES):
            truth = np.array(Image.open(tiny_root / "masks" / f"{name}.jpg")) > 127
            mask = np.roll(truth, shift, axis=1)
            if predictions:
                Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "predictions" / f"{name}.png")
                for level in ("ensemble", "level1"):
                    maps = (mask * 65535).astype(np.uint16)
                    Image.fromarray(maps).save(folder / "probabilities" / level / f"{name}.png")
            rows += [f"{name},{name},{level},{0.9 - 0.1 * shift - 0.01 * number},{shift}" for level in ("ensemble", 1)]
        (folder / "per_case.csv").write_text("\n".join(rows) + "\n")
        if summary:
            content = {"what": "made", "data": "kvasir", "root": str(tiny_root), "split": "test"}
            (folder / "summary.json").write_text(json.dumps(content))
        return folder

    return make


def compare(*words):
    return run.main(["compare", *map(str, words)])


def embedded(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(content) for name, content in found}


def test_every_case_with_what_each_run_made_of_it(results, tiny_root, tmp_path, capsys):
    a, b = results("a", shift=2), results("b", shift=1)
    gaze = ["--fixations", tiny_root / "fixations.csv"]
    assert compare(f"A={a}", f"B={b}", "--to", tmp_path / "out", "--report", *gaze) == 0
    content = embedded(tmp_path / "out")
    assert [one["name"] for one in content["index"]["runs"]] == ["A", "B"]
    assert content["index"]["names"] == list(NAMES)
    case = content["case-0"]
    assert case["truth"] and len(case["fixations"]) == 5
    assert len(set(case["predictions"])) == 2
    assert [len(maps) for maps in case["probabilities"]] == [2, 2]
    assert "Dice %" in json.dumps(content["index"]["comparison"])
    assert {"comparison.md", "comparison.csv", "paired.csv", "report.html"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    assert f"report: {tmp_path / 'out' / 'report.html'}" in capsys.readouterr().out


def test_maps_are_numbered_by_their_folders_whatever_the_order_of_the_table(results, tmp_path):
    a, b = results("a", shift=2), results("b", shift=1)
    for folder in (a, b):
        shutil.copytree(folder / "probabilities" / "level1", folder / "probabilities" / "level2")
        Image.new("I;16", (40, 30)).save(folder / "probabilities" / "level2" / "polyp7.png")
        header, *rows = (folder / "per_case.csv").read_text().splitlines()
        rows += [row.replace(",1,", ",2,") for row in rows if ",1," in row]
        (folder / "per_case.csv").write_text("\n".join([header, *rows[::-1]]) + "\n")
        for level in ("ensemble", "level1"):
            Image.fromarray(np.full((30, 40), 65535, np.uint16)).save(folder / "probabilities" / level / "polyp7.png")
    assert compare(a, b, "--to", tmp_path / "out", "--report") == 0
    content = embedded(tmp_path / "out")
    maps = content[f"case-{content['index']['names'].index('polyp7')}"]["probabilities"][0]
    assert maps[0] == maps[1] != maps[2]


def test_page_tells_what_the_table_is_and_nothing_that_the_runs_do_not_hold(results, tmp_path):
    a, b = results("a", shift=2), results("b", shift=1)
    assert compare(f"A*={a}", b, "--to", tmp_path / "out", "--report") == 0
    index = embedded(tmp_path / "out")["index"]
    assert [metric["key"] for metric in index["metrics"]] == ["dice", "hd95_px"]
    assert "num_one_empty" not in index["runs"][0]["levels"][0]
    notes = " ".join(index["notes"])
    assert "Baseline: A*. Level: ensemble." in notes and "Wilcoxon signed-rank test" in notes


def test_pictures_have_the_channels_of_their_data_set(results, tiny_root, tmp_path):
    (tiny_root / "dataset.toml").write_text("channels = 1\n")
    runs = results("a", shift=2), results("b", shift=1)
    assert compare(*runs, "--to", tmp_path / "out", "--report", "--data", "folder") == 0
    picture = base64.b64decode(embedded(tmp_path / "out")["case-0"]["image"])
    pixels = np.array(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    # The encoding is lossy.
    assert np.ptp(pixels, axis=-1).max() < 8 < np.ptp(pixels)


def test_runs_without_predictions_are_shown_with_their_numbers(results, tmp_path):
    a, b = results("a", shift=2, predictions=False), results("b", shift=1)
    assert compare(a, b, "--to", tmp_path / "out", "--report") == 0
    case = embedded(tmp_path / "out")["case-0"]
    assert case["predictions"][0] is None and case["predictions"][1]
    assert case["probabilities"][0] == [] and case["fixations"] is None


def test_the_data_set_is_named_where_no_summary_knows_it(results, tiny_root, tmp_path, capsys):
    runs = [results("a", shift=2, summary=False), results("b", shift=1, summary=False), "--to", tmp_path / "out"]
    assert compare(*runs, "--report") == 2
    assert "expected --data and --root" in capsys.readouterr().err
    assert not (tmp_path / "out" / "comparison.md").exists() and not (tmp_path / "out" / "report.html").exists()
    assert compare(*runs, "--report", "--data", "kvasir", "--root", tiny_root) == 0


def test_predictions_of_other_images_are_refused(results, tmp_path, capsys):
    a, b = results("a", shift=2), results("b", shift=1)
    Image.new("L", (5, 7)).save(b / "predictions" / "polyp8.png")
    assert compare(a, b, "--to", tmp_path / "out", "--report") == 2
    assert "case 'polyp8', prediction of 'b': expected the size of the image, " in capsys.readouterr().err
    assert not (tmp_path / "out" / "report.html").exists()


def test_an_unreadable_probability_map(results, tmp_path, capsys):
    a, b = results("a", shift=2), results("b", shift=1)
    (b / "probabilities" / "level1" / "polyp7.png").write_bytes(b"no picture")
    assert compare(a, b, "--to", tmp_path / "out", "--report") == 2
    assert "polyp7.png: expected an image, found an unreadable file" in capsys.readouterr().err


def test_run_folders_know_their_data_by_their_recipe(results, tiny_root, tmp_path):
    runs = [results("a", shift=2), results("b", shift=1)]
    for folder in runs:
        content = {"data": "kvasir", "mode": "gaze_sup", "recipe": {"root": str(tiny_root)}}
        (folder / "summary.json").write_text(json.dumps(content))
    assert compare(*runs, "--to", tmp_path / "out", "--report") == 0


@pytest.mark.parametrize("more", [["--report"], ["--to", "out", "--fixations", "f.csv"]])
def test_options_that_need_another(more, results, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert compare(results("a", shift=2), results("b", shift=1), *more) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_names_of_runs_never_become_html(results, tmp_path):
    hostile = "</script><b>x"
    a, b = results("a", shift=2), results("b", shift=1)
    shutil.move(b, tmp_path / "c")
    assert compare(a, f"{hostile}={tmp_path / 'c'}", "--to", tmp_path / "out", "--report") == 0
    assert hostile not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert embedded(tmp_path / "out")["index"]["runs"][1]["name"] == hostile


def test_maps_of_several_sizes(results, tmp_path, capsys):
    a, b = results("a", shift=2), results("b", shift=1)
    Image.fromarray(np.zeros((3, 4), np.uint16)).save(b / "probabilities" / "level1" / "polyp8.png")
    assert compare(a, b, "--to", tmp_path / "out", "--report") == 2
    assert "expected maps of one size for polyp8, found several" in capsys.readouterr().err


def test_a_report_of_another_comparison_does_not_stay(results, tmp_path):
    a, b = results("a", shift=2), results("b", shift=1)
    assert compare(a, b, "--to", tmp_path / "out", "--report") == 0
    assert compare(b, a, "--to", tmp_path / "out") == 0
    assert not (tmp_path / "out" / "report.html").exists()


def test_no_folders_of_this_machine_in_the_page(results, tmp_path):
    a, b = results("a", shift=2), results("b", shift=1)
    summary = json.loads((a / "summary.json").read_text()) | {"checkpoint": "/home/somebody/secret/model.pth"}
    (a / "summary.json").write_text(json.dumps(summary))
    assert compare(a, b, "--to", tmp_path / "out", "--report") == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "secret" not in page and str(tmp_path) not in page and "model.pth" in page


def test_predictions_are_of_the_table_beside_them_alone(results, tmp_path):
    """A run writes those of the checkpoint that its main table is of."""
    a = results("a", shift=2)
    shutil.copy(a / "per_case.csv", a / "per_case_last.csv")
    assert compare(f"A={a}", f"last={a / 'per_case_last.csv'}", "--to", tmp_path / "out", "--report") == 0
    case = embedded(tmp_path / "out")["case-0"]
    assert case["predictions"][0] and case["predictions"][1] is None
    assert case["probabilities"][0] and not case["probabilities"][1]


def test_groups_are_those_of_the_tables(results, tmp_path):
    runs = [results("a", shift=2), results("b", shift=1)]
    for folder in runs:
        table = re.sub(r"^(polyp\d),polyp(\d)", r"\1,patient\2", (folder / "per_case.csv").read_text(), flags=re.M)
        (folder / "per_case.csv").write_text(table)
    assert compare(*runs, "--to", tmp_path / "out", "--report") == 0
    assert embedded(tmp_path / "out")["index"]["groups"] == ["patient7", "patient8", "patient9"]


def test_predictions_of_names_whose_accents_are_written_apart(results, tiny_root, tmp_path):
    """As tables and archives of a Mac have them."""
    runs = [results("a", shift=2), results("b", shift=1)]
    (tiny_root / "images" / "polyp7.jpg").rename(tiny_root / "images" / "pol\u00fdp7.jpg")
    for folder in runs:
        table = (folder / "per_case.csv").read_text().replace("polyp7", "poly\u0301p7")
        (folder / "per_case.csv").write_text(table, encoding="utf-8")
        for path in folder.glob("p*/**/polyp7.png"):
            path.rename(path.with_name("poly\u0301p7.png"))
    assert compare(*runs, "--to", tmp_path / "out", "--report") == 0
    case = embedded(tmp_path / "out")["case-0"]
    assert all(case["predictions"]) and [len(maps) for maps in case["probabilities"]] == [2, 2]
