"""Gaze maps on disk: both formats are found, and a file says what it was made from."""

import numpy as np
import pytest
from PIL import Image

from datasets.files import sample_path
from datasets.gaze.map_files import (
    fingerprint,
    map_ending,
    remove_other_formats,
    remove_own_maps,
    reuse_or_make_map,
)
from datasets.specs import get_spec
from utils.images import write_image

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


@pytest.mark.parametrize(
    ("data", "map_format", "ending"),
    [("kvasir", "as-reference", ".jpg"), ("prostate", "as-reference", ".png"), ("kvasir", "png", ".png")],
)
def test_ending_of_a_format(data, map_format, ending):
    assert map_ending(get_spec(data), map_format) == ending


def test_unknown_format():
    with pytest.raises(ValueError, match="expected one of as-reference, png, found 'gif'"):
        map_ending(get_spec("kvasir"), "gif")


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_map_is_found_in_either_format(tmp_path, ending):
    path = tmp_path / "gaze" / "heatmap" / f"a.v2{ending}"
    write_image(path, RAMP, comment="x")
    assert sample_path(get_spec("kvasir"), tmp_path, "heatmap", "a.v2") == path


def test_of_two_formats_the_data_sets_own_is_taken(tmp_path):
    for ending in (".jpg", ".png"):
        write_image(tmp_path / "gaze" / "crf_compat1" / f"a{ending}", RAMP, comment="x")
    assert sample_path(get_spec("kvasir"), tmp_path, "map", "a").suffix == ".jpg"
    assert sample_path(get_spec("prostate"), tmp_path, "map", "a").suffix == ".png"


def test_absent_map_would_be_in_the_own_format(tmp_path):
    assert sample_path(get_spec("kvasir"), tmp_path, "map", "a") == tmp_path / "gaze" / "crf_compat1" / "a.jpg"


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_file_tells_what_it_was_made_from(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    written, made = reuse_or_make_map(path, fingerprint("one"), lambda: RAMP)
    assert made
    again, made = reuse_or_make_map(path, fingerprint("one"), lambda: RAMP + 1)
    np.testing.assert_array_equal(again, written)
    assert not made and reuse_or_make_map(path, fingerprint("two"), lambda: RAMP)[1]


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_fingerprint_does_not_change_the_pixels(tmp_path, ending):
    write_image(tmp_path / f"a{ending}", RAMP, comment=fingerprint("one"))
    Image.fromarray(RAMP).save(tmp_path / f"b{ending}")
    with Image.open(tmp_path / f"a{ending}") as ours, Image.open(tmp_path / f"b{ending}") as plain:
        assert ours.tobytes() == plain.tobytes()


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_cut_file_is_not_taken_for_whole(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    rng = np.random.default_rng(0)
    write_image(path, rng.integers(0, 256, (64, 64)).astype(np.uint8), comment=fingerprint("one"))
    path.write_bytes(path.read_bytes()[:-100])
    assert reuse_or_make_map(path, fingerprint("one"), lambda: RAMP)[1]


def test_fingerprints_differ_with_every_part():
    array = np.array([1.0, 2.0])
    prints = {
        fingerprint("a", "bc"),
        fingerprint("ab", "c"),
        fingerprint("a", "bc", 70.0),
        fingerprint("a", "bc", 71.0),
        fingerprint("a", "bc", array),
        fingerprint("a", "bc", array[::-1]),
    }
    assert len(prints) == 6
    assert fingerprint("a", array) == fingerprint("a", array.copy())


def test_a_map_replaces_its_other_format(tmp_path):
    for name in ("a.jpg", "a.png", "ab.png"):
        write_image(tmp_path / name, RAMP, comment="x")
    remove_other_formats(tmp_path / "a.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "ab.png"]


def test_only_maps_of_ours_are_removed(tmp_path):
    write_image(tmp_path / "ours.jpg", RAMP, comment=fingerprint("one"))
    Image.fromarray(RAMP).save(tmp_path / "theirs.jpg")
    Image.fromarray(RAMP).save(tmp_path / "commented.jpg", comment=b"made by hand")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    write_image(tmp_path / "ours.png", RAMP, comment=fingerprint("one"))
    for name in ("ours", "theirs", "commented", "broken", "absent"):
        remove_own_maps(tmp_path, name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.jpg", "commented.jpg", "theirs.jpg"]


def test_a_map_with_an_ending_in_capitals_is_found_as_training_finds_it(tmp_path):
    folder = tmp_path / "gaze" / "crf_compat1"
    folder.mkdir(parents=True)
    (folder / "a.PNG").touch()
    assert sample_path(get_spec("kvasir"), tmp_path, "map", "a").name == "a.PNG"
