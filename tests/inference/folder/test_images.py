"""Which files are taken, under which names, and which never together."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from inference.folder.images import find_images, skipped_files


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(*given, out=Path("predicted"), recursive=False):
    return [image.name for image in find_images([str(path) for path in given], out, recursive)[0]]


def test_a_folder_gives_its_images_sorted_and_nothing_else(tmp_path):
    touch(*(tmp_path / name for name in ("b.PNG", "a.dcm", "c.Tiff", "notes.txt", ".hidden.png", "sub/d.png", "e")))
    assert names(tmp_path) == ["a", "b", "c"]


def test_sub_folders_on_demand_keep_their_names(tmp_path):
    touch(*(tmp_path / name for name in ("z.png", "b/x.png", "a/x.png", "a/b/x.jpg", ".git/x.png")))
    assert names(tmp_path, recursive=True) == ["z", "a/x", "a/b/x", "b/x"]


def test_files_and_folders_together_each_once(tmp_path):
    touch(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "other" / "c.jpg")
    assert names(tmp_path / "b.png", tmp_path, tmp_path / "other" / "c.jpg") == ["b", "a", "c"]


def test_links_to_files_are_files_and_links_to_folders_are_not_followed(tmp_path):
    touch(tmp_path / "in" / "a.png")
    os.symlink(tmp_path / "in" / "a.png", tmp_path / "in" / "link.png")
    os.symlink(tmp_path / "in", tmp_path / "in" / "round")
    os.symlink(tmp_path / "absent.png", tmp_path / "in" / "broken.png")
    # The broken one is reported later, with the unreadable ones.
    assert names(tmp_path / "in", recursive=True) == ["a", "broken", "link"]


def test_a_named_file_of_another_ending_or_hidden_is_refused_alone(tmp_path):
    touch(tmp_path / "a.png", tmp_path / "Thumbs.db", tmp_path / ".tmp-a.png")
    images, refused = find_images(
        [str(tmp_path / name) for name in ("a.png", "Thumbs.db", ".tmp-a.png")], tmp_path / "out"
    )
    assert [image.name for image in images] == ["a"]
    assert [path.name for path, _ in refused] == ["Thumbs.db", ".tmp-a.png"]
    assert "found another ending, or a hidden file" in refused[0][1]


@pytest.mark.parametrize("files", [("a.png", "a.jpg"), ("a.png", "a.PNG")])
def test_two_files_of_one_name_are_refused_with_both(tmp_path, files):
    touch(*(tmp_path / name for name in files))
    with pytest.raises(ValueError, match=r"expected one image of the name 'a', found .* too") as caught:
        names(tmp_path)
    assert all(str(tmp_path / name) in str(caught.value) for name in files)


def test_two_folders_with_one_name_are_refused_unless_they_are_searched_from_above(tmp_path):
    touch(tmp_path / "x" / "a.png", tmp_path / "y" / "a.png")
    with pytest.raises(ValueError, match="expected one image of the name 'a'"):
        names(tmp_path / "x", tmp_path / "y")
    assert names(tmp_path, recursive=True) == ["x/a", "y/a"]


def test_a_folder_in_the_place_of_a_mask_is_refused(tmp_path):
    touch(tmp_path / "a.png" / "b.jpg", tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif: expected no folder of the name of its mask"):
        names(tmp_path, recursive=True)


def test_results_are_no_images(tmp_path):
    masks = tmp_path / "out" / "masks"
    touch(tmp_path / "a.png", masks / "a.png", masks / "sub" / "a.png")
    assert names(tmp_path, recursive=True, out=tmp_path / "out") == ["a"]
    os.symlink(masks, tmp_path / "link")
    for given in (masks, masks / "sub", masks / "a.png", tmp_path / "link"):
        with pytest.raises(ValueError, match="found a file in the folder of results; choose another --out"):
            names(given, out=tmp_path / "out")


def test_results_of_other_calls_are_no_images(tmp_path):
    touch(*(tmp_path / name for name in ("a.png", "masks/b.png", "out/masks/a.png", "out/more/c.png")))
    touch(tmp_path / "out" / "predictions.jsonl")
    assert names(tmp_path, recursive=True) == ["a", "masks/b", "out/more/c"]


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"--images .*absent: expected a file or a folder, found none"):
        names(tmp_path / "absent")
    touch(tmp_path / "notes.txt", tmp_path / "sub" / "a.png")
    with pytest.raises(ValueError, match=re.escape("expected images (.png, .jpg, .jpeg, .tif, .tiff, .bmp, .dcm")) as e:
        names(tmp_path)
    assert "end the names of DICOM files in .dcm, and for sub-folders give --recursive" in str(e.value)


def test_dicom_files_without_the_ending_are_noticed(tmp_path, write_dicom):
    write_dicom(tmp_path / "a.dcm", np.zeros((3, 4), np.uint16))
    # The last is the list of files on a medium, and no image under any name.
    for name in ("IM0001", "1.2.840.5", "DICOMDIR"):
        shutil.copy(tmp_path / "a.dcm", tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    series = tmp_path / "series"
    series.mkdir()
    shutil.copy(tmp_path / "a.dcm", series / "IM0001")
    here = [tmp_path / "1.2.840.5", tmp_path / "IM0001"]
    out = tmp_path / "out"
    assert skipped_files([str(tmp_path), str(tmp_path / "a.dcm")], out)[1] == here
    assert skipped_files([str(tmp_path)], out, recursive=True)[1] == [*here, series / "IM0001"]


def test_what_is_no_image_is_counted_but_for_results_and_hidden_files(tmp_path):
    for name in ("a.png", "b.webp", "c.WEBP", "notes", ".hidden", "sub/d.gif", ".git/config", "out/settings.json"):
        touch(tmp_path / name)
    for folder in (str(tmp_path), f"{tmp_path}/"):
        counts, _ = skipped_files([folder], tmp_path / "out")
        assert counts == {".webp": 2, "no ending": 1, "a folder": 1}
        assert skipped_files([folder], tmp_path / "out", recursive=True)[0] == {".webp": 2, "no ending": 1, ".gif": 1}


def test_links_to_themselves_pipes_and_what_may_not_be_read_are_no_unnamed_dicom(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "scan").write_bytes(bytes(128) + b"DICM")
    assert skipped_files([str(tmp_path)], tmp_path / "out")[1] == [tmp_path / "scan"]
    assert [image.path.name for image in find_images([str(tmp_path)], tmp_path / "out")[0]] == ["loop.png"]
