"""The one door of pictures: four formats by content, regular files alone, and maps with the checks of images."""

import io as memory
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import io
from datasets.gaze.quality import dice_over_thresholds
from utils.images import FULL_SCALE, write_image

MAP = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLOUR = np.stack([MAP, MAP.T, 255 - MAP], axis=-1)
READERS = (io.read_image, io.check_image, io.read_mask, io.read_map)


def _other_formats():
    """A file of every further format that Pillow writes, and stubs of some that it reads."""
    Image.init()
    yield "EPS stub", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n"
    yield "PSD stub", b"8BPS\0\1" + bytes(6) + b"\0\3" + bytes(60)
    yield "FITS stub", b"SIMPLE  =                    T".ljust(2880)
    for kind in sorted(set(Image.SAVE) - {*io.PICTURE_FORMATS, "MPO", "DIB"}):
        encoded = memory.BytesIO()
        try:
            Image.fromarray(MAP).save(encoded, kind)
        except (OSError, ValueError, KeyError, RuntimeError):
            continue
        yield kind, encoded.getvalue()


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".bmp"])
def test_a_picture_of_another_format_is_unreadable_whatever_it_is_called(tmp_path, ending, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda *args, **_: started.append(args))
    path = tmp_path / f"a{ending}"
    seen = 0
    for _, content in _other_formats():
        # A JPEG is also what some say of themselves: they are one.
        if content[:2] in (b"\xff\xd8", b"II", b"MM", b"BM"):
            continue
        path.write_bytes(content)
        for read in READERS:
            with pytest.raises(ValueError, match=r"unreadable file \(not PNG, JPEG, TIFF or BMP by its content\)"):
                read(path)
        with pytest.raises(ValueError, match="by its content"):
            io.read_image(path, needs_8_bit=True)
        seen += 1
    assert seen > 10 and not started


@pytest.mark.parametrize("kind", io.PICTURE_FORMATS)
def test_the_ending_says_nothing_of_the_format(tmp_path, kind):
    Image.fromarray(COLOUR).save(tmp_path / "a.png", kind)
    np.testing.assert_allclose(io.read_image(tmp_path / "a.png", 3).shape, COLOUR.shape)


def test_what_never_ends_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("b.png")
    (tmp_path / "c.png").symlink_to("/dev/zero")
    (tmp_path / "d.dcm").symlink_to("/dev/zero")
    for name, found in (("a.png", "a pipe"), ("b.png", "symbolic links"), ("c.png", "a device"), ("d.dcm", "a device")):
        for read in READERS[: 2 if name == "d.dcm" else 4]:
            with pytest.raises(ValueError, match=rf"^[^:]*{name}: expected a [^:]*found .*{found}"):
                read(tmp_path / name)
    os.mkfifo(tmp_path / "train.txt")
    with pytest.raises(OSError, match=r"train\.txt: expected a regular file, found a pipe"):
        io.read_names(tmp_path / "train.txt")


def _map_file(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "image", "highest"),
    [
        ("a.png", MAP, 255),
        ("a.png", MAP.astype(np.uint16) * 257, 65535),
        ("a.tif", MAP.astype(np.uint16) * 257, 65535),
        ("a.tif", MAP.astype(">u2") * 257, 65535),
        ("a.png", np.repeat(MAP[..., None], 3, axis=-1), 255),
        ("a.png", Image.fromarray(MAP).convert("P"), 255),
        ("a.png", Image.fromarray(MAP).convert("LA"), 255),
    ],
    ids=["8_bit", "16_bit", "tiff", "big_endian", "grey_in_colour", "grey_palette", "opaque"],
)
def test_a_map_is_scaled_by_its_depth(tmp_path, name, image, highest):
    path = _map_file(tmp_path / name, image)
    assert np.iinfo(io.read_gray(path).dtype).max == highest
    np.testing.assert_array_equal(io.read_map(path), MAP / np.float32(255))


def test_dice_of_a_map_does_not_depend_on_its_depth():
    mask = MAP >= 100
    thresholds = (0.2, 100 / 255, 0.7)
    deep = dice_over_thresholds(MAP.astype(np.uint16) * 257, mask, thresholds)
    assert deep == dice_over_thresholds(MAP, mask, thresholds)


@pytest.mark.parametrize(
    ("name", "image", "found"),
    [
        ("a.png", np.dstack([np.full((16, 16, 3), 255, np.uint8), MAP]), "transparency"),
        ("a.png", COLOUR, "found colours"),
        ("a.tif", MAP / np.float32(255), "another kind of number"),
        ("a.tif", MAP.astype(np.int32), "another kind of number"),
        ("a.png", MAP.astype(np.uint16), "found values up to 255, as of a map of 8 to 15 bits"),
        ("a.png", MAP.astype(np.uint16) * 16, "found values up to 4080"),
        ("a.png", MAP.astype(np.uint16) * 128, "found values up to 32640"),
    ],
    ids=["alpha", "colour", "float", "32_bit", "8_bits_in_16", "12_bits_in_16", "15_bits_in_16"],
)
def test_what_is_not_certainly_a_map_is_refused(tmp_path, name, image, found):
    with pytest.raises(ValueError, match=rf"{name}: expected .*{found}"):
        io.read_map(_map_file(tmp_path / name, image))


def test_a_map_of_several_pages_or_of_colours_of_16_bits_is_refused(tmp_path):
    import cv2

    page = Image.fromarray(MAP)
    cv2.imwrite(str(tmp_path / "b.png"), np.stack([MAP.astype(np.uint16) * 257] * 3, axis=-1))
    for path in (_map_file(tmp_path / "a.tif", page, save_all=True, append_images=[page]), tmp_path / "b.png"):
        with pytest.raises(ValueError, match=r"expected a single image, found 2 pages|expected 8 bits a colour"):
            io.read_map(path)


def test_low_probabilities_that_this_program_wrote_are_certain(tmp_path):
    write_image(tmp_path / "a.png", np.array([[0, 7]], np.uint16))
    assert io.read_with_comment(tmp_path / "a.png")[1] == FULL_SCALE
    np.testing.assert_array_equal(io.read_map(tmp_path / "a.png"), np.array([[0, 7]], np.float32) / np.float32(65535))


def test_the_made_cases_of_maps():
    folder = Path(os.environ.get("GAZEMEDSEG_SHARED") or Path(__file__).parents[3] / "shared") / "data" / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}; set GAZEMEDSEG_SHARED")
    shares = [(io.read_map(folder / f"map_{bits}_bit.png") >= 0.5).mean() for bits in (8, 16)]
    assert shares[0] == shares[1] == pytest.approx(0.150, abs=5e-4)
    with pytest.raises(ValueError, match="map_in_alpha.png: expected an opaque image"):
        io.read_map(folder / "map_in_alpha.png")


def test_an_id_is_the_same_however_its_accents_are_written(tmp_path):
    (tmp_path / "train.txt").write_text("e\u0301tude\n", encoding="utf-8")
    assert io.read_names(tmp_path / "train.txt") == ["\xe9tude"]
    (tmp_path / "train.txt").write_text("e\u0301tude\n\xe9tude\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected every id once"):
        io.read_names(tmp_path / "train.txt")
