"""``run.py export``: files that say what PyTorch says, with a card that is true, or no file at all."""

import importlib.util
import json
import os
import re
import resource
import runpy
import signal
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import run
from inference.exporting import check, onnx_file
from inference.exporting.export import _versions
from inference.exporting.facts import find_results, network_facts
from inference.exporting.formats import FORMATS, pick_format
from inference.exporting.network import ExportWrapper
from inference.network_scores import full_size_probabilities
from inference.predictor import Predictor
from models import build_model
from models.basic_unet import BasicUNet
from utils.inputs import sha256_of

CPU = torch.device("cpu")
WHOLE_FORWARD = BasicUNet.forward
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in FORMATS["onnx"].packages),
    reason="needs the packages of requirements-export.txt",
)
# Odd, not square, the smallest, a batch of one and of several.
SHAPES = [(1, 32, 32), (3, 64, 48), (1, 33, 47), (2, 16, 16), (1, 96, 75)]
# At the bottom of a network that halves its input once as small as the others at that of the whole one.
SHALLOW_SHAPES = [*SHAPES, (2, 2, 2), (1, 3, 2), (5, 5, 7)]


def save(path: Path, *, channels=3, levels=1, seed=0, config=None, model="unet", widest=8) -> Path:
    torch.manual_seed(seed)
    features = (4, 8, 8, 8, widest, 4)
    settings = {"in_channels": channels, "num_levels": levels, "features": features, "encoder": "resnet18"}
    network = build_model(model, **settings)
    for level in network.model:
        torch.nn.init.normal_(level.classifier.weight)  # as it is, all probabilities are near one half
    remembered = {"model": {"name": model, **settings}, "spatial_size": 32, **(config or {})}
    said = {"iteration": 6, "best_iteration": 6, "selected_on": "test", "opt": {"seed": 0, "lr": 0.5}}
    torch.save({"state_dict": network.state_dict(), "config": remembered, **said}, path)
    return path


def export(*checkpoints, to: Path, more=()) -> int:
    return run.main(["export", "--ckpt_path", *map(str, checkpoints), "--to", str(to), *map(str, more)])


def refused(capsys, *checkpoints, to: Path, more=()) -> str:
    capsys.readouterr()
    assert export(*checkpoints, to=to, more=more) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1 and error.startswith("run.py export: error: ")
    return error


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def largest_difference(path: Path, format_name: str, *checkpoints, shapes=SHALLOW_SHAPES, **options) -> float:
    predictor = Predictor(checkpoints, CPU, **options)
    inputs = [torch.randn(batch, predictor.preprocessing.channels, *size) for batch, *size in shapes]
    answers = check.expected_outputs(ExportWrapper(predictor.model), inputs)
    found = check.largest_differences(answers, FORMATS[format_name].load(path))
    return max(found["probability"], found["logits"])


def holds_no_path(path: Path) -> bool:
    """Where this machine keeps its files is nobody's business."""
    contents = [path.read_bytes()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents += map(archive.read, archive.namelist())
    places = (Path(__file__).resolve().parents[2], Path(torch.__file__).parent)
    return not any(str(place).encode() in content for place in places for content in contents)


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """A third of the released network, the same blocks and weights: to record all of it takes three times as long."""

    def forward(network, x):
        x0 = network.conv_0(x)
        return network.final_conv(network.upcat_1(network.down_1(x0), x0))

    monkeypatch.setattr(BasicUNet, "forward", forward)


@pytest.fixture(autouse=True)
def read_once(monkeypatch):
    """To read a graph back takes longer than to record it: once a test and content, by the command or by the test."""
    load, runners = FORMATS["torch.export"].load, {}

    def load_once(path: Path):
        content = sha256_of(path)
        if content not in runners:
            runners[content] = load(path)
        return runners[content]

    monkeypatch.setitem(FORMATS, "torch.export", FORMATS["torch.export"]._replace(load=load_once))


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return save(tmp_path / "model.pth")


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@needs_onnx
def test_onnx_from_the_command_to_the_mask(checkpoint, folder, tiny_root, monkeypatch, capsys):
    import onnx

    path = folder / "model.onnx"
    converted = []
    convert = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda *a, **k: converted.append(convert(*a, **k)) or converted[0])
    assert export(checkpoint, to=path, more=["--check_images", tiny_root / "images"]) == 0
    assert "checked on 8 real images" in capsys.readouterr().out
    assert names(folder) == ["model.onnx", "model.onnx.json", "model.onnx.md"]
    onnx.checker.check_model(path, full_check=True)
    graph = onnx.load(path).graph
    assert [dim.dim_param or dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim] == [
        "batch",
        3,
        "height",
        "width",
    ]
    assert [output.name for output in graph.output] == ["logits", "level_logits", "probability"]
    assert holds_no_path(path) and onnx.load(path).ir_version == 8
    assert largest_difference(path, "onnx", checkpoint) < 1e-5
    facts = json.loads(Path(f"{path}.json").read_text())
    assert (facts["opset"], facts["check"]["real_images"], facts["check"]["num_images"]) == (18, True, 8)
    _program_of_the_card_agrees(path, checkpoint, tiny_root / "images" / "polyp7.jpg", monkeypatch)
    # Again, as if this were too large for one file; converting takes long, so it is not repeated.
    monkeypatch.setattr(torch.onnx, "export", lambda *a, **k: converted[0])
    large = folder / "large" / "model.onnx"
    large.parent.mkdir()
    onnx_file.write(module_of(checkpoint), Predictor([checkpoint], CPU), large, largest_file=1000)
    assert names(large.parent) == ["model.onnx", "model.onnx.data"]
    assert largest_difference(large, "onnx", checkpoint) < 1e-5


def test_torch_export(checkpoint, folder, tiny_root, monkeypatch):
    path = folder / "model.pt2"
    assert export(checkpoint, to=path) == 0
    assert holds_no_path(path)
    assert largest_difference(path, "torch.export", checkpoint) < 1e-5
    _program_of_the_card_agrees(path, checkpoint, tiny_root / "images" / "polyp8.jpg", monkeypatch)


def test_levels_checkpoints_and_views_in_one_graph(tmp_path, folder, monkeypatch):
    # Sixteen networks, so of one block each: what is asked is how they are put together.
    monkeypatch.setattr(BasicUNet, "forward", lambda network, x: network.final_conv(network.conv_0(x)))
    checkpoints = [save(tmp_path / f"{seed}.pth", levels=2, seed=seed) for seed in (1, 2)]
    path = folder / "model.pt2"
    assert export(*checkpoints, to=path, more=["--tta", "--ensemble", "probs"]) == 0
    options = {"tta": True, "ensemble": "probs"}
    assert holds_no_path(path)
    assert largest_difference(path, "torch.export", *checkpoints, shapes=[(1, 33, 47), (2, 2, 2)], **options) < 1e-5
    # It would be noticed if anything of it were missing.
    one = {"shapes": [(2, 16, 16)]}
    assert largest_difference(path, "torch.export", checkpoints[0], **options, **one) > 1e-3
    assert largest_difference(path, "torch.export", *checkpoints, ensemble="probs", **one) > 1e-3
    facts = json.loads(Path(f"{path}.json").read_text())
    assert (facts["levels"], facts["networks"], facts["views"], facts["tta"]) == (2, 2, 4, True)


def test_the_whole_network_with_one_channel_and_its_z_score(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(BasicUNet, "forward", WHOLE_FORWARD)
    checkpoint = save(tmp_path / "model.pth", channels=1, config={"data": "prostate", "normalisation": "zscore"})
    path = folder / "model.pt2"
    picture = save_grey(tmp_path / "slice.png")
    assert export(checkpoint, to=path, more=["--check_images", picture]) == 0
    assert largest_difference(path, "torch.export", checkpoint, shapes=SHAPES) < 1e-5
    assert "The Cancer Imaging Archive" in Path(f"{path}.md").read_text()
    _program_of_the_card_agrees(path, checkpoint, picture, monkeypatch)


@pytest.mark.parametrize(
    ("channels", "picture", "antialias"), [(3, "slice.png", True), (1, "images/polyp7.jpg", False)]
)
def test_pictures_of_other_channels_than_the_network(
    channels, picture, antialias, tmp_path, folder, tiny_root, monkeypatch
):
    config = {"normalisation": "zscore", "antialias": antialias, "spatial_size": 24}
    checkpoint = save(tmp_path / "model.pth", channels=channels, config=config)
    save_grey(tiny_root / "slice.png")
    assert export(checkpoint, to=folder / "model.pt2") == 0
    _program_of_the_card_agrees(folder / "model.pt2", checkpoint, tiny_root / picture, monkeypatch)


def save_grey(path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 4000, (40, 36)).astype(np.uint16)
    Image.fromarray(values).save(path)
    return path


def test_smp_networks_of_any_size(tmp_path, folder):
    checkpoint = save(tmp_path / "model.pth", model="smp-unet")
    assert export(checkpoint, to=folder / "model.pt2") == 0
    assert largest_difference(folder / "model.pt2", "torch.export", checkpoint, shapes=SHAPES) < 1e-4


def test_a_file_that_says_something_else_is_not_kept(checkpoint, folder, monkeypatch, capsys):
    def load(path):
        return lambda image: {name: value + 0.05 for name, value in module_of(checkpoint)(image).items()}

    monkeypatch.setitem(FORMATS, "checkpoint", FORMATS["checkpoint"]._replace(load=load))
    assert "found probabilities up to 5.0e-02" in refused(capsys, checkpoint, to=folder / "new" / "model.pth")
    assert names(folder) == []


def test_a_network_that_a_format_does_not_hold(checkpoint, folder, monkeypatch, capsys):
    def write(*_):
        raise RuntimeError("op <built-in function ceil>\nis not in _SYM_OPS")

    monkeypatch.setitem(FORMATS, "torch.export", FORMATS["torch.export"]._replace(write=write))
    said = refused(capsys, checkpoint, to=folder / "model.pt2")
    assert "--format torch.export: expected a network that the format holds, found one that it does not (op" in said
    assert "choose another of onnx, torch.export, checkpoint" in said and names(folder) == []


def module_of(checkpoint):
    return ExportWrapper(Predictor([checkpoint], CPU).model).eval()


@pytest.mark.parametrize("change", [lambda x: x * float("nan"), lambda x: x[..., 1:]])
def test_no_number_and_another_shape_are_differences(checkpoint, change):
    module = module_of(checkpoint)

    def changed(image):
        return {name: change(value) for name, value in module(image).items()}

    differences = check.largest_differences(check.expected_outputs(module, [torch.randn(1, 3, 16, 16)]), changed)
    with pytest.raises(ValueError, match="expected what PyTorch computes"):
        check.check_differences(differences, 1e-4)


def test_one_image_is_checked_in_twos_and_at_another_size_too():
    shapes = [tuple(batch.shape) for batch in check.batches([torch.randn(3, 32, 32)])]
    assert shapes == [(1, 3, 32, 32), (2, 3, 32, 32), (1, 3, 25, 16), (2, 3, 25, 16)]


@pytest.mark.parametrize("package", FORMATS["onnx"].packages)
def test_onnx_without_its_packages_says_what_to_install(package, checkpoint, folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    error = refused(capsys, checkpoint, to=folder / "model.onnx")
    # The first that is absent is named; on a machine without any of them that is another.
    assert "found no onnx" in error and "pip install -r requirements-export.txt" in error
    assert names(folder) == []


@pytest.mark.parametrize(
    ("to", "more", "message"),
    [
        ("model.bin", (), r"expected a file name ending in \.onnx for onnx; .*\.pth for checkpoint, found \.bin"),
        ("model", (), "found no ending"),
        ("model.pt2", ("--format", "onnx"), r"ending in \.onnx for onnx, found \.pt2"),
        (
            "model.pth",
            ("--check_images", "absent.png"),
            "absent.png: expected an image or a folder of images, found none",
        ),
        ("model.pth", ("--check_images", "."), "expected a folder with images, found none in it"),
        ("model.pth", ("--results", "."), "expected the summary of a finished run, found none"),
        ("file/model.pth", (), "expected a folder, or nothing yet, found a file"),
        ("taken.pth", (), "expected names that are free or .* found .*taken.pth.md; choose .* --overwrite"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(to, more, message, checkpoint, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "file").write_text("I am no folder")
    (folder / "taken.pth.md").write_text("mine")
    assert re.search(message, refused(capsys, checkpoint, to=folder / to, more=more))
    assert names(folder) == ["file", "taken.pth.md"] and (folder / "taken.pth.md").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(checkpoint, folder, capsys):
    folder.chmod(0o555)
    assert "Permission denied" in refused(capsys, checkpoint, to=folder / "model.pth")


def test_a_broken_checkpoint(folder, tmp_path, capsys):
    (tmp_path / "model.pth").write_text("no checkpoint")
    assert "model.pth: expected" in refused(capsys, tmp_path / "model.pth", to=folder / "model.pth")
    assert names(folder) == []


def test_overwrite_replaces_all_files(checkpoint, folder):
    for ending in ("", ".md", ".json"):
        (folder / f"model.pth{ending}").write_text("old")
    assert export(checkpoint, to=folder / "model.pth", more=["--overwrite"]) == 0
    assert not [path for path in folder.iterdir() if path.read_bytes() == b"old"]


def test_a_checkpoint_is_not_replaced_by_what_is_made_of_it(tmp_path, capsys):
    checkpoint = save(tmp_path / "model.pth")
    before = checkpoint.read_bytes()
    error = refused(capsys, checkpoint, to=tmp_path / "x" / ".." / "model.pth", more=["--overwrite"])
    assert "expected another file than the input" in error and checkpoint.read_bytes() == before


def test_a_name_that_is_no_text(checkpoint, folder, capsys):
    assert "expected a path in UTF-8" in refused(capsys, checkpoint, to=folder / os.fsdecode(b"\xff.pth"))


def test_a_full_disk_leaves_nothing(checkpoint, folder, capsys):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        error = refused(capsys, checkpoint, to=folder / "new" / "model.pth")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "expected a folder that can be written to, with room" in error and names(folder) == []


def test_a_stop_leaves_nothing(checkpoint, folder, monkeypatch, capsys):
    def write(module, channels, path):
        path.write_text("half")
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    monkeypatch.setitem(FORMATS, "checkpoint", FORMATS["checkpoint"]._replace(write=write))
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("nobody listened"))
    try:
        assert export(checkpoint, to=folder / "new" / "model.pth") == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert names(folder) == [] and capsys.readouterr().err == "run.py export: stopped\n"


def test_the_version_of_a_package_whatever_its_distribution_is_called():
    assert "PIL" in _versions(FORMATS["onnx"]._replace(packages=("PIL",)))


def test_the_format_is_named_or_follows_from_the_ending():
    assert pick_format(None, Path("a.ONNX")) == "onnx"
    assert pick_format("checkpoint", Path("a.pth")) == "checkpoint"


def summary(folder: Path, **changes) -> dict:
    entry = {"num_cases": 3, "dice_mean": 0.75, "dice_std": 0.125, "iou_mean": 0.5, "iou_std": None}
    entry |= {"dice_ci95": [0.7, 0.8], "num_undefined": 1}
    results = {
        "last": {"iteration": 9, "metrics": {"ensemble": entry}},
        "test_selected": {"iteration": 6, "metrics": {"ensemble": entry}},
    }
    content = {"what": "gaze", "data": "kvasir", "spatial_size": 32, "selected_on": "test", "results": results}
    (folder / "summary.json").write_text(json.dumps(content | changes))
    return content


def results_of(*checkpoints, folder=None, tta=False) -> dict:
    predictor = Predictor(checkpoints, CPU, tta=tta)
    return find_results(predictor, network_facts(predictor)["checkpoints"], folder)


def test_the_card_has_the_results_of_this_iteration(checkpoint, folder):
    summary(checkpoint.parent)
    assert export(checkpoint, to=folder / "model.pth") == 0
    card = Path(f"{folder / 'model.pth'}.md").read_text()
    assert "| `ensemble` | `3` | 0.7500 (0.1250) [0.7000, 0.8000] | 0.5000 |" in card
    assert "`test_selected` of iteration `6`, for which the checkpoint was chosen on these images: optimistic:" in card
    assert "cases with nothing there and nothing predicted, left out: 1 (ensemble)" in card
    assert "`last`" not in card


OTHERS = [
    ({"data": "prostate"}, "data prostate in place of kvasir"),
    ({"level_thresholds": [0.5, 0.3]}, r"level_thresholds \[0.5, 0.3\] in place of \[0.5\]"),
    ({"recipe": {"num_levels": 2}}, "num_levels 2 in place of 1"),
    ({"spatial_size": 64}, "spatial_size 64 in place of 32"),
    ({"ensemble": "<b>"}, "ensemble <b> in place of logits"),
    ({"tta": True}, "tta True in place of False"),
    ({"threshold": 0.3}, "threshold 0.3 in place of 0.5"),
    ({"seed": 1}, "seed 1 in place of 0"),
    ({"recipe": {"lr": 1}}, "lr 1 in place of 0.5"),
    ({"checkpoints": ["exp/other.pth"]}, "checkpoint other.pth in place of model.pth"),
    ({"checkpoints": ["model.pth", "exp/other.pth"]}, "checkpoint model.pth, other.pth in place of model.pth"),
    ({"checkpoints": ["model.pth"], "checkpoint_sha256": ["abc"]}, "checkpoint abc in place of"),
    ({"results": {"everything": {"iteration": None, "metrics": {}}}}, "iteration None in place of 6"),
]


@pytest.mark.parametrize(("changes", "difference"), OTHERS)
def test_results_of_another_network_are_not_claimed(tmp_path, changes, difference):
    checkpoint = save(tmp_path / "model.pth", config={"data": "kvasir", "level_thresholds": [0.5]})
    content = summary(checkpoint.parent)
    for result in changes.get("results", {}).values():
        result["metrics"] = content["results"]["last"]["metrics"]
    summary(checkpoint.parent, **changes)
    assert f"are of another {difference.split()[0]}" in results_of(checkpoint)["not_evaluated"]
    with pytest.raises(ValueError, match=f"as exported, found {difference}"):
        results_of(checkpoint, folder=str(checkpoint.parent))


def test_nothing_is_claimed_for_what_was_not_evaluated(checkpoint, tmp_path):
    summary(tmp_path)
    other = save(tmp_path / "other.pth", seed=1)
    for found in (results_of(checkpoint, tta=True), results_of(checkpoint, other)):
        assert found == {"not_evaluated": "no results of the network as it was exported were named (--results)"}


def test_named_results_are_of_this_iteration_whatever_the_files_are_called(checkpoint, tmp_path):
    scores = tmp_path / "scores"
    scores.mkdir()
    sums = [sha256_of(checkpoint)]
    content = summary(scores, tta=True, split="val", checkpoints=["moved.pth"], checkpoint_sha256=sums)
    found = results_of(checkpoint, folder=str(scores), tta=True)
    assert (found["split"], list(found["results"])) == ("val", ["test_selected"])
    # Evaluated afterwards: optimistic on the images that it was chosen on, and only there.
    results = {"checkpoint": content["results"]["test_selected"]}
    for split in ("test", "val"):
        summary(scores, split=split, results=results)
        assert results_of(checkpoint, folder=str(scores))["results"]["checkpoint"]["optimistic"] == (split == "test")
    for chosen_on, optimistic_on in (("validation", "val"), (None, None)):
        torch.save(torch.load(checkpoint) | {"selected_on": chosen_on}, checkpoint)
        sums[0] = sha256_of(checkpoint)
        for split in ("train", "val", "test"):
            summary(scores, split=split, results=results, checkpoints=["moved.pth"], checkpoint_sha256=sums)
            found = results_of(checkpoint, folder=str(scores))["results"]["checkpoint"]
            assert found["optimistic"] == (split == optimistic_on)


def test_only_the_best_of_a_run_was_selected(checkpoint, tmp_path):
    latest = torch.load(checkpoint) | {"iteration": 9}
    torch.save(latest, tmp_path / "latest.pth")
    for path, selected_on in ((checkpoint, "test"), (tmp_path / "latest.pth", None)):
        assert network_facts(Predictor(path, CPU))["checkpoints"][0]["selected_on"] == selected_on


def test_names_from_outside_are_no_structure(tmp_path, folder):
    evil = "x\n# Title\n<script>alert(1)</script>|`[a](b)"
    checkpoint = save(tmp_path / "a`|<b>.pth", config={"data": evil})
    summary(tmp_path, what=evil, data=evil, results=summary_named(evil))
    assert export(checkpoint, to=folder / "<i>.pth") == 0
    card = (folder / "<i>.pth.md").read_text()
    outside_code = re.sub(r"```python.*?```", "", card, flags=re.DOTALL)
    outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside_code)
    assert not re.search(r"<|# Title|\]\(", outside_code)
    assert len(re.findall(r"^# ", card, flags=re.MULTILINE)) == 1


def summary_named(evil: str) -> dict:
    entry = {"num_cases": evil, "dice_mean": 0.5, "dice_std": 0.1, "iou_mean": 0.5, "iou_std": 0.1, f"{evil}_mean": 1}
    numbers = entry | {"num_cases": 1}
    return {evil: {"iteration": 6, "metrics": {"ensemble": numbers, evil: numbers}}}


def _program_of_the_card_agrees(path: Path, checkpoint: Path, picture: Path, monkeypatch) -> None:
    """The program in the card, run as it stands, draws the mask that this project predicts."""
    program = re.search(r"```python\n(.*?)```", Path(f"{path}.md").read_text(), re.DOTALL)[1]
    script, mask = path.parent / "usage.py", path.parent / "mask.png"
    script.write_text(program)
    monkeypatch.setattr(sys, "argv", [str(script), str(path), str(picture), str(mask)])
    runpy.run_path(str(script), run_name="__main__")
    predictor = Predictor([checkpoint], CPU)
    image, size = predictor.preprocessing.prepared(picture)
    with torch.inference_mode():
        probability = full_size_probabilities(predictor.model(image[None])["logits"], size)[0, 0].numpy()
    certain = abs(probability - 0.5) > 1e-5
    expected = probability > 0.5
    assert 0 < expected.mean() < 1
    assert ((np.array(Image.open(mask)) == 255) == expected)[certain].all() and certain.mean() > 0.99


def test_a_checkpoint_in_half_precision_predicts_and_holds_nothing_of_training(tmp_path, folder, tiny_root):
    checkpoint, path = save(tmp_path / "wide.pth", widest=64), folder / "slim.pth"
    assert export(checkpoint, to=path, more=["--check_images", tiny_root / "images"]) == 0
    assert names(folder) == ["slim.pth", "slim.pth.json", "slim.pth.md"]
    content = torch.load(path, weights_only=True)
    assert set(content) == {"state_dict", "config", "iteration", "selected_on", "best_iteration"}
    # The second convolution of the smallest resolution, 64 x 64 x 3 x 3, and no other.
    halved = [weight.shape for weight in content["state_dict"].values() if weight.dtype == torch.float16]
    assert halved == [(64, 64, 3, 3)]
    whole, slim = (Predictor([file], CPU) for file in (checkpoint, path))
    image = torch.randn(1, 3, 32, 32)
    assert (whole.model(image)["logits"].sigmoid() - slim.model(image)["logits"].sigmoid()).abs().max() < 0.01
    assert (
        slim.preprocessing.spatial_size == 32
        and "run.py predict --ckpt_path FILE" in (folder / "slim.pth.md").read_text()
    )


def test_a_checkpoint_keeps_what_it_was_exported_with(tmp_path, folder):
    checkpoint, path = save(tmp_path / "two.pth", levels=2), folder / "slim.pth"
    assert export(checkpoint, to=path, more=["--spatial_size", "48", "--ensemble", "probs"]) == 0
    slim = Predictor([path], CPU)
    assert (slim.preprocessing.spatial_size, slim.model.ensemble) == (48, "probs")


def test_a_file_that_is_replaced_once_it_was_read_changes_nothing(checkpoint, tmp_path, monkeypatch):
    """A run that goes on replaces its latest: network and card are of the file as it was."""
    prepared_images = check.prepared_images

    def replaced(*args):
        save(checkpoint, levels=2, seed=1, config={"data": "kvasir"})
        return prepared_images(*args)

    for name, prepared in (("before", prepared_images), ("meanwhile", replaced)):
        monkeypatch.setattr("inference.exporting.export.prepared_images", prepared)
        assert export(checkpoint, to=tmp_path / name / "slim.pth") == 0
    for name in names(tmp_path / "before"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "meanwhile" / name).read_bytes()
    assert len(torch.load(checkpoint)["state_dict"]) > len(torch.load(tmp_path / "before" / "slim.pth")["state_dict"])


def test_one_checkpoint_cannot_hold_an_average(checkpoint, folder, tmp_path, capsys):
    other = save(tmp_path / "other.pth", seed=1)
    said = "--format checkpoint: expected one --ckpt_path and no --tta, found an average"
    assert said in refused(capsys, checkpoint, other, to=folder / "a.pth")
    assert said in refused(capsys, checkpoint, to=folder / "a.pth", more=["--tta"])
    assert names(folder) == []
