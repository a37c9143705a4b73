"""Finding files whose endings differ."""

from dataclasses import replace

import pytest

from datasets.files import check_one_file_a_name, files_by_name, find_file, near_miss_hint, similar_files
from datasets.specs import get_spec

ENDINGS = (".png", ".jpg", ".tif")


def _touch(folder, *names):
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("ending", [".png", ".PNG", ".Jpg", ".tIF"])
def test_upper_and_lower_case_are_the_same(tmp_path, ending):
    assert find_file(_touch(tmp_path, f"a{ending}"), "a", ENDINGS).name.lower() == f"a{ending}".lower()
    assert find_file(tmp_path, "a", ENDINGS).is_file()


def test_the_first_ending_goes_before_the_others_and_names_what_is_missing(tmp_path):
    _touch(tmp_path, "a.jpg", "a.png", "ab.tif", "c.gif")
    assert find_file(tmp_path, "a", ENDINGS) == tmp_path / "a.png"
    assert find_file(tmp_path, "a", (".jpg", ".png")) == tmp_path / "a.jpg"
    for name in ("b", "c"):
        assert find_file(tmp_path, name, ENDINGS) == tmp_path / f"{name}.png"
    assert find_file(tmp_path / "nowhere", "a", ENDINGS) == tmp_path / "nowhere" / "a.png"


def test_a_single_ending_is_met_to_the_letter(tmp_path):
    assert find_file(_touch(tmp_path, "a.JPG"), "a", (".jpg",)).name == "a.jpg"


def test_dots_in_a_name_belong_to_it(tmp_path):
    _touch(tmp_path, "scan.1.png", "scan.2.tif")
    assert find_file(tmp_path, "scan.1", ENDINGS).name == "scan.1.png"
    assert list(files_by_name(tmp_path, ENDINGS)) == ["scan.1", "scan.2"]


def test_listing_leaves_out_hidden_files_folders_and_other_endings(tmp_path):
    _touch(tmp_path, "b.png", "a.JPG", "a.tif", "._b.png", "Thumbs.db")
    (tmp_path / "folder.png").mkdir()
    found = files_by_name(tmp_path, ENDINGS)
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "a": ["a.JPG", "a.tif"],
        "b": ["b.png"],
    }


def test_two_files_of_one_id_are_both_named(tmp_path):
    spec = get_spec("folder", tmp_path)
    (tmp_path / "images").mkdir()
    _touch(tmp_path / "images", "a.png", "a.tif", "b.png")
    with pytest.raises(ValueError, match=r"a\.png: expected one file of the id a, found a\.tif beside it"):
        check_one_file_a_name(spec, tmp_path, "images", ["b", "a"])
    check_one_file_a_name(spec, tmp_path, "images", ["b"])
    check_one_file_a_name(replace(spec, image_exts=(".png",)), tmp_path, "images", ["a"])


def test_an_absent_file_costs_no_listing_of_its_folder(tmp_path, monkeypatch):
    _touch(tmp_path, "a.tIF")
    monkeypatch.setattr("os.scandir", lambda folder: pytest.fail(f"listed {folder}"))
    assert find_file(tmp_path, "b", ENDINGS) == tmp_path / "b.png"
    assert find_file(tmp_path, "a", ENDINGS).name == "a.tIF"


@pytest.mark.parametrize("endings", [(".jpg",), ENDINGS])
@pytest.mark.parametrize(("there", "wanted"), [("e\u0301", "\xe9"), ("\xe9", "e\u0301")])
def test_accents_may_be_written_either_way(tmp_path, endings, there, wanted):
    path = tmp_path / f"{there}tude.jpg"
    path.touch()
    assert find_file(tmp_path, f"{wanted}tude", endings) == path
    assert list(files_by_name(tmp_path, endings)) == ["\xe9tude"]


def test_a_name_in_other_letter_case_is_a_hint(tmp_path):
    there = similar_files(_touch(tmp_path, "pat06_1.jpg", "b.PNG"))
    assert near_miss_hint("Pat06_1", there).startswith("; pat06_1.jpg is there, which differs in upper and lower case")
    (tmp_path / "c.png").mkdir()
    assert near_miss_hint("c", similar_files(tmp_path)) == ""
    assert "pat06_1.jpg is there, whose id is pat06_1: ids stand without ending" in near_miss_hint("pat06_1.jpg", there)
    assert similar_files(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.10008.5.1"])
def test_a_file_without_an_ending_is_a_hint(tmp_path, name):
    hint = near_miss_hint(name, similar_files(_touch(tmp_path, name)))
    assert hint == f"; {name} is there, without an ending that says its format; end the names of DICOM files in .dcm"


def test_links_to_themselves_are_passed_over(tmp_path):
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert list(files_by_name(_touch(tmp_path, "a.png"), ENDINGS)) == ["a"]
