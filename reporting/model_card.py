"""Model card of a network file in Markdown; a JSON file beside it has the same facts."""

from collections.abc import Iterable

from evaluation.summary import describe_exceptions
from reporting.markdown import NOTHING, code, escaped, table

LIMITATIONS = """\
For research only. This is not a medical device: it has not been examined or approved for diagnosis or treatment, and
no clinical decision may rest on its output. It was trained on the data named below, with masks from eye gaze or drawn
by hand, and may fail on images of other cameras, scanners, hospitals or patients. It gives an answer for any image,
also for one of another kind, and its probabilities are not calibrated. Evaluate it on your own data first."""
SUMMARY = """\
A segmentation network for one kind of object, trained from eye gaze or from drawn masks: its levels and their ensemble
in one graph. The JSON file beside this card has the same facts."""
HOW_TO_RUN = """\
This program needs NumPy, Pillow and what else it imports. Its arguments are this file, an image, and a name for the
mask."""
WITH_PROJECT = """\
With this project: `python run.py predict --ckpt_path FILE --images FOLDER`."""
CITATION = """\
Zhong et al., *Weakly-supervised Medical Image Segmentation with Gaze Annotations*, MICCAI 2024, LNCS 15003,
pp. 530-540. This file was made with an independent reimplementation of it; please say so, and cite the data."""


def model_card(facts: dict) -> str:
    """Model card from the facts of ``inference.exporting.export``; text from outside is in code spans."""
    sections = {
        "Intended use and limitations": [LIMITATIONS],
        "Network": [_network(facts)],
        "Input and outputs": [_contract(facts["input"], facts["outputs"], facts["sizes"])],
        "Preprocessing": [_preprocessing(facts["preprocessing"])],
        "Postprocessing": [f"{facts['postprocessing']}."],
        "How to run it": [HOW_TO_RUN, f"```python\n{facts['usage']}```"] if facts["usage"] else [WITH_PROJECT],
        "Training data and licence": [_licence(facts)],
        "Training": [_checkpoint(checkpoint) for checkpoint in facts["checkpoints"]],
        "Metrics": _metrics(facts["evaluation"]),
        "Check against PyTorch": [_check(facts["check"])],
        "Versions": [_listed(facts["versions"].items())],
        "Citation": [CITATION],
    }
    parts = [f"# Model card of {code(facts['file'])}", SUMMARY, *([facts["note"]] if facts["note"] else [])]
    for title, paragraphs in sections.items():
        parts += [f"## {title}", *paragraphs]
    return "\n\n".join(parts) + "\n"


def _listed(pairs: Iterable[tuple[str, object]]) -> str:
    """List with a line a pair; values, which may be from outside, are in code spans."""
    return "\n".join(f"- {key}: {_value(value)}" for key, value in pairs if value is not None)


def _value(value) -> str:
    return ", ".join(map(code, value)) if isinstance(value, list | tuple) else code(value)


def _network(facts: dict) -> str:
    file_keys = ("format", "opset", "ir_version", "bytes", "sha256", "weights_file", "weights_sha256")
    keys = (*file_keys, "parameters", "levels", "networks", "ensemble", "views")
    return _listed((key.replace("_", " "), facts.get(key)) for key in keys)


def _contract(input_: dict, outputs: dict, sizes: str) -> str:
    rows = [(code(name), code(about["shape"]), about["meaning"]) for name, about in (input_ | outputs).items()]
    return f"{table(('name', 'shape', 'meaning'), rows)}\n\nAll are float32. {sizes}."


def _preprocessing(steps: dict) -> str:
    lines = [f"1. {text}" for text in (f"read the image: {steps['image']}", *steps["steps"])]
    numbers = [f"{key} {_value(steps[key])}" for key in ("mean", "std") if key in steps]
    return "\n".join(lines) + (
        f"\n\nIn the order of the channels red, green, blue: {'; '.join(numbers)}." if numbers else ""
    )


def _licence(facts: dict) -> str:
    lines = [f"- Code: {facts['licence']} licence."]
    lines += [
        f"- Data {code(data['name'] or 'unknown')}, as named at training: {data['what']}. Licence: {data['licence']}."
        for data in facts["data"]
    ]
    lines.append("- Weights: no licence of their own is given here; the terms of the data they were trained on stand.")
    return "\n".join(lines)


def _checkpoint(checkpoint: dict) -> str:
    with_keys = ("architecture", "recipe")
    pairs = [(key.replace("_", " "), value) for key, value in checkpoint.items() if key not in ("file", *with_keys)]
    pairs += [(key, [f"{name}={value}" for name, value in checkpoint[key].items()] or None) for key in with_keys]
    return f"Checkpoint {code(checkpoint['file'])}\n\n{_listed(pairs)}"


def _metrics(evaluation: dict) -> list[str]:
    if "not_evaluated" in evaluation:
        return [f"Not evaluated: {evaluation['not_evaluated']}."]
    parts = [_listed((key.replace("_", " "), evaluation[key]) for key in ("what", "data", "split"))]
    for label, result in evaluation["results"].items():
        optimistic = ", for which the checkpoint was chosen on these images: optimistic" if result["optimistic"] else ""
        parts.append(f"Result {code(label)} of iteration {code(result['iteration'])}{optimistic}:")
        parts += [_metrics_table(result["metrics"]), *map(escaped, describe_exceptions(result["metrics"]))]
    legend = (
        "Mean over cases (standard deviation over cases), and in brackets the 95 % interval of the mean where known."
    )
    return [*parts, legend + " Overlaps are in 0..1; the unit of a distance ends its name."]


def _metrics_table(metrics: dict) -> str:
    found = [key.removesuffix("_mean") for entry in metrics.values() for key in entry if key.endswith("_mean")]
    names = list(dict.fromkeys(found))
    rows = [
        (code(level), code(entry.get("num_cases", "")), *(_metric(entry, name) for name in names))
        for level, entry in metrics.items()
    ]
    return table(("level", "cases", *map(code, names)), rows)


def _metric(entry: dict, name: str) -> str:
    mean, std, interval = (entry.get(f"{name}_{part}") for part in ("mean", "std", "ci95"))
    if mean is None:
        return NOTHING
    text = f"{mean:.4f}" + (f" ({std:.4f})" if std is not None else "")
    return text + (f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else "")


def _check(check: dict) -> str:
    shapes = ", ".join("x".join(map(str, shape)) for shape in dict.fromkeys(map(tuple, check["shapes"])))
    images = f"{check['num_images']} {'real' if check['real_images'] else 'made'} image(s)"
    return (
        f"The file was read back and run on {images}, with inputs of {shapes}. Largest difference of a probability: "
        f"{check['probability']:.1e}; of a logit: {check['logits_absolute']:.1e}, relative to the largest logit of the "
        f"batch {check['logits']:.1e}. Allowed are {check['tolerance']:g} for probabilities and for the relative one."
    )
