"""What several processes say together; real ones are in tests/test_distributed.py."""

import pytest
import torch

from utils.distributed import SINGLE, Group, process_group


class Told(Group):
    """A process that is told what all of them gather."""

    def gather(self, value):
        return PARTS


PARTS = [["a", "d", "g"], ["b", "e"], ["c", "f"]]


def test_parts_of_a_sequence_and_the_whole_again():
    assert [Group(rank, 3).shard("abcdefg") for rank in range(3)] == ["adg", "be", "cf"]
    assert Told(0, 3).gather_in_order(PARTS[0]) == list("abcdefg")


def test_alone_nothing_happens():
    model, terms = torch.nn.Linear(1, 1), {"loss": torch.tensor(3.0)}
    assert SINGLE.wrap(model) is model and SINGLE.is_main
    assert SINGLE.mean(terms, 1.0) == terms
    assert SINGLE.any(True) and not SINGLE.any(False)
    assert SINGLE.gather(5) == [5] and SINGLE.gather_in_order([1, 2]) == [1, 2] and SINGLE.shard([1, 2]) == [1, 2]
    SINGLE.barrier()


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group("cpu") as (group, device):
        assert group is SINGLE and device == torch.device("cpu")


@pytest.mark.gpu
def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "999")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "999")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(ValueError, match="--nproc_per_node"), process_group(None):
        pass


def test_a_size_that_torchrun_has_not_set(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, message in ((None, "no number in LOCAL_RANK"), ("0", "no number in LOCAL_WORLD_SIZE")):
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
        monkeypatch.setenv("LOCAL_RANK", rank) if rank else monkeypatch.delenv("LOCAL_RANK", raising=False)
        with pytest.raises(ValueError, match=f"WORLD_SIZE=2: expected torchrun .* {message}"), process_group("cpu"):
            pass
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ValueError, match="WORLD_SIZE=two: expected torchrun .* no number in WORLD_SIZE"):
        process_group("cpu").__enter__()
