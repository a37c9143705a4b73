"""Reading and writing of files; whatever is wrong with one, the error names it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import dicom, io
from utils.images import write_image

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def _cut_in_half(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _noise(shape: tuple[int, ...], high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, shape)


def test_png_gray_comes_back_as_written(tmp_path):
    write_image(tmp_path / "map.png", GREY)
    read = io.read_gray(tmp_path / "map.png")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, GREY)


def test_jpeg_map_is_written_as_pillow_does_by_default(tmp_path):
    values = _noise((24, 32)).astype(np.uint8)
    write_image(tmp_path / "ours.jpg", values)
    Image.fromarray(values).save(tmp_path / "pillow.jpg")
    assert (tmp_path / "ours.jpg").read_bytes() == (tmp_path / "pillow.jpg").read_bytes()


def test_rgb_keeps_the_order_of_its_channels(tmp_path):
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[..., 0] = 200
    write_image(tmp_path / "red.png", picture)
    np.testing.assert_array_equal(io.read_image(tmp_path / "red.png", 3)[0, 0], [200, 0, 0])


def test_grey_file_read_as_rgb_repeats_its_channel(tmp_path):
    write_image(tmp_path / "map.png", GREY)
    assert io.read_image(tmp_path / "map.png", 3).shape == (3, 4, 3)


def test_write_makes_missing_folders_and_leaves_no_temporary(tmp_path):
    write_image(tmp_path / "a" / "b" / "map.png", GREY)
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["map.png"]


def test_dicom_holds_the_stored_values(tmp_path, write_dicom):
    values = _noise((5, 7), high=4096)
    write_dicom(tmp_path / "slice.dcm", values)
    read = io.read_dicom(tmp_path / "slice.dcm")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)


def test_read_image_goes_by_the_ending(tmp_path, write_dicom):
    write_dicom(tmp_path / "slice.dcm", _noise((5, 7), high=4096))
    write_image(tmp_path / "photo.jpg", GREY)
    assert io.read_image(tmp_path / "slice.dcm").shape == (5, 7, 1)
    assert io.read_image(tmp_path / "photo.jpg").shape == (3, 4, 3)


def test_dicom_of_several_frames_is_refused(tmp_path, write_dicom):
    write_dicom(tmp_path / "series.dcm", _noise((3, 5, 7), high=4096))
    with pytest.raises(ValueError, match=r"series\.dcm: expected a single image, found 3 frames"):
        io.read_dicom(tmp_path / "series.dcm")


@pytest.mark.parametrize(
    ("values", "foreground"),
    [
        ([0, 127, 128, 255], [False, False, True, True]),
        ([0, 1, 1, 0], [False, True, True, False]),
        ([0, 0, 0, 0], [False, False, False, False]),
        ([0, 254, 2, 255], [False, True, False, True]),
    ],
    ids=["127_is_background_128_is_not", "zeros_and_ones", "all_background", "jpeg_noise"],
)
def test_mask(tmp_path, values, foreground):
    write_image(tmp_path / "mask.png", np.array([values], np.uint8))
    read = io.read_mask(tmp_path / "mask.png")
    assert read.dtype == bool
    np.testing.assert_array_equal(read, [foreground])


def test_image_size_is_height_then_width(tmp_path, write_dicom):
    write_dicom(tmp_path / "slice.dcm", _noise((5, 7), high=4096))
    write_image(tmp_path / "map.jpg", GREY)
    assert io.check_image(tmp_path / "slice.dcm") == (5, 7)
    assert io.check_image(tmp_path / "map.jpg") == (3, 4)


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_truncated_picture_is_named(tmp_path, ending):
    path = tmp_path / f"cut{ending}"
    write_image(path, _noise((64, 64, 3)).astype(np.uint8))
    with pytest.raises(ValueError, match=rf"cut{ending}: expected an image, found an unreadable file"):
        io.read_image(_cut_in_half(path), 3)


def test_truncated_dicom_is_named(tmp_path, write_dicom):
    write_dicom(tmp_path / "cut.dcm", _noise((64, 64), high=4096))
    with pytest.raises(ValueError, match=r"cut\.dcm: expected a DICOM image, found an unreadable file"):
        io.read_dicom(_cut_in_half(tmp_path / "cut.dcm"))


@pytest.mark.parametrize("content", [b"", b"hello, I am a text\n" * 40, b"\0" * 128 + b"DICM" + b"junk" * 40])
@pytest.mark.parametrize("name", ["fake.jpg", "fake.png", "fake.dcm"])
@pytest.mark.parametrize("read", [io.read_image, io.check_image])
def test_file_of_another_kind_is_named_in_one_line(tmp_path, name, content, read):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: expected .*found an unreadable file .*replace it") as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_packages_that_a_compressed_dicom_file_needs_are_said(tmp_path, monkeypatch, write_dicom):
    def undecodable(file):
        raise RuntimeError("Unable to decompress: all plugins are missing dependencies:\n\tgdcm - requires gdcm>=3")

    write_dicom(tmp_path / "a.dcm", _noise((5, 7)))
    monkeypatch.setattr(dicom.pydicom, "dcmread", undecodable)
    with pytest.raises(ValueError, match=r"all plugins are missing dependencies: gdcm - requires gdcm>=3\); replace"):
        io.read_dicom(tmp_path / "a.dcm")


@pytest.mark.parametrize("name", ["none.jpg", "none.dcm"])
@pytest.mark.parametrize("read", [io.read_image, io.check_image])
def test_missing_file_stays_a_missing_file(tmp_path, name, read):
    with pytest.raises(FileNotFoundError, match=name):
        read(tmp_path / name)


def test_names_in_the_order_of_the_file_without_blank_lines(tmp_path):
    (tmp_path / "train.txt").write_text("b\n\n  a \r\nc")
    assert io.read_names(tmp_path / "train.txt") == ["b", "a", "c"]


def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "train.txt").write_text("a\nb\n", encoding="utf-8-sig")
    assert io.read_names(tmp_path / "train.txt") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (b" \n\n", "found an empty file"),
        (b"a\nb\na\n", "expected every id once, found a again"),
        (b"a\n../b\n", r"expected plain ids, found '\.\./b', which contains a path"),
        (b"a\nimages/b\n", "found 'images/b', which contains a path"),
        (b"/etc/passwd\n", "found '/etc/passwd', which contains a path"),
        (b"\xff\xfe\x00\x81", "found a file that is no text"),
    ],
)
def test_wrong_split_file(tmp_path, content, message):
    (tmp_path / "train.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"train\.txt: .*{message}"):
        io.read_names(tmp_path / "train.txt")


def test_missing_split_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.txt: expected a split file with one image id a line"):
        io.read_names(tmp_path / "train.txt")


@pytest.mark.parametrize("palette", [None, [0, 0, 0, 128, 0, 0, 0, 128, 0]], ids=["labels", "dark_palette"])
def test_mask_of_labels_is_refused_in_place_of_read_as_empty(tmp_path, palette):
    mask = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    if palette:
        mask = mask.convert("P")
        mask.putpalette(palette)
    mask.save(tmp_path / "mask.png")
    expected = "a grey mask, found colours" if palette else "a mask with foreground above 127, or of 0 and 1 alone"
    with pytest.raises(ValueError, match=rf"mask\.png: expected {expected}"):
        io.read_mask(tmp_path / "mask.png")


def test_noise_in_an_empty_jpeg_mask_is_background(tmp_path):
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(tmp_path / "mask.jpg")
    assert not io.read_mask(tmp_path / "mask.jpg").any()


def test_a_mask_is_lossy_by_its_content_and_not_by_its_ending(tmp_path):
    Image.fromarray(np.array([[0, 2]], np.uint8)).save(tmp_path / "mask.jpg", "PNG")
    with pytest.raises(ValueError, match=r"mask\.jpg: expected a mask .* values up to 2"):
        io.read_mask(tmp_path / "mask.jpg")


def test_label_with_ignored_pixels_names_its_file(tmp_path):
    Image.fromarray(np.array([[0, 1, 255]], np.uint8)).save(tmp_path / "mask.png")
    label = io.read_label(tmp_path / "mask.png", 255)
    assert (label.mask.tolist(), label.ignore.tolist()) == ([[False, True, False]], [[False, False, True]])
    with pytest.raises(ValueError, match=r"mask\.png: expected 0, one other value"):
        io.read_label(tmp_path / "mask.png", 7)


@pytest.mark.parametrize("name", ["mask_0_1_255.png", "mask_0_128_255.png", "mask_label_2.jpg"])
def test_masks_that_were_read_wrongly(golden, name):
    path = golden.parent / "data" / "cases" / name
    with pytest.raises(ValueError, match=rf"{name}: expected a mask .* ignore_value in dataset\.toml"):
        io.read_mask(path)
    if name == "mask_0_1_255.png":
        label = io.read_label(path, 255)
        assert (label.mask.sum(), label.ignore.sum()) == (400, 200)
