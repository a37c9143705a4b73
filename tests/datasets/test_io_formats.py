"""Images of any kind: what is taken over, what is converted, what is refused, each as a sentence."""

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image

from datasets import io
from datasets.gaze.crf import crf_image
from datasets.transforms import preprocess

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
DEEP = GREY.astype(np.uint16) * 250
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def _save(path, values, **options):
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(path, **options)
    return path


def _edit_dicom(path, **values):
    dicom = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dicom, name, value)
    dicom.save_as(path)
    return path


def _colour_dicom(path, write_dicom, values, kind):
    write_dicom(path, np.zeros(values.shape[:2], np.uint16))
    return _edit_dicom(
        path,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation=kind,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelData=values.astype(np.uint8).tobytes(),
    )


class TestEightBits:
    @pytest.mark.parametrize("ending", [".png", ".tif", ".TIFF", ".bmp", ".PNG"])
    def test_colour_as_it_is(self, tmp_path, ending):
        path = _save(tmp_path / f"a{ending}", COLOUR)
        for channels in (3, None):
            np.testing.assert_array_equal(io.read_image(path, channels, needs_8_bit=True), COLOUR)
        assert io.read_image(path).dtype == np.uint8

    @pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
    def test_grey_is_repeated_or_stays_one_channel(self, tmp_path, ending):
        path = _save(tmp_path / f"a{ending}", GREY)
        np.testing.assert_array_equal(io.read_image(path, 3), np.repeat(GREY[..., None], 3, axis=-1))
        np.testing.assert_array_equal(io.read_image(path, 1), GREY[..., None])

    def test_colour_for_one_channel_becomes_its_luminance(self, tmp_path):
        picture = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]]], np.uint8)
        read = io.read_image(_save(tmp_path / "a.png", picture), 1)
        assert read.ravel().tolist() == [76, 150, 29, 90]

    def test_bilevel_and_palette(self, tmp_path):
        bilevel = _save(tmp_path / "b.png", np.array([[True, False]]))
        assert io.read_image(bilevel, 1).ravel().tolist() == [255, 0]
        palette = Image.fromarray(np.array([[1, 0]], np.uint8)).convert("P")
        palette.putpalette([10, 20, 30, 200, 100, 50])
        assert io.read_image(_save(tmp_path / "p.png", palette), 3).tolist() == [[[200, 100, 50], [10, 20, 30]]]

    def test_unsigned_numbers_of_32_bits_are_refused(self, tmp_path):
        Image.fromarray(np.full((2, 3), 7, np.int32)).save(tmp_path / "a.tif")
        assert io.read_image(tmp_path / "a.tif", 1).max() == 7
        # The entry SampleFormat, a short, from signed to unsigned.
        entry = b"\x53\x01\x03\x00\x01\x00\x00\x00"
        content = (tmp_path / "a.tif").read_bytes().replace(entry + b"\x02", entry + b"\x01")
        (tmp_path / "a.tif").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.tif: expected a TIFF of uint8, .* found other numbers"):
            io.read_image(tmp_path / "a.tif", 1)

    @pytest.mark.parametrize(("mode", "name"), [("CMYK", "a.jpg"), ("CMYK", "a.tif"), ("YCbCr", "a.jpg")])
    def test_print_and_video_colours_become_rgb(self, tmp_path, mode, name):
        path = _save(tmp_path / name, Image.new("RGB", (16, 16), (200, 100, 50)).convert(mode))
        np.testing.assert_allclose(io.read_image(path, 3)[5, 5], (200, 100, 50), atol=4)

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_full_alpha_is_dropped_and_real_transparency_refused(self, tmp_path, mode):
        opaque = Image.fromarray(COLOUR).convert(mode)
        expected = COLOUR if mode == "RGBA" else np.asarray(Image.fromarray(COLOUR).convert("L"))[..., None]
        path = _save(tmp_path / "opaque.png", opaque)
        np.testing.assert_array_equal(io.read_image(path, 3 if mode == "RGBA" else 1), expected)
        opaque.putalpha(254)
        with pytest.raises(ValueError, match=r"veil\.png: expected an opaque image, found transparency"):
            io.read_image(_save(tmp_path / "veil.png", opaque), 3)

    def test_transparent_palette_entry_in_use_or_not(self, tmp_path):
        palette = Image.fromarray(np.array([[1, 0]], np.uint8)).convert("P")
        palette.putpalette([10, 20, 30, 200, 100, 50, 0, 0, 0])
        assert io.read_image(_save(tmp_path / "a.png", palette, transparency=2), 3)[0, 0].tolist() == [200, 100, 50]
        with pytest.raises(ValueError, match="transparency"):
            io.read_image(_save(tmp_path / "b.png", palette, transparency=0), 3)

    def test_the_orientation_in_an_exif_entry_is_ignored(self, tmp_path):
        exif = Image.Exif()
        exif[274] = 6
        path = _save(tmp_path / "a.png", GREY, exif=exif)
        with Image.open(path) as image:
            assert image.getexif()[274] == 6
        np.testing.assert_array_equal(io.read_image(path, 1)[..., 0], GREY)
        np.testing.assert_array_equal(io.read_gray(path), GREY)
        assert io.check_image(path) == (3, 4)

    @pytest.mark.parametrize("values", [GREY, DEEP])
    def test_a_tiff_that_would_be_turned_is_refused(self, tmp_path, values):
        image = Image.fromarray(values)
        for orientation in (1, 3, 6):
            exif = Image.Exif()
            exif[274] = orientation
            path = _save(tmp_path / f"{orientation}.tif", image, exif=exif)
            if orientation == 1:
                np.testing.assert_array_equal(io.read_image(path, 1)[..., 0], values)
                continue
            for refused in (io.read_image, io.read_gray, io.check_image):
                with pytest.raises(ValueError, match="expected pixels stored upright, found a TIFF"):
                    refused(path)

    @pytest.mark.parametrize("planar", ["separate", "contig"])
    def test_colours_of_16_bits_however_they_lie(self, tmp_path, planar):
        values = np.full((3, 8, 8) if planar == "separate" else (8, 8, 3), 40000, np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", planarconfig=planar)
        for refused in (io.read_image, io.check_image):
            with pytest.raises(ValueError, match="expected 8 bits a colour, found 16"):
                refused(tmp_path / "a.tif")

    @pytest.mark.parametrize(("channels", "photometric"), [(2, "minisblack"), (4, "rgb"), (5, "rgb")])
    @pytest.mark.parametrize("first", ["unspecified", "unassalpha"])
    def test_channels_beyond_grey_and_colour_are_not_left_out(self, tmp_path, channels, photometric, first):
        number = channels - (1 if photometric == "minisblack" else 3)
        extra = [first, *["unspecified"] * (number - 1)]
        values = np.full((8, 8, channels), 255, np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric, planarconfig="contig", extrasamples=extra)
        if "unspecified" not in extra:
            assert io.read_image(tmp_path / "a.tif", 3).min() == 255
            return
        for refused in (io.read_image, io.check_image, io.read_label):
            with pytest.raises(ValueError, match=r"a\.tif: expected grey, or red, .* found further channels"):
                refused(tmp_path / "a.tif")

    @pytest.mark.parametrize("layout", ["minisblack", "minisblack_separate", "float_rgb"])
    def test_a_tiff_of_other_channels_is_not_said_to_have_other_numbers_alone(self, tmp_path, layout):
        kind = np.float32 if layout == "float_rgb" else np.uint8
        shape = (3, 8, 8) if layout == "minisblack_separate" else (8, 8, 4 if layout == "minisblack" else 3)
        order = "separate" if layout == "minisblack_separate" else "contig"
        options = {"photometric": "rgb" if layout == "float_rgb" else "minisblack", "planarconfig": order}
        tifffile.imwrite(tmp_path / "a.tif", np.ones(shape, kind), **options)
        with pytest.raises(ValueError, match=r"a\.tif: expected a TIFF of .*, found other numbers or channels; "):
            io.read_image(tmp_path / "a.tif")

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
    def test_masks_whose_0_is_white_are_refused(self, tmp_path, dtype):
        values = np.array([[0, 255], [0, 0]], dtype)
        # Of bool it is what tifffile writes unless told otherwise, though True is meant to be the foreground.
        tifffile.imwrite(tmp_path / "a.tif", values, **{} if dtype is bool else {"photometric": "miniswhite"})
        with pytest.raises(ValueError, match="expected a mask whose 0 is black, found one whose 0 is white"):
            io.read_label(tmp_path / "a.tif")

    @pytest.mark.parametrize("white_at_0", [True, False])
    def test_a_fax_is_read_as_it_shows(self, tmp_path, white_at_0):
        shown = np.zeros((8, 8), bool)
        shown[2:5, 3:6] = True
        fax = {"compression": "group4", "tiffinfo": {262: 0} if white_at_0 else {}}
        path = _save(tmp_path / "a.tif", Image.fromarray(shown), **fax)
        with Image.open(path) as image:
            assert image.tag_v2[262] == (0 if white_at_0 else 1)
            expected = np.array(image)
        np.testing.assert_array_equal(io.read_label(path).mask, expected)

    @pytest.mark.parametrize(
        ("palette", "values"),
        [([], (0, 1)), ([0] * 3 + [255] * 60, (0, 1, 255)), ([0] * 6 + [255] * 3, (0, 1, 2))],
        ids=["never_written", "too_short", "two_alike"],
    )
    def test_values_that_a_palette_shows_alike_are_not_lost(self, tmp_path, palette, values):
        picture = Image.frombytes("P", (len(values), 1), bytes(values))
        picture.putpalette(palette)
        for refused in (io.read_label, io.read_map):
            with pytest.raises(ValueError, match=r"a\.png: expected a palette with a colour a value, found .* alike"):
                refused(_save(tmp_path / "a.png", picture))

    def test_a_palette_that_tells_values_apart_may_be_longer_than_they_need(self, tmp_path):
        picture = Image.frombytes("P", (3, 1), bytes([0, 7, 0]))
        picture.putpalette([0, 0, 0] * 7 + [255, 255, 255] * 3)
        assert io.read_label(_save(tmp_path / "a.png", picture)).mask.tolist() == [[False, True, False]]

    @pytest.mark.parametrize("colour", [(1, 0, 0), (0, 0, 4), (2, 0, 0)])
    def test_labels_in_one_channel_are_colours(self, tmp_path, colour):
        mask = np.zeros((8, 8, 3), np.uint8)
        mask[:4], mask[4:6, :4] = colour, (1, 0, 0)
        with pytest.raises(ValueError, match="expected a grey mask, found colours"):
            io.read_label(_save(tmp_path / "a.png", mask))
        grey = np.repeat(mask.max(axis=-1, keepdims=True) > 0, 3, axis=-1).astype(np.uint8)
        assert io.read_label(_save(tmp_path / "b.png", grey)).mask.sum() == 40


class TestDeep:
    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("a.png", DEEP),
            ("a.tif", DEEP),
            ("b.tif", DEEP.astype(np.int32) * 10 - 70000),
            ("c.tif", DEEP.astype(np.float32) / 7 - 100),
            ("d.tif", DEEP.astype(">u2")),
        ],
        ids=["png16", "tiff16", "tiff32", "float", "big_endian"],
    )
    def test_keep_their_full_range_and_are_refused_for_imagenet(self, tmp_path, name, values):
        path = _save(tmp_path / name, values)
        for channels in (1, None):
            read = io.read_image(path, channels)
            assert (read.dtype, read.shape) == (np.float32, (3, 4, 1))
            np.testing.assert_array_equal(read[..., 0], values.astype(np.float32))
        np.testing.assert_array_equal(io.read_image(path, 3), np.repeat(io.read_image(path, 1), 3, axis=-1))
        sentence = rf"{name}: expected an 8-bit image .* imagenet, found .*; set normalisation = .* before training"
        for refused in (io.read_image, io.check_image):
            with pytest.raises(ValueError, match=sentence):
                refused(path, needs_8_bit=True)
        assert io.check_image(path) == (3, 4)

    def test_white_at_zero_is_inverted(self, tmp_path):
        path = _save(tmp_path / "a.tif", DEEP)
        data = path.read_bytes()
        entry = bytes([6, 1, 3, 0, 1, 0, 0, 0, 1, 0])  # PhotometricInterpretation, SHORT, one value: 1
        assert data.count(entry) == 1
        path.write_bytes(data.replace(entry, entry[:-2] + bytes(2)))
        read = io.read_image(path, 1)[..., 0]
        np.testing.assert_array_equal(read, DEEP.max() - DEEP.astype(np.float32))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_are_refused(self, tmp_path, value):
        values = GREY.astype(np.float32)
        values[1, 1] = value
        with pytest.raises(ValueError, match=r"a\.tif: expected finite values"):
            io.read_image(_save(tmp_path / "a.tif", values), 1)

    @pytest.mark.parametrize("ending", [".png", ".tif"])
    def test_colour_of_16_bits_is_refused(self, tmp_path, ending):
        import cv2

        path = tmp_path / f"a{ending}"
        cv2.imwrite(str(path), np.stack([DEEP] * 3, axis=-1))
        for refused in (io.read_image, io.check_image):
            with pytest.raises(ValueError, match=rf"a{ending}: expected 8 bits a colour, found 16"):
                refused(path)


class TestRefused:
    @pytest.mark.parametrize("name", ["pages.tif", "moving.png"])
    def test_pages_and_animations(self, tmp_path, name):
        pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
        path = _save(tmp_path / name, pages[0], save_all=True, append_images=pages[1:])
        for refused in (io.read_image, io.check_image):
            with pytest.raises(ValueError, match=rf"{name}: expected a single image, found 2 pages or frames"):
                refused(path)

    def test_a_camera_s_jpeg_with_a_preview_is_taken(self, tmp_path):
        preview = Image.fromarray(COLOUR[::2, ::2])
        path = _save(tmp_path / "a.jpg", COLOUR, format="MPO", save_all=True, append_images=[preview])
        assert io.read_image(path, 3).shape == (3, 4, 3)

    @pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".bmp"])
    def test_cut_short(self, tmp_path, ending):
        values = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
        path = _save(tmp_path / f"cut{ending}", values)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ValueError, match=rf"cut{ending}: expected an image, found an unreadable file") as caught:
            io.read_image(path, 3)
        assert "\n" not in str(caught.value)


class TestDicom:
    @pytest.mark.parametrize("name", ["a.dcm", "a.DCM", "a.dicom"])
    def test_deep_grey(self, tmp_path, write_dicom, name):
        write_dicom(tmp_path / name, DEEP % 4096)
        for channels in (1, 3):
            read = io.read_image(tmp_path / name, channels)
            assert (read.dtype, read.shape) == (np.float32, (3, 4, channels))
            np.testing.assert_array_equal(read[..., -1], DEEP % 4096)
        for refused in (io.read_image, io.check_image):
            with pytest.raises(ValueError, match=r"expected an 8-bit image .* found 16-bit grey values"):
                refused(tmp_path / name, needs_8_bit=True)

    @pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
    def test_grey_of_8_bits_counts_as_such(self, tmp_path, write_dicom, kind):
        path = tmp_path / "a.dcm"
        write_dicom(path, GREY.astype(np.uint16))
        settings = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": GREY.tobytes()}
        _edit_dicom(path, PhotometricInterpretation=kind, **settings)
        read = io.read_image(path, 3, needs_8_bit=True)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read[..., 0], GREY if kind == "MONOCHROME2" else 255 - GREY)

    def test_white_at_zero_is_inverted(self, tmp_path, write_dicom):
        write_dicom(tmp_path / "a.dcm", DEEP % 4096)
        plain = io.read_image(tmp_path / "a.dcm", 1)
        inverted = io.read_image(_edit_dicom(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1"), 1)
        np.testing.assert_array_equal(inverted, plain.max() - plain)

    def test_rescaling_does_not_matter_under_a_zscore(self, tmp_path, write_dicom):
        write_dicom(tmp_path / "a.dcm", DEEP % 4096)
        stored = io.read_image(tmp_path / "a.dcm", 1)
        read = io.read_image(_edit_dicom(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-1024), 1)
        np.testing.assert_array_equal(read, stored)
        np.testing.assert_allclose(preprocess(stored * 2 - 1024, "zscore", 4), preprocess(read, "zscore", 4), atol=1e-6)

    def test_a_negative_slope_inverts(self, tmp_path, write_dicom):
        write_dicom(tmp_path / "a.dcm", DEEP % 4096)
        stored = io.read_image(tmp_path / "a.dcm", 1)
        read = io.read_image(_edit_dicom(tmp_path / "a.dcm", RescaleSlope=-1, RescaleIntercept=4095), 1)
        np.testing.assert_array_equal(read, stored.max() - stored)
        both = io.read_image(_edit_dicom(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1"), 1)
        np.testing.assert_array_equal(both, stored)

    def test_colour_of_8_bits(self, tmp_path, write_dicom):
        path = _colour_dicom(tmp_path / "a.dcm", write_dicom, COLOUR, "RGB")
        np.testing.assert_array_equal(io.read_image(path, 3, needs_8_bit=True), COLOUR)
        assert io.check_image(path, needs_8_bit=True) == (3, 4)
        assert io.read_image(path, 1).shape == (3, 4, 1)

    def test_video_colour_becomes_rgb(self, tmp_path, write_dicom):
        stored = np.asarray(Image.new("RGB", (4, 3), (200, 100, 50)).convert("YCbCr"))
        path = _colour_dicom(tmp_path / "a.dcm", write_dicom, stored, "YBR_FULL")
        np.testing.assert_allclose(io.read_image(path, 3)[1, 1].astype(int), (200, 100, 50), atol=2)

    def test_colour_tables_are_refused(self, tmp_path, write_dicom):
        write_dicom(tmp_path / "a.dcm", GREY.astype(np.uint16))
        path = _edit_dicom(tmp_path / "a.dcm", PhotometricInterpretation="PALETTE COLOR")
        for refused in (io.read_image, io.check_image):
            with pytest.raises(ValueError, match="expected grey, or colour of 8 bits, found PALETTE COLOR of 16 bits"):
                refused(path)

    def test_frames_are_refused_before_any_pixel_is_read(self, tmp_path, write_dicom):
        write_dicom(tmp_path / "a.dcm", np.zeros((2, 5, 7), np.uint16))
        with pytest.raises(ValueError, match="expected a single image, found 2 frames"):
            io.check_image(tmp_path / "a.dcm")


class TestDownTheLine:
    """No kind of image becomes anything but finite numbers, nor does the CRF get anything but RGB."""

    @pytest.mark.parametrize("size", [(1, 1), (5, 7)])
    @pytest.mark.parametrize(
        ("name", "dtype", "channels", "normalisation"),
        [
            ("a.png", np.uint8, 3, "imagenet"),
            ("a.png", np.uint8, 1, "zscore"),
            ("a.png", np.uint16, 1, "zscore"),
            ("a.tif", np.float32, 3, "zscore"),
        ],
    )
    def test_one_pixel_and_constant_images(self, tmp_path, size, name, dtype, channels, normalisation):
        path = _save(tmp_path / name, np.full(size, 200, dtype))
        image = io.read_image(path, channels)
        x = preprocess(image, normalisation, 16)
        assert x.shape == (channels, 16, 16)
        assert bool(x.isfinite().all())
        assert normalisation == "imagenet" or bool((x == 0).all())
        for seen in (crf_image(image), crf_image(io.read_image(path))):
            assert (seen.dtype, seen.shape) == (np.uint8, (*size, 3))

    def test_the_crf_sees_deep_grey_stretched_over_all_grey_values(self, tmp_path):
        path = _save(tmp_path / "a.tif", np.array([[-0.5, 0.0, 0.5]], np.float32))
        for channels in (1, 3, None):
            assert crf_image(io.read_image(path, channels)).tolist() == [[[0] * 3, [127] * 3, [255] * 3]]


@pytest.mark.parametrize(
    ("values", "foreground"),
    [
        (np.array([[0, 1]], np.uint16), [[False, True]]),
        (np.array([[0, 128]], np.uint16), [[False, True]]),
        (np.array([[0, 65535]], np.uint16), [[False, True]]),
        (np.array([[0, 1]], np.float32), [[False, True]]),
        (np.array([[True, False]]), [[True, False]]),
    ],
    ids=["deep_0_1", "deep_0_128", "deep", "float_0_1", "bilevel"],
)
def test_masks_of_other_depths(tmp_path, values, foreground):
    assert io.read_mask(_save(tmp_path / "mask.tif", values)).tolist() == foreground


def _palette(values, *colours):
    image = Image.fromarray(np.array(values, np.uint8))
    image.putpalette([channel for colour in colours for channel in colour])
    return image


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.array([[0, 2]], np.uint8), "of 0 and 1 alone, found other values up to 2, which would all be background"),
        (np.array([[0, 1, 2]], np.uint8), "found other values up to 2"),
        (np.array([[0, 100]], np.uint16), "found other values up to 100"),
        (np.array([[0, 0.9]], np.float32), "found other values up to 0.9"),
        (np.array([[0, np.nan]], np.float32), "expected finite values"),
        (np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8), "expected a grey mask, found colours"),
        (_palette([[0, 1]], (0, 0, 0), (0, 128, 0)), "expected a grey mask, found colours"),
        (np.array([[[255, 255, 255, 0], [255, 255, 255, 255]]], np.uint8), "expected an opaque image"),
    ],
    ids=["0_2", "classes", "deep", "probability", "nan", "red", "palette_of_colours", "alpha"],
)
def test_a_mask_that_would_be_read_as_something_else_is_refused(tmp_path, mask, message):
    with pytest.raises(ValueError, match=rf"mask\.tif: .*{message}"):
        io.read_mask(_save(tmp_path / "mask.tif", mask))


@pytest.mark.parametrize(
    "mask",
    [
        np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8),
        np.array([[[9, 0, 4], [255, 240, 250]]], np.uint8),
        _palette([[0, 1]], (0, 0, 0), (255, 255, 255)),
        np.array([[0, 128]], np.uint8),
    ],
    ids=["grey_in_colour", "jpeg_noise_in_colour", "palette_of_greys", "0_128"],
)
def test_masks_in_other_clothes(tmp_path, mask):
    assert io.read_mask(_save(tmp_path / "mask.tif", mask)).tolist() == [[False, True]]


def test_a_deep_mask_whose_0_is_white_is_refused(tmp_path):
    mask = _save(tmp_path / "mask.tif", np.array([[0, 65535]], np.uint16), tiffinfo={262: 0})
    with pytest.raises(ValueError, match=r"mask\.tif: expected a mask whose 0 is black"):
        io.read_mask(mask)


def test_a_mask_of_several_pages_is_refused_by_its_header_too(tmp_path):
    page = Image.fromarray(GREY)
    path = _save(tmp_path / "mask.tif", page, save_all=True, append_images=[page])
    for read in (io.read_mask, io.check_image):
        with pytest.raises(ValueError, match=r"mask\.tif: expected a single image, found 2 pages"):
            read(path)


def test_where_a_tiff_keeps_its_table_says_nothing_of_its_depth(tmp_path):
    """Pillow names the offset of a compressed file's table beside its layout; "16" may be among its digits."""
    rng = np.random.default_rng(0)
    for width in range(40, 80):
        values = rng.integers(0, 256, (30, width, 3), np.uint8)
        path = _save(tmp_path / "a.tif", values, compression="tiff_lzw")
        np.testing.assert_array_equal(io.read_image(path, 3), values)
