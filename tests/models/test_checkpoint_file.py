"""Files that make a safe reader work for ever, or read what is not what was written."""

import argparse
import collections
import os
import time
import zipfile

import numpy as np
import pytest
import torch

from models.checkpoint import load_checkpoint

WEIGHT = torch.arange(6.0).reshape(2, 3)
CONTENT = {"state_dict": {"w": WEIGHT}, "opt": argparse.Namespace(lr=0.1), "best_performance": np.float64(0.5)}
PLACE = b"X\x04\x00\x00\x00HERE"


def archive_with(path, pickled: bytes, compression=zipfile.ZIP_STORED):
    """A checkpoint whose pickle makes something of its own for the entry ``extra``."""
    torch.save({**CONTENT, "extra": "HERE"}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content.replace(PLACE, pickled))
    return path


def refusal(path) -> str:
    start = time.monotonic()
    with pytest.raises(ValueError, match=path.name) as caught:
        load_checkpoint(path)
    assert time.monotonic() - start < 20
    return str(caught.value)


def doubled_tuples(levels: int) -> bytes:
    """(((1, 1), (1, 1)), ...), each pair of the one before: a hash takes 2**levels steps."""
    keep = [b"r" + (1000 + level).to_bytes(4, "little") for level in range(levels)]
    return b"K\x01" + b"".join(put + b"j" + put[1:] + b"\x86" for put in keep)


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (b"}" + doubled_tuples(100) + b"K\x01s", "a key is neither a name nor a number"),
        (b"})" + b"\x85" * 100_000 + b"K\x01s", "a key is neither a name nor a number"),
        (b"}(K\x01K\x01)K\x01u", "a key is neither a name nor a number"),
        (b"ccollections\nOrderedDict\n]](" + doubled_tuples(100) + b"K\x01ea\x85R", "other arguments than torch's"),
        (b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R", "an object of type __builtin__.bytearray"),
        (b"c__builtin__\nset\n](K\x01e\x85R", "an object of type __builtin__.set"),
        (b"ctorch\nTensor\nJ\xff\xff\xff\x7f\x85R", "torch.Tensor"),
        (b"cnumpy\ndtype\nX\x0b\x00\x00\x00V9999999999\x85R", "other arguments than torch's"),
        (b"cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R(K\x03X\x01\x00\x00\x00<NNNK\x10K\x10K?tb", "another state"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x08\x00\x00\x00punycode\x86R", "other arguments than torch's"),
        (b"]" * 200_000 + b"a" * 199_999, "16 deep, found more"),
        (b"\x85", "corrupt or foreign"),
        (b"e", "corrupt or foreign"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pickle_that_asks_for_what_torch_never_writes(tmp_path, pickled, said):
    assert said in refusal(archive_with(tmp_path / "a.pth", pickled))


def test_attributes_that_hide_the_items(tmp_path):
    path = archive_with(tmp_path / "a.pth", b"ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb")
    assert load_checkpoint(path)["extra"] == {}


def test_packed_members(tmp_path):
    path = archive_with(tmp_path / "a.pth", b"X\x40\x42\x0f\x00" + b"a" * 10**6, zipfile.ZIP_DEFLATED)
    assert "packed, which torch does not do" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(tmp_path):
    path = archive_with(tmp_path / "a.pth", PLACE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("A/DATA.PKL", b"other")
    assert "is there twice" in refusal(path) or "corrupt" in refusal(path)


def test_without_checksums(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(CONTENT, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(load_checkpoint(tmp_path / "a.pth")["state_dict"]["w"], WEIGHT)


@pytest.mark.parametrize("content", [collections.OrderedDict(w=WEIGHT), CONTENT], ids=["bare", "with entries"])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes_is_read(tmp_path, content, zipped):
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert torch.equal(loaded["state_dict"]["w"], WEIGHT)


@pytest.mark.parametrize("zipped", [True, False])
def test_storages_that_claim_more_than_there_is(tmp_path, zipped):
    class Claim:
        def __reduce__(self):
            size = (10**14,)
            arguments = (WEIGHT.storage(), 0, size, (1,), False, collections.OrderedDict())
            return torch._utils._rebuild_tensor_v2, arguments

    torch.save({"state_dict": {"w": Claim()}}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert "corrupt or foreign" in refusal(tmp_path / "a.pth")


def test_no_regular_file(tmp_path):
    path = tmp_path / "a.pth"
    for make, found in (
        (path.mkdir, "found a folder"),
        (lambda: os.mkfifo(path), "found something else"),
        (lambda: path.symlink_to(path), "found none"),
        (lambda: path.symlink_to("/dev/zero"), "found something else"),
    ):
        make()
        with pytest.raises(FileNotFoundError, match=found):
            load_checkpoint(path)
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="no files of the system without a size")
def test_a_file_of_the_system(tmp_path):
    (tmp_path / "a.pth").symlink_to("/proc/self/mem")
    assert "found an empty file" in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>Virus scan warning</html>", b"version https://git-lfs.github.com/spec/v1\noid"]
)
def test_a_page_or_pointer_in_place_of_a_download_is_shown(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(ValueError, match="expected a checkpoint, found a corrupt or foreign file") as error:
        load_checkpoint(tmp_path / "a.pth")
    assert f"it begins with {content[:24]!r}" in str(error.value) and "trust" not in str(error.value)
