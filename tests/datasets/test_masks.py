"""What is plainly a mask is read as it shows, whatever resizing and JPEG did to it; all else is refused."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets.masks import decode_mask

SIZE = (120, 136)


def _disc(radius, shape=SIZE):
    rows, columns = np.indices(shape)
    return (rows - shape[0] / 2) ** 2 + (columns - shape[1] / 2) ** 2 < radius**2


def _labels(*discs, background=0, dtype=np.uint8):
    """Concentric discs of (radius, value), the largest first."""
    values = np.full(SIZE, background, dtype)
    for radius, value in discs:
        values[_disc(radius)] = value
    return values


def _jpeg(values, quality):
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


MASK = _labels((40, 255))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        *[(value, np.uint8) for value in (1, 128, 200, 254, 255)],
        *[(value, np.float32) for value in (1, 255, 1000, 65535)],  # of 16 bits and more
    ],
)
def test_zero_and_one_other_value(value, dtype):
    values = _labels((40, value), dtype=dtype)
    label = decode_mask(values)
    assert label.mask.dtype == bool and label.ignore is None
    np.testing.assert_array_equal(label.mask, _disc(40))
    assert decode_mask(np.full(SIZE, value, dtype)).mask.all()
    assert not decode_mask(np.zeros(SIZE, dtype)).mask.any()


@pytest.mark.parametrize(
    "values",
    [
        _labels((40, 2)),
        _labels((40, 127)),
        _labels((40, 1), (20, 2)),
        _labels((40, 2), background=1),
        _labels((40, 255), background=1),
        _labels((40, 255), background=128),
        _labels((45, 255), (40, 1)),
        _labels((12, 255), (8, 1)),
        _labels((45, 255), (40, 1), (20, 2)),
        _labels((55, 255), (50, 5), (40, 15), (20, 20)),
        _labels((40, 128), (20, 255)),
        _labels((40, 128), (10, 0), background=255),
        _labels((50, 85), (35, 170), (20, 255)),
        _labels((12, 85), (9, 170), (6, 255))[40:80, 40:90],
        _labels((40, 100)),
        np.array([[0, 1, 255]], np.uint8),
        np.array([[0, 128, 255]], np.uint8),
        _labels((40, 1), dtype=np.float32) - _labels((20, 2), dtype=np.float32),
        _labels((40, 1), (9, 65535), dtype=np.float32),
        _labels((50, 100), (40, 200), (30, 300), dtype=np.float32),
        cv2.GaussianBlur(MASK, (0, 0), 14),
        cv2.GaussianBlur(_labels((40, 1), dtype=np.float32), (0, 0), 2),
    ],
)
def test_classes_void_and_probabilities_are_refused(values):
    with pytest.raises(ValueError, match=r"expected a mask with foreground above 127, .*; write 255 .* ignore_value"):
        decode_mask(values)


@pytest.mark.parametrize(
    "change",
    [
        *[lambda x, q=quality: _jpeg(x, q) for quality in (5, 10, 30, 75, 95, 100)],
        lambda x: cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_LINEAR),
        lambda x: cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda x: cv2.resize(x, (77, 91), interpolation=cv2.INTER_CUBIC),
        lambda x: cv2.resize(x, None, fx=3, fy=3, interpolation=cv2.INTER_LANCZOS4),
        lambda x: cv2.resize(_jpeg(x, 75), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST),
        lambda x: _jpeg(cv2.resize(_jpeg(x, 75), None, fx=2, fy=2), 50),
        lambda x: cv2.GaussianBlur(x, (0, 0), 2),
        lambda x: _jpeg(255 - x, 20),
    ],
)
@pytest.mark.parametrize("lossy", [False, True])
def test_soft_and_noisy_edges_are_taken(change, lossy):
    values = change(MASK)
    np.testing.assert_array_equal(decode_mask(values, lossy=lossy).mask, values > 127)


def test_neither_value_has_to_be_the_last_of_its_side():
    np.testing.assert_array_equal(decode_mask(_labels((40, 246), background=3)).mask, _disc(40))


def test_soft_edges_of_16_bits_are_cut_at_half():
    soft = cv2.GaussianBlur(MASK, (0, 0), 1)
    np.testing.assert_array_equal(decode_mask(soft.astype(np.float32) * 257).mask, soft > 127)


@pytest.mark.parametrize("quality", [75, 90, 100])
@pytest.mark.parametrize(
    "labels",
    [
        _labels((40, 1)),
        _labels((40, 2)),
        _labels((12, 2)),
        _labels((40, 3), (20, 1)),
        _labels((40, 100)),
        _labels((45, 255), (40, 1)),
        _labels((40, 128), (20, 255)),
        _labels((40, 128), (15, 0), background=255),
    ],
)
def test_labels_in_jpeg_are_refused(labels, quality):
    with pytest.raises(ValueError, match="expected a mask .* and save it as PNG"):
        decode_mask(_jpeg(labels, quality), lossy=True)


@pytest.mark.parametrize("quality", [5, 50, 70, 75, 95])
@pytest.mark.parametrize("highest", [1, 2, 4, 10, 20])
def test_an_empty_mask_in_jpeg_is_empty_whatever_its_noise(quality, highest):
    noise = np.random.default_rng(0).integers(0, highest, SIZE).astype(np.uint8)
    assert not decode_mask(_jpeg(noise, quality), lossy=True).mask.any()


def test_a_speck_in_an_empty_jpeg_mask_is_noise():
    values = _labels()
    values[30:32, 40] = values[90, 11] = 25
    assert not decode_mask(_jpeg(values, 75), lossy=True).mask.any()


def test_a_mask_of_three_foreground_pixels_in_jpeg():
    values = _labels()
    values[50:53, 61] = 255
    assert 0 < decode_mask(_jpeg(values, 90), lossy=True).mask.sum() < 10


@pytest.mark.parametrize("foreground", [1, 254])
def test_ignored_pixels_are_no_foreground(foreground):
    label = decode_mask(_labels((40, 255), (30, foreground)), ignore_value=255)
    np.testing.assert_array_equal(label.mask, _disc(30))
    np.testing.assert_array_equal(label.ignore, _disc(40) & ~_disc(30))


def test_an_ignored_grey_between_background_and_foreground():
    label = decode_mask(_labels((40, 128), (30, 255)), ignore_value=128)
    np.testing.assert_array_equal(label.mask, _disc(30))
    np.testing.assert_array_equal(label.ignore, _disc(40) & ~_disc(30))


def test_a_mask_of_0_and_the_ignore_value_has_no_foreground():
    label = decode_mask(MASK, ignore_value=255)
    assert not label.mask.any()
    np.testing.assert_array_equal(label.ignore, _disc(40))


def test_a_mask_without_the_ignore_value_ignores_nothing():
    label = decode_mask(_labels((30, 1)), ignore_value=255)
    np.testing.assert_array_equal(label.mask, _disc(30))
    assert label.ignore.shape == SIZE and not label.ignore.any()


@pytest.mark.parametrize("values", [_labels((45, 255), (40, 1), (20, 2)), _labels((40, 255), (20, 7))])
def test_beside_the_ignore_value_there_is_0_and_one_other(values):
    with pytest.raises(ValueError, match=r"expected 0, one other value .* and ignore_value 255, found the values 0, "):
        decode_mask(values, ignore_value=255)


def test_an_ignore_value_is_not_to_be_found_in_jpeg():
    with pytest.raises(ValueError, match="ignore_value 255 is met to the letter, found JPEG"):
        decode_mask(_jpeg(MASK, 90), lossy=True, ignore_value=255)


def test_the_masks_of_kvasir_are_cut_above_127(kvasir_root):
    paths = sorted((kvasir_root / "masks").glob("*.jpg"))[::20]
    for path in paths:
        values = np.array(Image.open(path).convert("L"))
        halved = cv2.resize(values, None, fx=0.5, fy=0.5)
        for made in (values, halved, _jpeg(values, 30)):
            for lossy in (False, True):
                np.testing.assert_array_equal(decode_mask(made, lossy=lossy).mask, made > 127, err_msg=path.name)
