"""What a checkpoint may hold: every entry of another type, size or name is a sentence."""

import argparse
import copy
import functools
import math
import random

import numpy as np
import pytest
import torch

from datasets.settings import NORMALISATIONS
from models.checkpoint import load_checkpoint
from models.checkpoint_schema import CONFIG, MODEL, plain
from models.multi_level import CONS_MODES, ENSEMBLES, INITS
from models.propagation import SIMILARITIES
from training.seeding import random_states

WEIGHT = torch.arange(6.0).reshape(2, 3)
CONTENT = {
    "state_dict": {"model.0.w": WEIGHT, "n": torch.tensor(3)},
    "opt": {"lr": 0.1, "features": (4, 8), "root": "data", "amp": None, "fp16": False},
    "iteration": 7,
    "best_performance": None,
    "selected_on": "test",
    "state": {"validated": 7, "seconds": 1.5},
    "scaler": {},
    "random": random_states(),
    "config": {
        "model": {"name": "unet", "in_channels": 3, "num_levels": 2, "features": (4, 8, 8, 8, 8, 4), "feat_dim": None},
        "data": "kvasir",
        "normalisation": "imagenet",
        "train_ids": [1, 2**48 - 1],
        "spatial_size": 224,
    },
}


def changed(where: str, value) -> dict:
    content = copy.deepcopy(CONTENT)
    *outer, last = where.split("/")
    functools.reduce(lambda inner, key: inner[key], outer, content)[last] = value
    return content


def refusal(path, content) -> str:
    torch.save(content, path)
    with pytest.raises(ValueError, match=path.name) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    return str(caught.value).partition(": ")[2]


def test_what_a_run_writes_is_taken(tmp_path):
    torch.save(CONTENT, tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert loaded["config"] == CONTENT["config"] and loaded["opt"] == CONTENT["opt"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        *(("config", value) for value in ([1], "text", 3, argparse.Namespace(data="kvasir"))),
        *(("config/model", value) for value in (3, [], "unet", {"name": "unet"})),
        ("config/model/name", None),
        ("config/model/num_levels", 10**6),
        ("config/model/num_levels", True),
        ("config/model/num_levels", 2.0),
        ("config/model/features", 64),
        ("config/model/features", (4, 8)),
        ("config/model/features", (10**9,) * 6),
        ("config/model/feat_dim", math.inf),
        *(("config/model/encoder", name) for name in ("tu-hf-hub:evil/x", "local-dir:/tmp", "/tmp", "https://a", "")),
        ("config/model/prop_kernel_size", -1),
        ("config/data", 5),
        ("config/normalisation", "evil"),
        *(("config/train_ids", value) for value in (5, "12", [1, "2"], [-1], [2**48], {1: 2})),
        *(("config/spatial_size", value) for value in (-5, "224", 224.0, 10**9, None, True)),
        ("config/level_thresholds", [math.nan]),
        *(("iteration", value) for value in (math.inf, [7], "7", -1, 7.0, True, 2**70, np.float64(7))),
        *(("best_performance", value) for value in (math.nan, -2.0, "0.5", [], WEIGHT)),
        ("selected_on", "train"),
        ("selection_ids", 3),
        ("state/validated", None),
        ("state/nope", 1),
        ("scaler", 5),
        ("scaler/scale", 0.0),
        ("random/numpy", ("MT19937", [0] * 624, 10**6, 0, 0.0)),
        ("random/torch", torch.zeros(1, dtype=torch.uint8).expand(10**9)),
        ("random", {}),
        ("opt", 5),
        ("opt/lr", {"a": 1}),
        ("opt/lr", [[1]]),
    ],
)
def test_an_entry_that_is_not_what_it_may_be(tmp_path, where, value):
    message = refusal(tmp_path / "a.pth", changed(where, value))
    if type(value) is not int or value < 2**63:
        assert message.startswith(f"expected {where.replace('/', '.').replace('opt.lr', 'opt')}"), message


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        *((WEIGHT.to(kind), "expected weights of type") for kind in (torch.int8, torch.bool, torch.complex64)),
        *((WEIGHT * value, "expected finite weights") for value in (math.nan, math.inf)),
        (WEIGHT.double() * 1e300, "expected finite weights"),
        (torch.zeros(1).expand(10**5, 10**5, 10**5), "expected weights that the file holds"),
        (torch.zeros(()).expand(10**9), "expected weights that the file holds"),
        (WEIGHT.to_sparse(), "_rebuild_sparse_tensor; save the weights as dense"),
        (WEIGHT.to("meta"), "_rebuild_meta_tensor_no_storage; save the weights as dense"),
        (torch.quantize_per_tensor(WEIGHT, 0.1, 0, torch.qint8), "_rebuild_qtensor; save the weights as dense"),
        (WEIGHT.to(torch.float8_e4m3fn), "_rebuild_tensor_v3; save the weights as dense"),
        (5, "expected a checkpoint with a state_dict of tensors"),
        ([WEIGHT], "expected a checkpoint with a state_dict of tensors"),
    ],
)
def test_a_weight_that_is_none(tmp_path, weight, expected):
    assert expected in refusal(tmp_path / "a.pth", changed("state_dict/model.0.w", weight))


@pytest.mark.parametrize(
    "weight",
    [
        WEIGHT.double(),
        WEIGHT.half(),
        WEIGHT.bfloat16(),
        torch.nn.Parameter(WEIGHT.clone()),
        torch.arange(12.0)[::2].reshape(2, 3),
        WEIGHT.t(),
        torch.zeros(0),
    ],
)
def test_weights_of_other_precisions_and_layouts(tmp_path, weight):
    torch.save(changed("state_dict/model.0.w", weight), tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth")["state_dict"]["model.0.w"]
    assert torch.equal(loaded, weight.detach()) and not loaded.requires_grad


def test_what_contains_itself_or_is_without_end():
    circle: list = []
    circle.append(circle)
    laughs: list = ["ha"]
    for _ in range(14):
        laughs = [laughs] * 10
    deep: list = []
    for _ in range(200_000):
        deep = [deep]
    for value in (circle, laughs, deep):
        with pytest.raises(ValueError, match="values, 16 deep, found more"):
            plain({"a": value})


def test_attributes_of_a_subclass_are_left_behind(tmp_path):
    class Dict(dict):
        items = None

    assert plain(Dict(a=(1, Dict()))) == {"a": (1, {})}
    assert type(plain(Dict())) is dict


@pytest.mark.parametrize("value", [{1, 2}, 1j, torch.float32, object(), 2**64, "x" * 10_001])
def test_other_values(value):
    with pytest.raises(ValueError, match="expected"):
        plain({"a": value})


def test_names_are_those_of_the_registries():
    registries = {
        "cons_mode": CONS_MODES,
        "init": INITS,
        "prop_similarity": SIMILARITIES,
        "ensemble": ENSEMBLES,
    }
    for entry, names in [(MODEL[key], names) for key, names in registries.items()] + [
        (CONFIG["normalisation"], NORMALISATIONS),
    ]:
        assert entry.expected == f"one of {', '.join(names)}"
        assert all(map(entry.fits, names)) and not entry.fits("other")


def test_any_value_in_any_place_is_a_sentence_or_taken(tmp_path):
    """Whatever a checkpoint holds, nothing but ValueError comes out."""
    draw = random.Random(0)
    values = [None, True, -5, 2**70, math.nan, "text", b"bytes", [], [1, "a"], (), {}, {"a": 1}, WEIGHT, np.float64(3)]
    values += [argparse.Namespace(a=1), {(1, 2): 3}, "x" * 10**5, [[[[1]]]]]

    def places(content, where=()):
        for key, inner in content.items():
            yield (*where, key)
            if isinstance(inner, dict):
                yield from places(inner, (*where, key))

    for where in places(CONTENT):
        for value in draw.sample(values, 4):
            torch.save(changed("/".join(where), value), tmp_path / "a.pth")
            try:
                load_checkpoint(tmp_path / "a.pth")
            except ValueError as error:
                assert "\n" not in str(error)
