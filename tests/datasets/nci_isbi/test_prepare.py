"""Made downloads to data folders: what is paired with what, and what is left out with which sentence."""

import csv
import gzip
import importlib.util
import itertools
import json
import os
import resource
import shutil
from pathlib import Path

import nrrd
import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, RLELossless

import run
from datasets import io
from datasets.nci_isbi.prepare import ORDER_UNCHECKED, prepare_nci
from datasets.specs import get_spec
from datasets.splits import split_names

# Tests are no package: a helper beside them is loaded by its path.
_spec = importlib.util.spec_from_file_location("made_archive", Path(__file__).with_name("made_archive.py"))
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)

CASE, TEST_CASE = "Prostate3T-01-0001", "ProstateDx-03-0002"


@pytest.fixture
def archive(tmp_path: Path):
    return made.MadeArchive(tmp_path / "raw")


def prepare(archive, **options) -> dict:
    return prepare_nci(archive.raw, archive.raw.parent / "root", **options)


def reason(archive, case: str = CASE, **options) -> str:
    """Why a case is left out, beside a good one that is made."""
    archive.add(TEST_CASE, 3, [2])
    report = prepare(archive, **options)
    assert [one["case"] for one in report["cases"]] == [TEST_CASE]
    assert not (archive.raw.parent / "root" / "images" / f"{case}_1.dcm").exists()
    return next(item["reason"] for item in report["left_out"] if item["case"] == case)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("num_slices", [12, 25])
def test_slice_n_of_the_mask_goes_with_instance_n(archive, num_slices):
    kept = [n for n in (2, 5, 12, 15, 25) if n <= num_slices]
    archive.add(CASE, num_slices, kept)
    archive.add(TEST_CASE, 12, [1, 10, 11])
    report = prepare(archive)
    root = archive.raw.parent / "root"
    assert {path.stem for path in (root / "images").iterdir()} == {
        *(f"{CASE}_{n}" for n in kept), *(f"{TEST_CASE}_{n}" for n in (1, 10, 11))
    }  # fmt: skip
    for number in kept:
        assert io.read_dicom(root / "images" / f"{CASE}_{number}.dcm")[0, 0] == number
        expected = np.zeros(made.SIZE, bool)
        expected[1] = made.bits(number)
        np.testing.assert_array_equal(io.read_mask(root / "masks" / f"{CASE}_{number}.png"), expected)
        assert set(np.unique(io.read_gray(root / "masks" / f"{CASE}_{number}.png"))) == {0, 255}
    assert io.read_names(root / "train.txt") == [f"{CASE}_{n}" for n in kept]
    assert io.read_names(root / "test.txt") == [f"{TEST_CASE}_{n}" for n in (1, 10, 11)]
    assert report["left_out"] == [] and report["cases"][0]["spacing_mm"] == [3, 0.5, 0.75]
    assert len(split_names(get_spec("prostate"), root, "train")) == len(kept)


def test_images_are_the_delivered_bytes_and_a_second_call_changes_none(archive):
    folder = archive.add(CASE, 12, [5])
    prepare(archive)
    root = archive.raw.parent / "root"
    first = tree(root)
    assert first[f"images/{CASE}_5.dcm"] == archive.path_of(folder, 5).read_bytes()
    prepare(archive)
    assert tree(root) == first


def test_slices_may_run_downwards(archive):
    folder = archive.add(CASE, 4, [2], header={**made.HEADER, "space directions": np.diag([0.75, 0.5, -3.0])})
    for n in range(1, 5):
        made.write_slice(archive.path_of(folder, n), CASE, n, ImagePositionPatient=[-10, -20, 30 - 3 * (n - 1)])
    assert prepare(archive)["num_slices"] == 1


def test_a_leaderboard_case_is_made_but_in_no_split(archive):
    archive.add(CASE, 3, [1])
    archive.add("Prostate3T-02-0007", 3, [2])
    report = prepare(archive)
    assert report["unlisted"] == ["Prostate3T-02-0007_2"]
    assert io.read_names(archive.raw.parent / "root" / "train.txt") == [f"{CASE}_1"]


def test_split_lists_decide_and_keep_their_order(archive, tmp_path, capsys):
    archive.add(CASE, 12, [3, 5, 7])
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "train.txt").write_text(f"{CASE}_7\n{CASE}_9\n{CASE}_3\n")
    (lists / "test.txt").write_text(f"{TEST_CASE}_1\n")
    root = tmp_path / "root"
    line = ["prepare-nci", "--raw", str(archive.raw), "--root", str(root), "--split_lists", str(lists)]
    assert run.main(line) == 0
    assert io.read_names(root / "train.txt") == [f"{CASE}_7", f"{CASE}_3"]
    printed = capsys.readouterr().out
    assert f"2 slices named in --split_lists but not made: {CASE}_9, {TEST_CASE}_1" in printed
    assert f"1 slices made but in neither split: {CASE}_5" in printed
    report = json.loads((root / "nci_report.json").read_text())
    assert (report["num_slices"], report["num_train"], report["num_test"]) == (3, 2, 0)


def test_split_lists_in_the_root_are_not_overwritten(archive, tmp_path, capsys):
    archive.add(CASE, 3, [1])
    root = tmp_path / "root"
    root.mkdir()
    (root / "train.txt").write_text("mine\n")
    assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(root)]) == 2
    assert "not from here" in capsys.readouterr().err
    with pytest.raises(ValueError, match="outside of --root"):
        prepare(archive, split_lists=root)
    assert (root / "train.txt").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["images/mine.dcm", f"masks/{CASE}_1.png"])
def test_images_and_masks_of_others_are_not_overwritten(archive, name):
    archive.add(CASE, 3, [1])
    path = archive.raw.parent / "root" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(ValueError, match=f"{path}: expected a folder without .* not from here"):
        prepare(archive)
    assert tree(archive.raw.parent / "root") == {name: b"mine"}


@pytest.mark.parametrize(("have", "count", "found"), [
    ([1, 2, 3, 5], 5, "missing 4"),
    ([1, 2, 3, 3, 5], 5, "missing 4; more than once 3"),
    ([1, 2, 3, 4], 3, "beyond 4"),
    ([0, 1, 2], 3, "missing 3; beyond 0"),
])  # fmt: skip
def test_numbers_that_are_not_one_to_n(archive, have, count, found):
    for index, number in enumerate(have):
        made.write_slice(archive.images / CASE / f"{index}.dcm", CASE, number)
    archive.list(CASE, f"images/{CASE}", count)
    archive.write_mask(f"{CASE}.nrrd", made.mask_values(len(have), [1]))
    assert found in reason(archive)


def test_a_mask_with_fewer_slices_than_the_series(archive):
    archive.add("ProstateDx-01-0055", 34, [4])
    archive.write_mask("ProstateDx-01-0055.nrrd", made.mask_values(23, [4]))
    assert "expected 34 slices as in the series, found 23" in reason(archive, "ProstateDx-01-0055")


LPS = made.HEADER
REVERSED = np.diag([0.75, 0.5, -3.0])
LAST = np.array([-10.0, -20.0, 63.0])


@pytest.mark.parametrize(("change", "found"), [
    ({"space directions": REVERSED, "space origin": LAST}, "in reverse"),
    ({"space directions": REVERSED}, "in reverse"),
    ({"space origin": LAST}, "last slice: they run in reverse"),
    ({"space origin": np.array([-10.0, -17.0, 30.0])}, "start at the first slice"),
    ({"space": "right-anterior-superior"}, "start at the first slice"),
    ({"space directions": np.diag([0.5, 0.75, 3.0])}, "distances"),
    ({"space directions": np.array([[0, 0.75, 0], [0.5, 0, 0], [0, 0, 3.0]])}, "columns, rows and slices along"),
])  # fmt: skip
def test_headers_that_contradict_the_series(archive, change, found):
    archive.add(CASE, 12, [4], header={**LPS, **change})
    message = reason(archive)
    assert found in message and "--mask_geometry ignore" in message
    assert prepare(archive, mask_geometry="ignore")["num_cases"] == 2


@pytest.mark.parametrize(("header", "carried"), [
    ({}, "nothing"),
    ({"space": "left-posterior-superior", "space origin": np.zeros(3), "space directions": np.eye(3)}, "nothing"),
    ({"space": "left-posterior-superior", "space origin": np.zeros(3), "space directions": LPS["space directions"]},
     "distances"),
    ({"spacings": np.array([0.75, 0.5, 3])}, "distances"),
    (LPS, "directions, origin, distances"),
    ({"space": "RAS", "space origin": np.array([10.0, 20, 30]), "space directions": np.diag([-0.75, -0.5, 3])},
     "directions, origin, distances"),
    ({"space dimension": 3, "space origin": LPS["space origin"], "space directions": LPS["space directions"]},
     "directions, origin, distances"),
])  # fmt: skip
def test_headers_that_agree_or_carry_nothing(archive, header, carried):
    archive.add(CASE, 12, [4], header=header)
    notes = prepare(archive)["cases"][0]["notes"]
    unchecked = [] if "origin" in carried else [ORDER_UNCHECKED]
    assert notes == [f"the mask's header agrees with the series in: {carried}", *unchecked]


def test_cases_whose_order_nothing_tells_are_named(archive, capsys):
    archive.add(CASE, 12, [4], header={"spacings": np.array([0.75, 0.5, 3])})
    archive.add(TEST_CASE, 12, [4], header=LPS)
    root = archive.raw.parent / "root"
    assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(root)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "paired by number alone" in line)
    assert line.startswith("1 cases") and line.endswith(f": {CASE}")


def test_slices_that_a_corrected_mask_no_longer_has_go(archive):
    archive.add(CASE, 12, [4, 5, 6])
    archive.add(TEST_CASE, 12, [3])
    prepare(archive)
    root = archive.raw.parent / "root"
    (root / "images" / f"{CASE}_9.dcm").write_text("not from here")
    archive.write_mask(f"{CASE}.nrrd", made.mask_values(12, [5, 7]))
    (archive.masks / f"{TEST_CASE}.nrrd").rename(archive.masks / "gone.nrrd")
    prepare(archive)
    masks = sorted(path.stem for path in (root / "masks").iterdir())
    assert masks == [f"{CASE}_5", f"{CASE}_7", f"{TEST_CASE}_3"]
    assert sorted(path.stem for path in (root / "images").iterdir()) == sorted([*masks, f"{CASE}_9"])


def test_slices_of_a_case_that_was_left_out_in_between_go_too(archive):
    archive.add(CASE, 12, [3])
    archive.add(TEST_CASE, 12, [3])
    prepare(archive)
    (archive.masks / f"{CASE}.nrrd").unlink()
    assert [one["case"] for one in prepare(archive)["left_out"]] == [CASE]
    masks = archive.raw.parent / "root" / "masks"
    assert (masks / f"{CASE}_3.png").is_file()
    archive.write_mask(f"{CASE}.nrrd", made.mask_values(12, [4]))
    prepare(archive)
    assert sorted(path.stem for path in masks.glob(f"{CASE}*")) == [f"{CASE}_4"]


def test_without_test_cases_there_is_no_test_file(archive):
    archive.add(CASE, 3, [1])
    prepare(archive)
    root = archive.raw.parent / "root"
    assert (root / "train.txt").is_file() and not (root / "test.txt").exists()


@pytest.mark.parametrize("name", ["incorrect", "uncorrected"])
def test_a_mask_that_is_called_wrong_supersedes_none(archive, name):
    archive.add(CASE, 3, [1])
    archive.add(TEST_CASE, 3, [1])
    archive.write_mask(f"{CASE}_{name}.nrrd", made.mask_values(3, [2]))
    assert "2 that differ" in prepare(archive)["left_out"][0]["reason"]
    assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(archive.raw.parent / "root")]) == 1


@pytest.mark.parametrize("report", ["[]", '{"cases": [{"case": 1}]}', '{"cases": 3}', "cut {", "\xff"])
def test_a_damaged_earlier_report_is_no_obstacle(archive, report):
    archive.add(CASE, 12, [4])
    before = prepare(archive)
    (archive.raw.parent / "root" / "nci_report.json").write_text(report, encoding="latin-1")
    assert prepare(archive) == before


@pytest.mark.parametrize("count", ["12.0", "12."])
def test_counts_as_a_spreadsheet_writes_them(archive, count):
    archive.add(CASE, 12, [4])
    table = archive.raw / "download" / "metadata.csv"
    table.write_text(table.read_text().replace(",12,", f",{count},"))
    assert prepare(archive)["num_slices"] == 1


@pytest.mark.parametrize("value", [0.5, -1])
def test_labels_that_are_no_whole_numbers_from_0(archive, value):
    archive.add(CASE, 3, [])
    values = made.mask_values(3, [2]).astype(np.float32)
    values[3, 4, 0] = value
    archive.write_mask(f"{CASE}.nrrd", values)
    assert f"expected whole numbers from 0 as labels, found {value}" in reason(archive)


@pytest.mark.parametrize(("number", "position", "found"), [
    (3, [-10, -20, 37.5], "even distances"),
    (3, [-10, -20, 30], "a turn between 2 and 3"),
    (3, [-8, -20, 36], "even distances"),
])  # fmt: skip
def test_positions_that_do_not_follow_the_numbers(archive, number, position, found):
    folder = archive.add(CASE, 6, [4])
    made.write_slice(archive.path_of(folder, number), CASE, number, ImagePositionPatient=position)
    assert found in reason(archive)


@pytest.mark.parametrize(("tags", "found"), [
    ({"InstanceNumber": None}, "no InstanceNumber"),
    ({"Rows": None}, "no Rows"),
    ({"PixelData": None}, "no PixelData"),
    ({"PixelSpacing": None}, "PixelSpacing of 3, 6 and 2 numbers"),
    ({"NumberOfFrames": 2, "PixelData": bytes(2 * 96)}, "found 2 frames"),
    ({"ImagePositionPatient": [-10, "nan", 36]}, "PixelSpacing of 3, 6 and 2 numbers"),
    ({"PatientID": "Prostate3T-01-0002"}, "expected one patient"),
    ({"SeriesInstanceUID": "1.2.4"}, "expected one series"),
    ({"Rows": 3, "PixelData": bytes(48)}, "expected one size"),
    ({"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, "one ImageOrientationPatient"),
])  # fmt: skip
def test_one_slice_that_cannot_be_used(archive, tags, found):
    folder = archive.add(CASE, 4, [2])
    made.write_slice(archive.path_of(folder, 3), CASE, 3, **tags)
    assert found in reason(archive)


def test_another_patients_series(archive):
    archive.add(CASE, 3, [1], PatientID="Prostate3T-01-0002")
    assert "PatientID Prostate3T-01-0002" in reason(archive)


def test_cut_images_and_files_that_are_none(archive):
    folder = archive.add(CASE, 4, [2])
    cut = archive.path_of(folder, 3)
    cut.write_bytes(cut.read_bytes()[:-20])
    assert str(cut) in reason(archive)
    damaged = archive.path_of(folder, 2).read_bytes()
    at = damaged.index(b"US", damaged.index(b"MONOCHROME2")) + 2
    # A length of 1 for a number of two bytes.
    cut.write_bytes(damaged[:at] + b"\x01" + damaged[at + 1 :])
    assert str(cut) in prepare(archive)["left_out"][0]["reason"]
    cut.write_text("hello")
    assert str(cut) in prepare(archive)["left_out"][0]["reason"]


def test_without_positions_the_number_alone_decides(archive):
    geometry = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))
    archive.add(CASE, 4, [2], **geometry)
    case = prepare(archive)["cases"][0]
    assert case["spacing_mm"] is None and "carry no positions" in case["notes"][0]
    assert "could not be checked" in case["notes"][1]


def test_compressed_images_that_can_be_decoded_are_copied_as_they_are(archive):
    folder = archive.add(CASE, 3, [2])
    path = archive.path_of(folder, 2)
    header = pydicom.dcmread(path)
    header.compress(RLELossless)
    header.save_as(path)
    assert "RLE" in prepare(archive)["cases"][0]["notes"][0]
    copied = archive.raw.parent / "root" / "images" / f"{CASE}_2.dcm"
    assert copied.read_bytes() == path.read_bytes() and io.read_dicom(copied)[0, 0] == 2


def test_compressed_images_that_cannot_be_decoded(archive):
    folder = archive.add(CASE, 3, [2])
    path = archive.path_of(folder, 2)
    header = pydicom.dcmread(path)
    header.file_meta.TransferSyntaxUID = JPEG2000Lossless
    header.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51"])
    header["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(path, header)
    assert str(path) in reason(archive)


def test_names_that_begin_alike(archive):
    archive.add("Prostate3T-01-0001", 3, [1])
    archive.add("Prostate3T-01-00010", 5, [2])
    report = prepare(archive)
    masks = {one["case"]: one["mask"].rpartition("/")[2] for one in report["cases"]}
    assert masks == {"Prostate3T-01-0001": "Prostate3T-01-0001.nrrd", "Prostate3T-01-00010": "Prostate3T-01-00010.nrrd"}


def test_only_the_longer_name_has_a_mask(archive):
    archive.add("Prostate3T-01-0001", 3, [1], mask_name="Prostate3T-01-00010.nrrd")
    assert "found none" in reason(archive, "Prostate3T-01-0001")


@pytest.mark.parametrize("name", [f"{CASE}_truth.nrrd", f"{CASE}-corrected_label.nrrd"])
def test_a_mask_by_another_name(archive, name):
    archive.add(CASE, 3, [1], mask_name=name)
    assert prepare(archive)["cases"][0]["mask"].endswith(name)


def test_a_corrected_mask_supersedes(archive, capsys):
    archive.add(CASE, 3, [1])
    archive.write_mask(f"{CASE}-corrected_label.nrrd", made.mask_values(3, [2]))
    assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(archive.raw.parent / "root")]) == 0
    assert f"{CASE}-corrected_label.nrrd taken of 2 mask files" in capsys.readouterr().out
    assert (archive.raw.parent / "root" / "images" / f"{CASE}_2.dcm").is_file()


def test_two_masks_are_taken_if_equal_and_left_out_if_not(archive):
    archive.add(CASE, 3, [1])
    shutil.copy(archive.masks / f"{CASE}.nrrd", archive.masks / f"{CASE}_truth.nrrd")
    assert "contents are equal" in prepare(archive)["cases"][0]["notes"][0]
    archive.write_mask(f"{CASE}_truth.nrrd", made.mask_values(3, [2]))
    with pytest.raises(ValueError, match="2 that differ"):
        prepare(archive)


def test_two_series_of_one_case(archive):
    archive.add(CASE, 3, [1])
    archive.list(CASE, f"images/{CASE}", 3)
    assert "expected one series" in reason(archive)


def test_the_same_row_twice_is_one_series(archive):
    archive.add(CASE, 3, [1])
    archive.list(CASE, f"./images/{CASE}/1.000000-t2tsetra", 3)
    assert prepare(archive)["num_cases"] == 1


def test_all_labels_are_prostate(archive):
    archive.add(CASE, 3, [])
    values = made.mask_values(3, [2])
    values[3, 4, 1] = 2
    archive.write_mask(f"{CASE}.nrrd", values)
    assert "mask values 1, 2 all count" in prepare(archive)["cases"][0]["notes"][0]
    assert io.read_mask(archive.raw.parent / "root" / "masks" / f"{CASE}_2.png")[4, 3]


def test_masks_that_cannot_be_used(archive):
    archive.add(CASE, 12, [1])
    path = archive.masks / f"{CASE}.nrrd"
    whole = path.read_bytes()
    path.write_bytes(whole[:-15])
    assert str(path) in reason(archive)
    again = [
        (lambda: path.write_bytes(whole[:60]), str(path)),
        (lambda: path.write_bytes(b"not nrrd"), "magic"),
        (lambda: archive.write_mask(path.name, made.mask_values(12, [])), "empty mask"),
        (lambda: archive.write_mask(path.name, made.mask_values(12, [1]).transpose(1, 0, 2)), "8 columns x 6 rows"),
        (lambda: archive.write_mask(path.name, made.mask_values(12, [1])[:, :, 0], {}), "3 axes, found 2"),
        (lambda: archive.write_mask(path.name, np.arange(8 * 6 * 12.0).reshape(8, 6, 12)), "few labels"),
        (lambda: path.write_bytes(whole.replace(b"encoding:", b"data file: other.raw\nencoding:")), "another file"),
        (lambda: path.write_bytes(whole.replace(b"encoding:", b"line skip: 1000000000000\nencoding:")), "to skip"),
        (lambda: path.write_bytes(whole[: whole.index(b"\n\n") + 2] + gzip.compress(bytes(10**7))), "4609 or more"),
    ]
    for write, found in again:
        write()
        assert found in prepare(archive)["left_out"][0]["reason"]


@pytest.mark.parametrize("location", ["..\\..\\..\\outside", "/etc", "images/../../../x", "link", "a\0b"])
def test_a_location_that_leaves_the_downloads_is_refused(archive, location, capsys):
    archive.add(CASE, 3, [1])
    (archive.raw / "download" / "link").symlink_to(archive.raw.parent)
    archive.list("Prostate3T-01-0009", location, 3)
    root = archive.raw.parent / "root"
    assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(root)]) == 2
    error = capsys.readouterr().err
    assert "metadata.csv, line 3" in error and len(error.splitlines()) == 1
    assert not root.exists()


@pytest.mark.parametrize(("change", "found"), [
    ({"Subject ID": "../../evil"}, "letters, digits"),
    ({"Number of Images": "many"}, "Number of Images above 0"),
    ({"File Location": ""}, "expected a File Location"),
])  # fmt: skip
def test_damaged_rows(archive, change, found):
    archive.add(CASE, 3, [1])
    archive.rows[0].update(change)
    archive.list(TEST_CASE, "images", 1)
    with pytest.raises(ValueError, match=found):
        prepare(archive)


def test_without_subject_the_folder_names_the_case(archive):
    archive.add(CASE, 3, [1])
    table = archive.raw / "download" / "metadata.csv"
    with open(table, newline="") as file:
        location = next(csv.DictReader(file))["File Location"]
    table.write_text(f"\ufeffFile Location,Number of Images\n{location},3\n", encoding="utf-8")
    assert prepare(archive)["cases"][0]["case"] == CASE


def test_missing_columns_folders_and_files(archive, tmp_path):
    archive.add(CASE, 3, [1])
    archive.list("Prostate3T-01-0002", "images/none", 3)
    archive.write_mask("Prostate3T-01-0002.nrrd", made.mask_values(3, [1]))
    archive.write_mask("Prostate3T-01-0003.nrrd", made.mask_values(3, [1]))
    reasons = {item["case"]: item["reason"] for item in prepare(archive)["left_out"]}
    assert "expected the folder of a series" in reasons["Prostate3T-01-0002"]
    assert "no series of this case" in reasons["Prostate3T-01-0003"]
    (archive.raw / "download" / "metadata.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="no File Location and no Number of Images"):
        prepare(archive)
    with pytest.raises(FileNotFoundError, match="--raw"):
        prepare_nci(tmp_path / "none", tmp_path / "root")
    with pytest.raises(FileNotFoundError, match="metadata.csv"):
        prepare_nci(archive.masks, tmp_path / "root2")


def test_nothing_usable_is_an_error_with_a_report(archive, capsys):
    archive.add(CASE, 3, [])
    root = archive.raw.parent / "root"
    assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(root)]) == 2
    assert "empty mask" in capsys.readouterr().err
    assert not (root / "train.txt").exists() and (root / "nci_report.json").is_file()


def test_an_interruption_leaves_whole_files_and_no_split(archive):
    archive.add(CASE, 3, [1])
    archive.add(TEST_CASE, 3, [1])
    prepare(archive)
    root = archive.raw.parent / "root"
    first = tree(root)

    def stop_after_one(cases):
        yield cases[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(archive, progress=stop_after_one)
    assert {*first} - {*tree(root)} == {"train.txt", "test.txt"}
    prepare(archive)
    assert tree(root) == first


def test_a_full_disk_stops_with_one_line(archive, capsys):
    archive.add(CASE, 3, [1])
    root = archive.raw.parent / "root"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(root)]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "expected to write" in capsys.readouterr().err
    assert list(itertools.chain(root.rglob("*.dcm"), root.rglob("*.txt"), root.rglob(".tmp*"))) == []


def test_a_root_that_cannot_be_made(archive, capsys):
    archive.add(CASE, 3, [1])
    file = archive.raw.parent / "file"
    file.write_text("")
    assert run.main(["prepare-nci", "--raw", str(archive.raw), "--root", str(file)]) == 2
    assert "expected a folder, or nothing yet, found a file" in capsys.readouterr().err


REAL = {"Prostate3T-03-0001": (19, range(5, 17)), "Prostate3T-03-0002": (21, range(5, 19))}


@pytest.mark.parametrize("turned", ["as_is", "reversed"])
def test_the_real_series_with_made_masks(archive, turned):
    shared = Path(os.environ.get("GAZEMEDSEG_SHARED") or Path(__file__).resolve().parents[4] / "shared")
    source = shared / "data" / "NCI-ISBI-2013"
    if not source.is_dir():
        pytest.skip(f"no real series at {source}; set GAZEMEDSEG_SHARED")
    for case, (num_slices, kept) in REAL.items():
        shutil.copytree(source / "dicom_series" / case, archive.images / case)
        archive.list(case, f".\\images\\{case}", num_slices)
        files = {int(pydicom.dcmread(path).InstanceNumber): path for path in (archive.images / case).iterdir()}
        first, second = pydicom.dcmread(files[1]), pydicom.dcmread(files[2])
        origin = np.array(first.ImagePositionPatient, float)
        step = np.array(second.ImagePositionPatient, float) - origin
        row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3) * 0.5
        if turned == "reversed":
            origin, step = origin + step * (num_slices - 1), -step
        values = np.zeros((384, 384, num_slices), np.uint8)
        values[200:210, 100:150, kept.start - 1 : kept.stop - 1] = 1
        header = {**LPS, "space origin": origin, "space directions": np.stack([row, column, step])}
        nrrd.write(str(archive.masks / f"{case}.nrrd"), values, header)
    if turned == "reversed":
        with pytest.raises(ValueError, match="in reverse"):
            prepare(archive)
        return
    report = prepare(archive)
    root = archive.raw.parent / "root"
    named = [name for name in io.read_names(source / "test.txt") if name.startswith("Prostate3T-03-000")]
    named = [name for name in named if name.rpartition("_")[0] in REAL]
    assert sorted(io.read_names(root / "test.txt")) == sorted(named) and len(named) == 26
    for name in named:
        assert int(pydicom.dcmread(root / "images" / f"{name}.dcm").InstanceNumber) == int(name.rpartition("_")[2])
    mask = io.read_mask(root / "masks" / f"{named[0]}.png")
    assert mask[100:150, 200:210].all() and mask.sum() == 500
    assert [one["spacing_mm"] for one in report["cases"]] == [[pytest.approx(3, abs=1e-4), 0.5, 0.5]] * 2
