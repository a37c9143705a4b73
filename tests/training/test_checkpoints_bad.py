"""Checkpoints that are not what they seem, given to every command that takes one."""

import copy
import shutil

import pytest
import torch

import run

SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]
COMMANDS = ("evaluate", "predict", "export", "figure", "resume", "start", "seeds")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, module_root):
    """A run folder, and the content of its last checkpoint, as if it were in the middle of the run."""
    folder = tmp_path_factory.mktemp("trained") / "exp"
    assert run.main([*train_line(module_root, folder), "--max_ite", "2"]) == 0
    content = torch.load(folder / "model_latest.pth", weights_only=True)
    return folder, {**content, "iteration": 1}


@pytest.fixture(scope="module")
def module_root(tmp_path_factory, request):
    """``tiny_root`` once for all of these."""
    return request.getfixturevalue("make_tiny_root")(tmp_path_factory.mktemp("data") / "kvasir")


def train_line(root, folder):
    return ["train", "--data", "kvasir", "--root", str(root), "--exp_path", str(folder), *SMALL]


def lines(root, trained, checkpoint, out) -> dict:
    shutil.copytree(trained, out / "resumed")
    path = ["--ckpt_path", str(checkpoint)]
    here = ["--device", "cpu", "--num_worker", "0"]
    start = [*train_line(root, out / "started"), "--max_ite", "2", *path]
    images = str(root / "images" / "polyp7.jpg")
    return {
        "evaluate": ["evaluate", "--root", str(root), *path, "--exp_path", str(out / "e"), *here],
        "predict": ["predict", "--images", images, "--out", str(out / "p"), *path, *here],
        "export": ["export", "--to", str(out / "m.pt2"), *path, "--check_images", images],
        "figure": ["figure", "--data", "kvasir", "--root", str(root), "--runs", str(checkpoint), "--ids", "polyp7",
                   "--to", str(out / "f.png"), "--device", "cpu"],
        "resume": [*train_line(root, out / "resumed"), "--max_ite", "2", "--resume", *path],
        "start": start,
        "seeds": [*start, "--seeds", "0,1", "--overwrite"],
    }  # fmt: skip


def with_weights(content, value):
    content["state_dict"] = {key: value(weight) for key, weight in content["state_dict"].items()}


def with_config(content, **config):
    content["config"] |= config


def with_optimizer(content, value):
    content["optimizer"]["state"][0] = value


def with_random(content, **states):
    content["random"] |= states


FOR_ALL = {
    "a list as config": (lambda c: c.update(config=[1]), "expected config to be entries by name"),
    "an address": (lambda c: c["config"]["model"].update(encoder="tu-hf-hub:evil/x"), "expected config.model.encoder"),
    "levels without end": (
        lambda c: c["config"]["model"].update(num_levels=200_000),
        "config.model.num_levels",
    ),
    "a normalisation of its own": (lambda c: with_config(c, normalisation="evil"), "expected config.normalisation"),
    "a negative size": (lambda c: with_config(c, spatial_size=-5), "expected config.spatial_size"),
    "complex weights": (lambda c: with_weights(c, lambda w: w.to(torch.complex64)), "expected weights of type"),
    "a tuple as key": (lambda c: c.update({("a", ("b",)): 1}), "neither a name nor a number"),
}
FOR_NETWORKS = {
    "wide claims": (lambda c: c["config"]["model"].update(features=(60_000,) * 6), "another architecture"),
    "one level too many": (lambda c: c["config"]["model"].update(num_levels=3), "another architecture"),
    "other channels": (lambda c: with_config(c, channels=1), "expected a network for 1 image channels"),
    "huge weights": (lambda c: with_weights(c, lambda w: w * 1e30), "polyp7"),
}
FOR_RESUMING = {
    "another parameter": (lambda c: c["optimizer"]["state"].update({99: {}}), "optimizer: expected"),
    "means of another shape": (lambda c: with_optimizer(c, {"momentum_buffer": torch.zeros(3)}), "optimizer: expected"),
    "no means": (lambda c: with_optimizer(c, {"momentum_buffer": None}), "optimizer: expected"),
    "infinite means": (
        lambda c: c["optimizer"]["state"][0]["momentum_buffer"].fill_(torch.inf),
        "optimizer: expected",
    ),
    "no optimizer": (lambda c: c.update(optimizer={}), "optimizer: expected"),
    "text as optimizer": (lambda c: c.update(optimizer="sgd"), "optimizer: expected"),
    "no scaler": (lambda c: c.pop("scaler"), "found one that cannot be resumed"),
    "a later iteration": (lambda c: c.update(iteration=3), "expected an iteration up to 2, found 3"),
    "a state of Python's that is none": (lambda c: with_random(c, python=(3, (1, 2), None)), "random: expected"),
    "bytes that are no state": (lambda c: with_random(c, torch=torch.zeros(9, dtype=torch.uint8)), "random: expected"),
}
CASES = [
    *((command, *case) for case in FOR_ALL.values() for command in COMMANDS),
    *((command, *case) for case in FOR_NETWORKS.values() for command in COMMANDS[:4]),
    *(("resume", *case) for case in FOR_RESUMING.values()),
]


@pytest.mark.parametrize(("command", "change", "said"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_a_sentence_and_nothing_else(module_root, trained, tmp_path, capfd, command, change, said):
    folder, content = trained
    content = copy.deepcopy(content)
    change(content)
    torch.save(content, tmp_path / "bad.pth")
    assert run.main(lines(module_root, folder, tmp_path / "bad.pth", tmp_path)[command]) == 2
    error = capfd.readouterr().err
    assert said in error and "bad.pth" in error and "Traceback" not in error
    assert not any((tmp_path / name).exists() for name in ("m.pt2", "f.png", "started/model_latest.pth"))


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_wrapped_weights_predict_the_same(module_root, trained, tmp_path, wrapper):
    folder, content = trained
    weights = {f"{wrapper}{key}": weight for key, weight in content["state_dict"].items()}
    inner = {key.replace("model.1.", f"model.1.{wrapper}"): weight for key, weight in content["state_dict"].items()}
    for name, state_dict in (("plain", content["state_dict"]), ("outer", weights), ("inner", inner)):
        torch.save({**content, "state_dict": state_dict}, tmp_path / f"{name}.pth")
        line = ["predict", "--images", str(module_root / "images" / "polyp7.jpg"), "--out", str(tmp_path / name)]
        line += ["--ckpt_path", str(tmp_path / f"{name}.pth"), "--device", "cpu", "--num_worker", "0", "--save_prob"]
        assert run.main(line) == 0
    maps = [(tmp_path / name / "probabilities/polyp7.png").read_bytes() for name in ("plain", "outer", "inner")]
    assert maps[0] == maps[1] == maps[2]


def test_a_flipped_bit_of_the_weights_is_no_other_mask(module_root, trained, tmp_path, capfd):
    folder, content = trained
    torch.save(content, tmp_path / "bad.pth")
    damaged = bytearray((tmp_path / "bad.pth").read_bytes())
    weights = content["state_dict"]["model.0.encoder.conv_0.conv_0.conv.bias"]
    damaged[damaged.index(weights.numpy().tobytes()) + 3] ^= 1
    (tmp_path / "bad.pth").write_bytes(damaged)
    for line in lines(module_root, folder, tmp_path / "bad.pth", tmp_path).values():
        assert run.main(line) == 2
        assert "does not fit its checksum" in capfd.readouterr().err


def test_a_link_to_itself(module_root, trained, tmp_path, capfd):
    (tmp_path / "bad.pth").symlink_to(tmp_path / "bad.pth")
    for command, line in lines(module_root, trained[0], tmp_path / "bad.pth", tmp_path).items():
        assert run.main(line) == 2, command
        assert "bad.pth: expected a" in capfd.readouterr().err


def test_validation_that_is_not_finite_ends_a_run(module_root, trained, tmp_path, capfd, monkeypatch):
    import trainer

    def explode(optimizer, *_):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.data.fill_(1e30)

    monkeypatch.setattr(trainer, "take_step", explode)
    assert run.main([*train_line(module_root, tmp_path / "exp"), "--max_ite", "2", "--val_step", "1"]) == 2
    assert "polyp7: expected finite outputs of the network at iteration 1, found" in capfd.readouterr().err
