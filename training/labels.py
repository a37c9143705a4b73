"""Pseudo-labels of a round: maps from gaze, from the network of the round before, and from given masks."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import scipy
import torch

from datasets import build_dataset, get_spec
from datasets.files import REPORT_FILE, sample_label, sample_path
from datasets.gaze.fixations import read_fixations
from datasets.gaze.map_files import LABELS_FILE
from datasets.gaze.policies import NEED_GAZE, POLICIES, Evidence, read_evidence
from datasets.gaze.policies.evidence import resized
from datasets.gaze.quality import label_quality
from datasets.specs import DatasetSpec
from datasets.splits import split_names
from inference.predictor import Predictor
from training.build import build_data, evaluation_sets, level_thresholds
from training.settings import Settings
from utils.files import read_json, remove_files, write_json
from utils.images import write_image
from utils.inputs import sha256_of

MAPS_FOLDER = "maps"
# Share of empty or full labels, given masks aside, beyond which nothing is left to learn from.
MOST_COLLAPSED = 0.5
BATCH_SIZE = 8  # of images that the network labels
# Random stream of the masks, apart from other draws of the same seed.
MASK_STREAM = 5
# Settings that decide which images of the split are trained on.
DRAW_KEYS = ("data_size_rate", "draw_subset", "val_fraction", "seed")


def make_labels(settings: Settings, previous: Path | None, device: torch.device, say: Callable[[str], None]) -> None:
    """Make the labels of a round: write maps into its folder's ``maps`` and, last, their description ``labels.json``:
    ``policy``, its ``fit``, ``thresholds``, names of given masks, and the ``quality`` of the other labels where there
    are masks to score them by, on which nothing else depends.

    Args:
        settings: of the round; see ``--pseudo``, ``--masks``, ``--fixations``.
        previous: the checkpoint of the round before, which predicts on ``device``; None in the first.
        say: called with a message.

    Raises:
        FileNotFoundError: for images without gaze or map.
        ValueError: for masks or fixations that do not suffice, or labels that have collapsed.
    """
    spec, root, folder = get_spec(settings.data, settings.root), Path(settings.root), settings.folder
    facts, given = labels_asked_for(settings), _masks_given(settings, spec)
    predictor = Predictor([previous], device, tta=True) if previous else None
    size = predictor.preprocessing.spatial_size if predictor else settings.spatial_size
    evidence = _evidence(settings, spec, size)
    prepared = read_json(root / REPORT_FILE, "what is known of gaze maps").get("fixations_sha256")
    if not previous and facts["fixations_sha256"] and prepared not in (None, facts["fixations_sha256"]):
        # A table may have been prepared in parts.
        say(f"{settings.fixations}: the maps were prepared last from another table; run.py prepare makes this one's")
    if predictor:
        evidence = _with_network(evidence, predictor, spec, root)
    grids = {name: resized(mask, size) > 0.5 for name, mask in given.items()}
    policy = POLICIES[settings.pseudo].fit(evidence, grids)
    maps = {name: scipy.special.expit(policy.score(one)) for name, one in evidence.items() if not one.is_empty}
    thresholds = list(level_thresholds(settings, spec))
    _check_not_collapsed(maps, thresholds[0], folder, previous)
    facts |= {"thresholds": thresholds, "fit": asdict(policy)}
    # Marks the maps as ours.
    write_json(folder / LABELS_FILE, {"finished": False, **facts})
    # A killed call with another policy may have left maps of more images.
    remove_files(folder / MAPS_FOLDER, ("*.png",))
    for name, values in (maps | given).items():
        write_image(folder / MAPS_FOLDER / f"{name}.png", np.round(values * 255).astype(np.uint8))
    known = {name: _mask_of(spec, root, name, size) for name in maps if name not in given}
    pairs = [((maps[name] >= thresholds[0]) & truth[1], truth[0]) for name, truth in known.items() if truth]
    quality = label_quality(pairs)
    write_json(folder / LABELS_FILE, {"finished": True, **facts, "quality": quality})
    say(f"labels by {settings.pseudo}: {describe_quality(quality)}")


def labels_asked_for(settings: Settings) -> dict:
    """Identity of the labels that settings ask for: policy, names of the given masks (errors as of ``masks_drawn``),
    and hash of the fixation table, if it is used."""
    return {
        "policy": settings.pseudo,
        "masks": sorted(masks_drawn(settings, get_spec(settings.data, settings.root))),
        "fixations_sha256": sha256_of(settings.fixations) if settings.pseudo in NEED_GAZE else None,
    }


def check_sources(settings: Settings) -> None:
    """Check images, gaze, masks and thresholds; raises what the training, and the making of its labels, would."""
    if not settings.makes_labels:
        build_data(settings)
        return
    spec = get_spec(settings.data, settings.root)
    level_thresholds(settings, spec)
    _masks_given(settings, spec)
    _gaze_there(settings)
    evaluation_sets(settings)


def masks_drawn(settings: Settings, spec: DatasetSpec) -> list[str]:
    """The names of ``settings.masks`` training images that have a mask, drawn by the seed.

    Raises:
        ValueError: if there are not as many, or they have ignored pixels, which maps cannot have.
    """
    number = settings.masks
    if number and spec.ignore_value is not None:
        raise ValueError(
            f"--masks {number}: expected masks that say of every pixel what it is, found ignore_value "
            f"{spec.ignore_value} in dataset.toml; use -m full_sup, which leaves them out, or gaze without --masks"
        )
    names = _training_names(settings, spec) if number else []
    names = [name for name in names if sample_path(spec, Path(settings.root), "masks", name).is_file()]
    if number > len(names):
        raise ValueError(
            f"--masks {number}: expected at most {len(names)}, the training images with a mask, found more"
        )
    drawn = np.random.default_rng([settings.seed, MASK_STREAM]).permutation(len(names))[:number]
    return [names[i] for i in drawn]


def _masks_given(settings: Settings, spec: DatasetSpec) -> dict[str, np.ndarray]:
    """The given masks, (H,W) bool by name."""
    return {name: sample_label(spec, Path(settings.root), name).mask for name in masks_drawn(settings, spec)}


def describe_quality(quality: Mapping | None) -> str:
    """The quality of labels in a sentence."""
    if quality is None:
        return "no masks to score them by"
    return (
        f"Dice {quality['dice']:.4f} against {quality['num_images']} masks that had no part in them, "
        f"{quality['share_below_0.6']:.1%} below 0.6, {quality['share_too_large']:.1%} too large (by half or more), "
        f"{quality['share_too_small']:.1%} too small (two thirds or less)"
    )


def _training_names(settings: Settings, spec: DatasetSpec) -> list[str]:
    return split_names(spec, Path(settings.root), "train", **settings.subset(DRAW_KEYS))


def _evidence(settings: Settings, spec: DatasetSpec, size: int) -> dict[str, Evidence]:
    """The evidence of every image, with gaze as far as the policy needs it."""
    evidence = dict.fromkeys(_training_names(settings, spec), Evidence())
    with_map, fixations = _gaze_there(settings)
    for name in with_map:
        if fixations is None or name in fixations:
            seen = None if fixations is None else fixations[name]
            evidence[name] = read_evidence(spec, Path(settings.root), name, seen, size)
    return evidence


def _gaze_there(settings: Settings) -> tuple[list[str], Mapping | None]:
    """The names of the images with a map, and all fixations, None where the policy does not need them.

    Images and maps are checked as in a training on the maps themselves; errors as of ``build_dataset``.
    """
    maps = {"num_levels": 1, "skip_missing_gaze": settings.skip_missing_gaze} if settings.pseudo != "network" else {}
    keys = ("root", "spatial_size", *DRAW_KEYS)
    dataset = build_dataset(settings.data, split="train", has_labels=False, **settings.subset(keys), **maps)
    with_map = dataset.names if maps else []
    if settings.pseudo not in NEED_GAZE:
        return with_map, None
    fixations = read_fixations(settings.fixations)
    without = [name for name in with_map if name not in fixations]
    if without and not settings.skip_missing_gaze:
        raise FileNotFoundError(
            f"{settings.fixations}: expected fixations of every training image, found {len(without)} without (first: "
            f"{without[0]}); --skip_missing_gaze learns what the network says of them, from round 2 on"
        )
    return with_map, fixations


@torch.inference_mode()
def _with_network(
    evidence: Mapping[str, Evidence], predictor: Predictor, spec: DatasetSpec, root: Path
) -> dict[str, Evidence]:
    """Add the network's logits to the evidence, four mirrored views averaged."""
    names, added = list(evidence), {}
    for start in range(0, len(names), BATCH_SIZE):
        some = names[start : start + BATCH_SIZE]
        images = torch.stack(
            [predictor.preprocessing.prepared(sample_path(spec, root, "images", name))[0] for name in some]
        )
        logits = predictor.model(images.to(predictor.device))["logits"][:, 0].float().cpu().numpy()
        for name, values in zip(some, logits, strict=True):
            added[name] = replace(evidence[name], logits=values.astype(np.float16))
    return added


def _mask_of(spec: DatasetSpec, root: Path, name: str, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """A mask (S,S) bool, and the pixels to score; None without a usable mask: it serves reports only."""
    with contextlib.suppress(ValueError):
        mask, ignore = sample_label(spec, root, name)
        if mask is not None:
            scored = np.ones((size, size), bool) if ignore is None else resized(ignore, size) <= 0.5
            return (resized(mask, size) > 0.5) & scored, scored
    return None


def _check_not_collapsed(maps: Mapping[str, np.ndarray], threshold: float, folder: Path, previous: Path | None) -> None:
    shares = np.array([(values >= threshold).mean() for values in maps.values()])
    collapsed = int(((shares == 0) | (shares == 1)).sum())
    if collapsed > MOST_COLLAPSED * len(maps):
        raise ValueError(
            f"{folder}: expected labels with a target, found {collapsed} of {len(maps)} empty or full: this round has "
            f"collapsed, those before are intact; look at the network that made them ({previous or 'gaze alone'}) and "
            "begin again (--overwrite, or another --exp_path) with a longer --round_ite, or another --lr or --seed"
        )
