"""Weights & Biases beside TensorBoard, without a network: what its own file of a run holds."""

import struct
import sys
import time

import numpy as np
import pytest
import wandb
from wandb.proto.wandb_internal_pb2 import Record

import run
from training.wandb_mirror import wandb_mirror
from utils.log import RunLog

BLOCK = 32768  # bytes, of LevelDB's log


def _records(folder) -> list[Record]:
    """What the file of the one offline run in a run folder says, in order."""
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    # LevelDB's log: blocks, the first of which begins with 7 bytes of the package, of pieces, each with a check sum (4
    # bytes), its size (2) and whether a record begins, goes on or ends with it (1: all of it, 2, 3, 4: the last).
    data, at, records, begun = file.read_bytes(), 7, [], b""
    while len(data) - at >= 7:
        if (left := BLOCK - at % BLOCK) < 7:
            at += left
            continue
        size, kind = struct.unpack_from("<HB", data, at + 4)
        begun += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            records.append(Record.FromString(begun))
            begun = b""
    return records


def _finished_records(folder) -> list[Record]:
    """The same, once the package has written the last: its own process may be at it when the run is over for ours."""
    deadline = time.monotonic() + 30
    while True:
        records = _records(folder)
        if any(record.HasField("exit") for record in records):
            return records
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_scalars_and_pictures_are_mirrored_once_and_each_run_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name, loss in (("first", 0.25), ("second", 0.75)):
        folder = tmp_path / name
        with wandb_mirror(folder, {"lr": 0.0123}, resume=False), RunLog(folder) as log:
            log.scalars("train", {"loss": loss}, 1)
            log.picture("examples", np.zeros((8, 8, 3), np.uint8), 1)
        records = _finished_records(folder)
        told = [item for record in records for item in record.history.item]
        assert [item.value_json for item in told if (item.key or "/".join(item.nested_key)) == "train/loss"] == [
            str(loss)
        ]
        (begun,) = (record.run for record in records if record.HasField("run"))
        assert begun.display_name == f"{tmp_path.name}/{name}"
        assert {item.key: item.value_json for item in begun.config.update}["lr"] == "0.0123"
        assert len(list(folder.glob("wandb/offline-run-*/files/media/images/*.png"))) == 1


def _not_logged_in(**_):
    raise wandb.errors.UsageError("No API key")


def test_a_run_that_cannot_begin_and_a_missing_package_are_sentences(tiny_root, tmp_path, monkeypatch, capsys):
    line = f"--data kvasir --root {tiny_root} --exp_path {tmp_path / 'exp'} --wandb --num_levels 1 --device cpu"
    line += " --spatial_size 32 --features 4,8,8,8,8,4 -bs 2 --max_ite 1 --num_worker 0"
    monkeypatch.setattr(wandb, "init", _not_logged_in)
    assert run.main(line.split()) == 2
    message = capsys.readouterr().err
    assert "error: --wandb: expected a run to begin, found No API key" in message and "WANDB_MODE=offline" in message
    assert not wandb.patched["tensorboard"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert run.main(line.split()) == 2
    message = capsys.readouterr().err
    assert "--wandb: expected the package wandb, found it missing" in message
    assert "pip install -r requirements-wandb.txt" in message and message.count("\n") == 1


@pytest.mark.parametrize(("options", "codes"), [([], [0]), (["--max_minutes", "0.000001"], [1])])
def test_a_run_that_was_stopped_is_left_open_to_go_on(options, codes, tiny_root, tmp_path, monkeypatch):
    asked, ended = [], []

    class Run:
        def finish(self, *, exit_code):
            ended.append(exit_code)

    monkeypatch.setattr(wandb, "init", lambda **given: asked.append(given["resume"]) or Run())
    line = f"--data kvasir --root {tiny_root} --exp_path {tmp_path / 'exp'} --wandb --num_levels 1 --device cpu"
    line += " --spatial_size 32 --features 4,8,8,8,8,4 -bs 2 --max_ite 3 --num_worker 0"
    assert run.main([*line.split(), *options]) == (130 if options else 0)
    # Without it the first time, the package would not keep the id to go on with.
    assert ended == codes and asked == ["auto"]
    if options:
        known = tmp_path / "exp" / "wandb" / "wandb-resume.json"
        known.parent.mkdir(exist_ok=True)
        known.write_text("{}")
        assert run.main([*line.split(), "--resume"]) == 0
        assert ended == [1, 0] and asked == ["auto", "auto"] and known.is_file()
        # A run that replaces it is another one.
        assert run.main([*line.split(), "--overwrite"]) == 0 and not known.exists()
