"""The data set: what a sample holds, and what is said where files do not fit."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from datasets import build_dataset

SIZE = 32


def _train(root, data="kvasir", **options):
    return build_dataset(data, **{"root": root, "split": "train", "spatial_size": SIZE, "num_levels": 2, **options})


def _test(root, data="kvasir", **options):
    return build_dataset(data, **{"root": root, "split": "test", "spatial_size": SIZE, **options})


class TestSamples:
    def test_training_sample(self, tiny_root):
        sample = _train(tiny_root)[0]
        assert sample["name"] == "polyp1"
        assert {key: tuple(sample[key].shape) for key in ("image", "label", "pseudo")} == {
            "image": (3, SIZE, SIZE),
            "label": (1, SIZE, SIZE),
            "pseudo": (2, SIZE, SIZE),
        }
        for key in ("label", "pseudo"):
            assert sample[key].dtype == torch.float32
            assert set(sample[key].unique().tolist()) == {0.0, 1.0}

    def test_level_two_of_kvasir_holds_level_one(self, tiny_root):
        first, second = _train(tiny_root, augment=False)[0]["pseudo"]
        assert bool((second >= first).all()) and second.sum() > first.sum()

    def test_level_two_of_the_prostate_set_lies_in_level_one(self, tiny_prostate_root):
        first, second = _train(tiny_prostate_root, "prostate", augment=False)[0]["pseudo"]
        assert bool((first >= second).all()) and first.sum() > second.sum()

    def test_test_sample_has_a_full_size_label_and_no_pseudo_mask(self, tiny_root):
        dataset = _test(tiny_root, num_levels=2)
        assert len(dataset) == 3
        assert set(dataset[1]) == {"image", "label", "name"}
        assert dataset[1]["label"].shape == (1, 42, 46)

    def test_no_levels_no_pseudo_masks(self, tiny_root):
        assert set(_train(tiny_root, num_levels=None)[0]) == {"image", "label", "name"}

    def test_prostate_slice_has_mean_zero_and_deviation_one(self, tiny_prostate_root):
        image = _train(tiny_prostate_root, "prostate", spatial_size=32, augment=False)[0]["image"]
        assert image.shape == (1, 32, 32)
        # 32x32 is the first slice's own size, so resizing leaves the statistics alone.
        assert float(image.mean()) == pytest.approx(0, abs=1e-5)
        assert float(image.std(correction=0)) == pytest.approx(1, abs=1e-4)

    def test_slice_5_is_not_slice_15(self, tiny_prostate_root, write_dicom):
        write_dicom(tiny_prostate_root / "images" / "caseA_15.dcm", np.eye(36).astype(np.uint16))
        before = _train(tiny_prostate_root, "prostate", augment=False)
        images = {sample["name"]: sample["image"] for sample in (before[i] for i in range(3))}
        assert set(images) == {"caseA_5", "caseA_15", "caseA_25"}
        assert float(images["caseA_15"].max()) > 4 > float(images["caseA_5"].max())

    @pytest.mark.parametrize(("split", "num"), [("train", 4), ("val", 2)])
    def test_validation_split(self, tiny_root, split, num):
        dataset = _train(tiny_root, split=split, val_fraction=0.34)
        assert len(dataset) == num
        assert ("pseudo" in dataset[0]) == (split == "train")
        assert (dataset[0]["label"].shape[-1] == SIZE) == (split == "train")

    def test_data_size_rate(self, tiny_root):
        assert len(_train(tiny_root, data_size_rate=0.5)) == 3


class TestLevels:
    def test_three_levels_on_the_prostate_set(self, tiny_prostate_root):
        dataset = _train(tiny_prostate_root, "prostate", num_levels=3)
        assert dataset.thresholds == (0.2, 0.4, 0.3)
        assert dataset[0]["pseudo"].shape == (3, SIZE, SIZE)

    def test_own_thresholds_set_the_number_of_levels(self, tiny_root):
        dataset = _train(tiny_root, num_levels=None, level_thresholds=[0.9, 0.1, 0.2])
        assert dataset.thresholds == (0.9, 0.1, 0.2)


class TestFlips:
    def test_flips_depend_on_seed_epoch_and_index_alone(self, tiny_root):
        dataset = _train(tiny_root)
        torch.manual_seed(1)
        first = [dataset[i, 5]["image"] for i in range(6)]
        torch.manual_seed(2)
        assert all(torch.equal(image, dataset[i, 5]["image"]) for i, image in enumerate(first))
        other = _train(tiny_root, seed=1)
        assert not all(torch.equal(image, other[i, 5]["image"]) for i, image in enumerate(first))

    def test_epochs_flip_differently(self, tiny_root):
        dataset = _train(tiny_root)
        assert len({dataset[0, epoch]["image"].numpy().tobytes() for epoch in range(30)}) == 4

    def test_image_label_and_pseudo_masks_flip_together(self, tiny_root):
        plain, dataset = _train(tiny_root, augment=False)[0], _train(tiny_root)
        seen = set()
        for epoch in range(30):
            flipped = dataset[0, epoch]
            for dims in ((), (-1,), (-2,), (-2, -1)):
                if torch.equal(flipped["image"], plain["image"].flip(dims)):
                    seen.add(dims)
                    assert torch.equal(flipped["label"], plain["label"].flip(dims))
                    assert torch.equal(flipped["pseudo"], plain["pseudo"].flip(dims))
        assert len(seen) == 4

    def test_plain_indexing_draws_from_torch(self, tiny_root):
        dataset = _train(tiny_root)

        def four(seed):
            torch.manual_seed(seed)
            return [dataset[0]["image"].numpy().tobytes() for _ in range(8)]

        assert four(0) == four(0)
        assert len(set(four(0))) > 1

    def test_test_split_never_flips(self, tiny_root):
        dataset = _test(tiny_root)
        assert all(torch.equal(dataset[0]["image"], dataset[0, epoch]["image"]) for epoch in range(8))

    def test_showcase_is_short_and_unflipped(self, tiny_root):
        dataset = _train(tiny_root)
        shown = dataset.first_samples(2)
        assert len(shown) == 2 and len(dataset) == 6
        plain = _train(tiny_root, augment=False)
        assert all(torch.equal(shown[0, e]["image"], plain[0]["image"]) for e in range(8))
        assert dataset.flip_probability == 0.5


class TestLabels:
    def test_gaze_training_does_without_masks(self, tiny_root):
        for name in _train(tiny_root).names:
            (tiny_root / "masks" / f"{name}.jpg").unlink()
        dataset = _train(tiny_root, has_labels=False)
        assert set(dataset[0]) == {"image", "pseudo", "name"}
        assert "label" not in dataset.first_samples(2)[0]

    def test_required_labels_must_be_there(self, tiny_root):
        (tiny_root / "masks" / "polyp2.jpg").unlink()
        with pytest.raises(FileNotFoundError, match=r"1 of 6 files .*masks/polyp2\.jpg; put them there, or take"):
            _train(tiny_root)

    def test_test_split_needs_its_masks(self, tiny_root):
        (tiny_root / "masks" / "polyp8.jpg").unlink()
        with pytest.raises(FileNotFoundError, match=r"1 of 3 files are missing: .*polyp8\.jpg"):
            _test(tiny_root)

    def test_labels_none(self, tiny_root):
        shutil.rmtree(tiny_root / "masks")
        assert set(_test(tiny_root, has_labels=False)[0]) == {"image", "name"}


class TestBadFiles:
    def test_missing_maps_name_five_files_their_number_and_the_command(self, tiny_root):
        shutil.rmtree(tiny_root / "gaze")
        with pytest.raises(FileNotFoundError) as caught:
            _train(tiny_root)
        message = str(caught.value)
        assert message.startswith("6 of 6 files are missing: ")
        assert [f"crf_compat1/polyp{i}.jpg" in message for i in range(1, 7)] == [True] * 5 + [False]
        assert f"python run.py prepare --data kvasir --root {tiny_root} --fixations CSV" in message

    def test_missing_image(self, tiny_prostate_root):
        (tiny_prostate_root / "images" / "caseA_5.dcm").unlink()
        with pytest.raises(FileNotFoundError, match=r"1 of 6 .*images/caseA_5\.dcm; put the images of prostate there"):
            _train(tiny_prostate_root, "prostate")

    def test_the_hint_is_of_the_folder_that_lacks_a_map(self, tiny_root, tmp_path):
        shutil.copytree(tiny_root / "gaze" / "crf_compat1", tmp_path / "maps")
        with pytest.raises(FileNotFoundError) as caught:
            _train(tiny_root, map_folder=tmp_path / "maps")
        assert "polyp1.jpg is there, which differs in upper and lower case, or ending" in str(caught.value)
        for path in (tmp_path / "maps").iterdir():
            path.unlink()
        with pytest.raises(FileNotFoundError) as caught:
            _train(tiny_root, map_folder=tmp_path / "maps")
        assert "is there, which differs" not in str(caught.value)

    def test_maps_are_not_needed_for_full_supervision(self, tiny_root):
        shutil.rmtree(tiny_root / "gaze")
        assert len(_train(tiny_root, num_levels=None)) == 6

    @pytest.mark.parametrize("folder", ["masks", "gaze/crf_compat1"])
    def test_map_or_mask_of_another_size(self, tiny_root, folder):
        path = tiny_root / folder / "polyp3.jpg"
        Image.fromarray(np.zeros((10, 20), np.uint8)).save(path)
        with pytest.raises(ValueError) as caught:
            _train(tiny_root)
        assert str(path) in str(caught.value)
        assert "50x38 (width x height), found 20x10 (width x height)" in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"not a picture\n"])
    @pytest.mark.parametrize("file", ["images/caseB_5.dcm", "gaze/crf_compat1/caseB_5.png", "masks/caseB_5.png"])
    def test_file_of_another_kind_is_found_before_training(self, tiny_prostate_root, file, content):
        (tiny_prostate_root / file).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{file}: expected an? (DICOM )?image, found an unreadable file"):
            _train(tiny_prostate_root, "prostate")

    @pytest.mark.parametrize("ending", [".png", ".jpg"])
    def test_maps_of_0_and_1_are_no_maps_of_255(self, tiny_root, ending):
        folder = tiny_root / "gaze" / "crf_compat1"
        maps = {path: np.array(Image.open(path)) for path in folder.glob("*.jpg")}
        for path, values in maps.items():
            path.unlink()
            Image.fromarray((values > 127).astype(np.uint8)).save(path.with_suffix(ending))
        with pytest.raises(
            ValueError, match=r"crf_compat1: expected gaze maps in which 255 stands for 1, found no value "
        ):
            _train(tiny_root)
        # One of them may be faint, where there was little to see.
        Image.fromarray(maps[folder / "polyp1.jpg"]).save(folder / f"polyp1{ending}")
        assert len(_train(tiny_root)) == 6

    def test_truncated_image_is_named_when_read(self, tiny_root):
        path = tiny_root / "images" / "polyp1.jpg"
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(ValueError, match=r"polyp1\.jpg: expected an image, found an unreadable file \(.*truncated"):
            _train(tiny_root)[0]

    def test_prostate_case_in_train_and_test(self, tiny_prostate_root):
        (tiny_prostate_root / "test.txt").write_text("caseA_6\n")
        with pytest.raises(ValueError, match=r"found 1 in both \(caseA\)"):
            _train(tiny_prostate_root, "prostate")

    def test_missing_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere: expected a data folder"):
            _train(tmp_path / "nowhere")

    def test_unknown_data_set(self, tiny_root):
        with pytest.raises(ValueError, match="found 'liver'"):
            _train(tiny_root, "liver")


class TestGolden:
    """What the reference's data set hands over at 96x96, without flips."""

    def test_training_samples(self, golden):
        dataset = _train(golden / "kvasir_root", spatial_size=96, num_levels=3, augment=False)
        with np.load(golden / "kvasir_samples.npz") as expected:
            for sample in (dataset[i] for i in range(3)):
                name = sample["name"]
                np.testing.assert_allclose(sample["image"], expected[f"{name}/image"], rtol=0, atol=1e-5)
                np.testing.assert_array_equal(sample["label"], expected[f"{name}/label"])
                for level, pseudo in enumerate(sample["pseudo"], start=1):
                    np.testing.assert_array_equal(pseudo, expected[f"{name}/pseudo_label_{level}"][0])

    def test_test_samples(self, golden):
        dataset = _test(golden / "kvasir_root", spatial_size=96)
        with np.load(golden / "kvasir_samples.npz") as expected:
            for sample in (dataset[i] for i in range(2)):
                name = sample["name"]
                np.testing.assert_allclose(sample["image"], expected[f"{name}/image"], rtol=0, atol=1e-5)
                shape = tuple(expected[f"{name}/label_shape"])
                label = np.unpackbits(expected[f"{name}/label_fullsize"], count=int(np.prod(shape))).reshape(shape)
                np.testing.assert_array_equal(sample["label"], label)
