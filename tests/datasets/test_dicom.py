"""DICOM: padding is no part of the picture, nothing is unpacked beyond bounds, and frames are counted."""

import io
import os
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from datasets import dicom
from datasets.gaze.crf import crf_image
from datasets.io import check_image, read_image
from datasets.transforms import preprocess, zscore

PICTURE = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int16) * 100 - 300
SIGNED = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}


@pytest.fixture
def made(tmp_path, write_dicom):
    """A function that writes a file with these pixels and header values (None: without it)."""

    def make(values, compressed=None, syntax=None, **header):
        path = tmp_path / "a.dcm"
        write_dicom(path, values.astype(np.uint16))
        slice_ = pydicom.dcmread(path)
        bits = 8 * values.dtype.itemsize
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = bits, bits, bits - 1
        slice_.PixelData = values.tobytes() if compressed is None else encapsulate(compressed)
        slice_["PixelData"].VR = "OB" if bits == 8 else "OW"
        if syntax:
            slice_.file_meta.TransferSyntaxUID = syntax
        for tag, value in header.items():
            if tag.startswith("PixelPadding"):
                slice_.add_new(tag, "SS" if np.min(value or 0) < 0 else "US", value)
            else:
                setattr(slice_, tag, value)
        pydicom.dcmwrite(path, slice_)
        return path

    return make


def _jpeg(values):
    encoded = io.BytesIO()
    Image.fromarray(values).save(encoded, "JPEG")
    return encoded.getvalue()


def _padded(value):
    return np.concatenate([np.full((1, 4), value, np.int16), PICTURE])


@pytest.mark.parametrize(
    ("stored", "header"),
    [
        (-2000, {"PixelPaddingValue": -2000}),
        # As if the pixels had no sign.
        (-2000, {"PixelPaddingValue": 63536}),
        (-1500, {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1000}),
        (-1500, {"PixelPaddingValue": -1000, "PixelPaddingRangeLimit": -2000}),
        # Beyond the stored bits, to which pydicom cuts it: to 0, in the midst of the picture.
        (-32768, {"PixelPaddingValue": -32768, "BitsStored": 12, "HighBit": 11}),
    ],
    ids=["value", "without_sign", "range", "range_turned", "beyond_stored_bits"],
)
@pytest.mark.parametrize("kind", ["MONOCHROME2", "MONOCHROME1"])
def test_padding_has_no_part_in_the_values_and_is_black(made, stored, header, kind):
    without = read_image(made(PICTURE, **SIGNED, PhotometricInterpretation=kind), 1)
    read = read_image(made(_padded(stored), **{**SIGNED, **header}, PhotometricInterpretation=kind), 1)
    np.testing.assert_array_equal(read[1:], without)
    normalised = zscore(read)[0]
    assert bool((normalised[1:] == zscore(without)[0]).all())
    assert bool((normalised[0] == normalised[1:].min()).all())
    grey = crf_image(read)
    np.testing.assert_array_equal(grey[1:], crf_image(without))
    assert type(grey) is np.ndarray and not grey[0].any()
    for channels in (1, 3):
        assert bool(preprocess(read_image(made(_padded(-9), **SIGNED), channels), "zscore", 8).isfinite().all())


def test_padding_of_floating_point_pixels_may_be_no_number(made):
    path = made(np.zeros((3, 4), np.uint32))
    slice_ = pydicom.dcmread(path)
    del slice_.PixelData, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation
    slice_.FloatPixelData = np.concatenate([np.full((1, 4), np.nan), PICTURE]).astype(np.float32).tobytes()
    slice_.FloatPixelPaddingValue = np.nan
    slice_.save_as(path)
    np.testing.assert_array_equal(read_image(path, 1)[1:, :, 0], PICTURE)


@pytest.mark.parametrize(
    ("values", "header"),
    [
        (_padded(-2000), {"PixelPaddingRangeLimit": -2000}),
        (_padded(-2000), {"PixelPaddingValue": 5}),
        (_padded(-2000), {"PixelPaddingValue": None}),
        (np.full((2, 3), -2000, np.int16), {"PixelPaddingValue": -2000}),
    ],
    ids=["limit_alone", "another_value", "empty", "nothing_else"],
)
def test_without_padding_all_is_picture(made, values, header):
    read = read_image(made(values, **SIGNED, **header), 1)
    assert type(read) is np.ndarray
    np.testing.assert_array_equal(read[..., 0], values)


@pytest.mark.parametrize(("outside", "found"), [([-2003, -2000, -1998, -2000], "refused"), ([-2000] * 4, "told")])
def test_padding_that_lossy_compression_has_changed_is_no_picture(made, outside, found):
    values = np.concatenate([np.array([outside], np.int16), PICTURE])
    path = made(values, **SIGNED, PixelPaddingValue=-2000, LossyImageCompression="01")
    if found == "told":
        assert read_image(path, 1).mask[..., 0].tolist() == [[True] * 4, [False] * 4, [False] * 4]
        return
    with pytest.raises(ValueError, match=r"a\.dcm: expected PixelPaddingValue -2000 outside .* after lossy"):
        read_image(path)
    assert not np.ma.is_masked(read_image(made(values, **SIGNED, LossyImageCompression="01")))


def test_the_made_cases_have_the_same_values_and_grey_levels():
    folder = Path(os.environ.get("GAZEMEDSEG_SHARED") or Path(__file__).parents[3] / "shared") / "data" / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}; set GAZEMEDSEG_SHARED")
    padded, without = (read_image(folder / name, 1) for name in ("padding.dcm", "padding_without.dcm"))
    inside = slice(12, 148)
    assert bool((zscore(padded)[:, inside] == zscore(without[inside])).all())
    np.testing.assert_array_equal(crf_image(padded)[inside], crf_image(without)[inside])
    assert len(np.unique(crf_image(padded)[inside])) == 145


GREY = np.arange(24, dtype=np.uint8).reshape(4, 6)


@pytest.mark.parametrize(
    ("values", "header", "message"),
    [
        (np.zeros((3, 4, 5), np.uint16), {"NumberOfFrames": None}, r"the header says, \(4, 5\), found \(3, 4, 5\)"),
        (GREY, {"Rows": 65535, "Columns": 65535}, "1 to 178,956,970 pixels, found 65535 rows of 65535"),
        (GREY, {"Rows": 0}, "found 0 rows of 6"),
        (GREY, {"Rows": None}, "expected a whole number as Rows, found none"),
        (GREY, {"BitsStored": 6, "HighBit": 7}, "expected HighBit 5, one below BitsStored, found 7"),
        (GREY, {"SamplesPerPixel": 3}, "expected grey, or colour of 8 bits, found MONOCHROME2"),
        (GREY, {"PixelPaddingValue": [1, 2]}, "expected PixelPaddingValue to be a number"),
        (GREY, {"Rows": 3}, r"6x3 \(width x height\), found 6 bytes more"),
        (GREY, {"Columns": 5}, r"5x4 \(width x height\), found 4 bytes more"),
    ],
    ids=["frames_unsaid", "claims", "no_rows", "rows_empty", "high_bit", "samples", "padding_of_two", "row", "column"],
)
def test_a_header_that_does_not_fit_is_refused(made, values, header, message):
    with pytest.raises(ValueError, match=rf"a\.dcm: .*{message}"):
        read_image(made(values, **header))


@pytest.mark.parametrize("values", [GREY[:3, :5], GREY[:1, :1]])
def test_bytes_that_only_fill_up_are_no_pixels(made, values):
    slice_ = pydicom.dcmread(path := made(values))
    slice_.PixelData += b"\0" * (len(slice_.PixelData) % 2)
    slice_.save_as(path)
    np.testing.assert_array_equal(read_image(path, 1)[..., 0], values)


@pytest.mark.parametrize("kind", ["header_cut_off", "picture", "empty"])
def test_without_the_mark_of_dicom_is_said_what_to_do(made, kind):
    path = made(GREY)
    path.write_bytes({"header_cut_off": path.read_bytes()[132:], "picture": _jpeg(GREY), "empty": b""}[kind])
    for read in (read_image, check_image):
        with pytest.raises(
            ValueError, match=r"a\.dcm: .* \(no DICM behind 128 bytes: dcmconv writes it, and pictures "
        ):
            read(path)


def test_a_file_of_empty_elements_is_refused_in_bounded_time(made, monkeypatch):
    monkeypatch.setattr(dicom, "MAX_SECONDS", 0.05)
    path = made(GREY)
    with open(path, "ab") as file:
        file.truncate(2**25)
    with pytest.raises(ValueError, match=r"a\.dcm: .* it takes longer than 0\.05 s"):
        read_image(path)


@pytest.mark.parametrize("ways", [[0], [0, 0]], ids=["one", "two"])
@pytest.mark.parametrize("parts", [1, 2])
def test_compressed_frames_are_counted(made, ways, parts):
    path = made(GREY, [_jpeg(GREY) for _ in ways], JPEGBaseline8Bit)
    if parts == 2:
        slice_ = pydicom.dcmread(path)
        slice_.PixelData = encapsulate([_jpeg(GREY) for _ in ways], fragments_per_frame=2, has_bot=False)
        slice_.save_as(path)
    if len(ways) == 1:
        np.testing.assert_allclose(read_image(path, 1)[..., 0].astype(int), GREY, atol=3)
    else:
        with pytest.raises(ValueError, match="expected a single image, found 2 frames"):
            read_image(path, 1)


@pytest.mark.parametrize("frame", [GREY.T, GREY[:2]], ids=["lying", "smaller"])
def test_compressed_pixels_of_another_size_are_refused(made, frame):
    path = made(GREY, [_jpeg(np.ascontiguousarray(frame))], JPEGBaseline8Bit)
    with pytest.raises(ValueError, match=r"expected compressed pixels of the size in the header, 6x4"):
        read_image(path)


def test_nothing_inside_a_dicom_file_starts_another_program(made, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda *args, **_: started.append(args))
    frame = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EndComments\n"
    with pytest.raises(ValueError, match="found an unreadable file"):
        read_image(made(GREY, [frame], JPEGBaseline8Bit))
    assert not started


def test_what_unpacks_to_more_than_an_image_is_refused_before_it_is_unpacked(made, monkeypatch):
    packed = made(GREY, syntax=DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal(read_image(packed, 1)[..., 0], GREY)
    with open(packed, "rb") as file:
        read_preamble(file, False)
        _read_file_meta_info(file)
        start = file.tell()
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = squeezed.compress(bytes(3 << 20)) + squeezed.flush()
    packed.write_bytes(packed.read_bytes()[:start] + content)
    monkeypatch.setattr(dicom, "MAX_BYTES", 2 << 20)
    monkeypatch.setattr(dicom.pydicom, "dcmread", lambda *_, **__: pytest.fail("was unpacked"))
    for read in (read_image, check_image, dicom.read_header):
        with pytest.raises(ValueError, match=r"a\.dcm: expected a single image of up to .* found a larger file"):
            read(packed)


def test_run_lengths_are_not_decoded_into_claimed_gigabytes(made):
    path = made(GREY, [bytes(64)], RLELossless, Rows=40000, Columns=40000)
    with pytest.raises(ValueError, match="found 40000 rows of 40000"):
        read_image(path)
