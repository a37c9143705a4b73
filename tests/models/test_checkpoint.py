"""Checkpoints: those of the reference load, malicious and damaged ones are refused before anything runs."""

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import load_checkpoint, load_latest, save_checkpoint

WEIGHT = torch.arange(6.0).reshape(2, 3)
NEW, OLD = b"numpy._core.multiarray", b"numpy.core.multiarray"


class Malicious:
    """Runs a command of its choice when it is unpickled without care."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def _save(path: Path, content, **options) -> Path:
    torch.save(content, path, **options)
    return path


def _as_numpy_1_would_write(path: Path) -> Path:
    """Rename the module of NumPy's scalars inside the archive's pickle, as NumPy 1.x called it."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in entries if name.endswith("data.pkl"))
    assert NEW in entries[pickled]
    # Protocol 2 ends a module's name with a newline, so no length has to be mended.
    entries[pickled] = entries[pickled].replace(NEW + b"\n", OLD + b"\n")
    assert OLD in entries[pickled] and NEW not in entries[pickled]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def _released_content() -> dict:
    """The entries of a released checkpoint."""
    return {
        "iteration": 15000,
        "best_performance": np.float64(0.7886),
        "best_iteration": 14000,
        "opt": argparse.Namespace(data="kvasir", lr=1e-2, cons_mode="prop", gpus=[0]),
        "state_dict": {"model.0.classifier.weight": WEIGHT},
        "optimizer": {"state": {0: {"momentum_buffer": WEIGHT}}, "param_groups": [{"lr": 1e-2, "params": [0]}]},
    }


def _refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=path.name) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip(tmp_path):
    content = {"state_dict": {"weight": WEIGHT}, "iteration": 7, "config": {"features": [1, 2]}, "best": None}
    save_checkpoint(tmp_path / "a.pth", content)
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert torch.equal(loaded.pop("state_dict")["weight"], WEIGHT)
    assert loaded == {"iteration": 7, "config": {"features": [1, 2]}, "best": None}


@pytest.mark.parametrize("rewrite", [lambda path: path, _as_numpy_1_would_write], ids=["numpy._core", "numpy.core"])
def test_released_format(tmp_path, rewrite):
    loaded = load_checkpoint(rewrite(_save(tmp_path / "released.pth", _released_content())))
    assert float(loaded["best_performance"]) == 0.7886
    assert loaded["opt"].cons_mode == "prop" and loaded["iteration"] == 15000
    assert torch.equal(loaded["state_dict"]["model.0.classifier.weight"], WEIGHT)


@pytest.mark.parametrize("scalar", [np.float32(0.5), np.float16(0.5), np.int64(5), np.int32(5), np.bool_(True)])
@pytest.mark.parametrize("rewrite", [lambda path: path, _as_numpy_1_would_write], ids=["numpy._core", "numpy.core"])
def test_numpy_scalars(tmp_path, scalar, rewrite):
    path = rewrite(_save(tmp_path / "a.pth", {"state_dict": {"w": WEIGHT}, "score": scalar}))
    assert load_checkpoint(path)["score"] == scalar


def test_format_of_old_torch(tmp_path):
    path = _save(tmp_path / "old.pth", {"state_dict": {"w": WEIGHT}}, _use_new_zipfile_serialization=False)
    assert torch.equal(load_checkpoint(path)["state_dict"]["w"], WEIGHT)


def test_prefix_of_distributed_training_is_taken_off(tmp_path):
    path = _save(tmp_path / "ddp.pth", {"state_dict": {"module.model.0.w": WEIGHT, "module.model.module.w": WEIGHT}})
    assert list(load_checkpoint(path)["state_dict"]) == ["model.0.w", "model.module.w"]


def test_bare_state_dict(tmp_path):
    loaded = load_checkpoint(_save(tmp_path / "bare.pth", {"module.w": WEIGHT}))
    assert list(loaded) == ["state_dict"] and list(loaded["state_dict"]) == ["w"]


@pytest.mark.parametrize("name", ["model", "net", "model_state_dict"])
def test_weights_under_another_name(tmp_path, name):
    loaded = load_checkpoint(_save(tmp_path / "a.pth", {name: {"w": WEIGHT}, "optimizer": {"state": {}}, "epoch": 3}))
    assert list(loaded) == ["optimizer", "epoch", "state_dict"] and list(loaded["state_dict"]) == ["w"]


@pytest.mark.parametrize("prefix", ["model.", "net.", "module.network.", "model._orig_mod."])
def test_the_attribute_of_another_module_is_taken_off(tmp_path, prefix):
    path = _save(tmp_path / "a.pth", {"state_dict": {f"{prefix}{key}": WEIGHT for key in ("model.0.w", "encoder.w")}})
    assert list(load_checkpoint(path)["state_dict"]) == ["model.0.w", "encoder.w"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"model": {"w": WEIGHT}, "model_ema": {"w": WEIGHT}}, "found model, model_ema"),
        ({"iteration": 3, "weights": 4}, "found iteration, weights"),
        ({"state_dict": {}}, "found state_dict"),
        ({"state_dict": {"w": 3}}, "found state_dict"),
        ({}, "found nothing"),
        ([WEIGHT], "found list"),
        (WEIGHT, "found Tensor"),
    ],
)
def test_no_checkpoint(tmp_path, content, found):
    message = _refusal(_save(tmp_path / "a.pth", content))
    assert "expected a checkpoint with a state_dict of tensors" in message
    assert found in message


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["beside", "inside", "instead"])
def test_malicious_checkpoint_is_refused_and_nothing_runs(tmp_path, place, zipped):
    witness = tmp_path / "it_ran"
    evil = Malicious(f"touch {witness}")
    content = {
        "beside": {"state_dict": {"w": WEIGHT}, "opt": evil},
        "inside": {"state_dict": {"w": evil}},
        "instead": evil,
    }[place]
    message = _refusal(_save(tmp_path / "evil.pth", content, _use_new_zipfile_serialization=zipped))
    assert not witness.exists()
    assert "system" in message and "do not trust this file" in message


def test_malicious_plain_pickle_is_refused_and_nothing_runs(tmp_path):
    witness = tmp_path / "it_ran"
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"state_dict": Malicious(f"touch {witness}")}, protocol=2))
    _refusal(tmp_path / "evil.pth")
    assert not witness.exists()


def test_object_of_a_foreign_class_is_refused_by_name(tmp_path):
    path = _save(tmp_path / "a.pth", {"state_dict": {"w": WEIGHT}, "where": Path("x")})
    assert "an object of type pathlib." in _refusal(path)


def test_nothing_stays_allowed_after_loading(tmp_path):
    path = _save(tmp_path / "a.pth", _released_content())
    load_checkpoint(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.98])
def test_truncated_checkpoint(tmp_path, kept):
    path = _save(tmp_path / "cut.pth", _released_content())
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    _refusal(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"I am a text\n" * 100, b"\x80\x02", b"\x89PNG\r\n\x1a\n" + bytes(200), b"PK\x03\x04" + bytes(200)],
    ids=["zero_bytes", "text", "start_of_a_pickle", "picture", "start_of_an_archive"],
)
def test_file_of_another_kind(tmp_path, content):
    (tmp_path / "fake.pth").write_bytes(content)
    _refusal(tmp_path / "fake.pth")


def test_archive_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "fake.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    _refusal(tmp_path / "fake.pth")


def test_flipped_bytes_are_refused_or_load_as_a_checkpoint(tmp_path):
    """Damage in the pickle itself may raise anything inside torch; only ValueError may come out."""
    whole = _save(tmp_path / "whole.pth", _released_content()).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for position in rng.integers(0, 700, 3):
            damaged[position] = rng.integers(256)
        (tmp_path / "damaged.pth").write_bytes(damaged)
        try:
            assert "state_dict" in load_checkpoint(tmp_path / "damaged.pth")
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 30


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth: expected a checkpoint, found none"):
        load_checkpoint(tmp_path / "none.pth")


def test_failed_save_keeps_the_older_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "a.pth", {"state_dict": {"w": WEIGHT}, "iteration": 1})

    def half(content, file):
        file.write(b"half of a checkpoint")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(tmp_path / "a.pth", {"state_dict": {"w": WEIGHT}, "iteration": 2})
    assert load_checkpoint(tmp_path / "a.pth")["iteration"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def _saved(folder: Path, *iterations: int) -> tuple[Path, Path]:
    latest, previous = folder / "latest.pth", folder / "previous.pth"
    for iteration in iterations:
        save_checkpoint(latest, {"state_dict": {"w": WEIGHT}, "iteration": iteration}, previous=previous)
    return latest, previous


def test_the_one_before_is_kept(tmp_path):
    latest, previous = _saved(tmp_path, 1, 2, 3)
    assert [load_checkpoint(path)["iteration"] for path in (latest, previous)] == [3, 2]
    assert load_latest(latest, previous)[0]["iteration"] == 3 and load_latest(latest, previous)[1] is None


def test_the_first_has_none_before_it(tmp_path):
    latest, previous = _saved(tmp_path, 1)
    assert not previous.exists()
    latest.write_bytes(b"")
    with pytest.raises(ValueError, match=r"latest\.pth: expected a checkpoint"):
        load_latest(latest, previous)


def test_no_links_on_this_file_system(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    latest, previous = _saved(tmp_path, 1, 2)
    assert [load_checkpoint(path)["iteration"] for path in (latest, previous)] == [2, 1]


def test_a_flipped_bit_of_the_weights_is_seen_by_its_checksum(tmp_path):
    latest, previous = _saved(tmp_path, 1, 2)
    damaged = bytearray(latest.read_bytes())
    damaged[damaged.index(WEIGHT.numpy().tobytes()) + 2] ^= 1
    latest.write_bytes(damaged)
    assert not torch.equal(torch.load(latest)["state_dict"]["w"], WEIGHT), "torch itself does not notice"
    assert "does not fit its checksum" in _refusal(latest)
    checkpoint, note = load_latest(latest, previous)
    assert checkpoint["iteration"] == 1
    assert "does not fit its checksum" in note and note.endswith(f"falling back to {previous}")


def test_neither_is_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a checkpoint to resume, found none"):
        load_latest(tmp_path / "latest.pth", tmp_path / "previous.pth")
