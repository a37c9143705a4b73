"""Pixel spacing and place of a slice, from headers whole, poor and wrong."""

import numpy as np
import pydicom
import pytest

from datasets.spacing import dicom_geometry


def _spacing(path):
    return dicom_geometry(path)["pixel_spacing_mm"]


@pytest.fixture
def slice_(tmp_path, write_dicom):
    """A function that writes a slice of 3 rows and 5 columns with some attributes, and returns its path."""

    def write(**attributes):
        path = tmp_path / "slice.dcm"
        write_dicom(path, np.zeros((3, 5), np.uint16))
        dicom = pydicom.dcmread(path)
        for name, value in attributes.items():
            setattr(dicom, name, value)
        dicom.save_as(path)
        return path

    return write


def _replace_bytes(path, old: bytes, value: bytes) -> None:
    """Put a value into the file that pydicom would refuse to write."""
    content = path.read_bytes()
    assert content.count(old) == 1 and len(old) == len(value)
    path.write_bytes(content.replace(old, value))


def test_rows_come_first(slice_):
    assert _spacing(slice_(PixelSpacing=[0.5, 0.25])) == [0.5, 0.25]
    assert _spacing(str(slice_(PixelSpacing=[0.25, 2]))) == [0.25, 2.0]


def test_the_detectors_spacing_counts_where_there_is_no_other(slice_):
    path = slice_(ImagerPixelSpacing=[0.1, 0.2])
    assert _spacing(path) == [0.1, 0.2]
    assert dicom_geometry(path)["pixel_spacing_source"] == "ImagerPixelSpacing"
    path = slice_(ImagerPixelSpacing=[0.1, 0.2], PixelSpacing=[0.3, 0.4])
    assert _spacing(path) == [0.3, 0.4]
    assert dicom_geometry(path)["pixel_spacing_source"] == "PixelSpacing"


@pytest.mark.parametrize("attributes", [{}, {"PixelSpacing": None}, {"PixelSpacing": ""}])
def test_none_where_the_header_says_nothing(slice_, attributes):
    assert _spacing(slice_(**attributes)) is None
    assert dicom_geometry(slice_(**attributes))["problem"] is None


@pytest.mark.parametrize("value", [[0.5], [0.5, 0.5, 0.5], [0, 0.5], [-1, 1], 0.5])
def test_other_than_two_numbers_above_0_is_an_error(slice_, value):
    path = slice_(PixelSpacing=value)
    assert "slice.dcm: expected PixelSpacing of 2 finite numbers above 0, found" in dicom_geometry(path)["problem"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("wrong", [b"nan\\1.25", b"1.25\\inf", b"many\\few"])
def test_values_that_are_no_numbers_are_an_error(slice_, wrong):
    path = slice_(PixelSpacing=[0.75, 1.25])
    _replace_bytes(path, b"0.75\\1.25 ", wrong.ljust(10))
    geometry = dicom_geometry(path)
    assert (geometry["pixel_spacing_mm"], geometry["pixel_spacing_source"]) == (None, None)
    assert "expected PixelSpacing of 2 finite numbers above 0, found" in geometry["problem"]


def test_unreadable_and_absent_files(tmp_path):
    (tmp_path / "text.dcm").write_text("no image")
    with pytest.raises(ValueError, match=r"text\.dcm: expected a DICOM image, found an unreadable file"):
        _spacing(tmp_path / "text.dcm")
    with pytest.raises(FileNotFoundError):
        _spacing(tmp_path / "absent.dcm")


def test_all_that_lays_a_mask_over_its_slice(slice_):
    path = slice_(
        PixelSpacing=[0.5, 0.25],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        ImagePositionPatient=[-10, 2.5, 30],
        SeriesInstanceUID="1.2.3",
    )
    geometry = dicom_geometry(path)
    assert geometry.pop("SOPInstanceUID") == str(pydicom.dcmread(path).SOPInstanceUID)
    assert geometry == {
        "rows": 3,
        "columns": 5,
        "pixel_spacing_mm": [0.5, 0.25],
        "pixel_spacing_source": "PixelSpacing",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-10, 2.5, 30],
        "SeriesInstanceUID": "1.2.3",
        "StudyInstanceUID": None,
        "FrameOfReferenceUID": None,
        "problem": None,
    }


def test_a_place_of_too_few_numbers_is_none_and_said(slice_):
    geometry = dicom_geometry(slice_(ImagePositionPatient=[1, 2], PixelSpacing=[1, 1]))
    assert (geometry["ImagePositionPatient"], geometry["pixel_spacing_mm"]) == (None, [1, 1])
    assert "expected ImagePositionPatient of 3 finite numbers, found [1.0, 2.0]" in geometry["problem"]
