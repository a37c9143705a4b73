"""Conversion of recordings into the fixation table."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.gaze.fixations import MAX_DURATION_MS, without_ending
from datasets.recordings.detection import DetectionSettings, detect_fixations, to_degrees
from datasets.recordings.recording import BOTH, LEFT, RIGHT, Recording, Rect, Trial, count_fixations, image_name, unread
from utils.settings import POSITIVE, number_tuple, setting

THRESHOLDS = {"events": (), "ivt": ("velocity_deg_s", "merge_gap_ms"), "idt": ("dispersion_deg",)}
AVERAGED = "both-averaged"
# Left out where no recording knows them.
OPTIONAL_COLUMNS = ("CURRENT_FIX_PUPIL", "CURRENT_FIX_START", "IMAGE_HEIGHT", "IMAGE_WIDTH")


@dataclass(frozen=True)
class ConversionSettings:
    """Settings of the conversion; None leaves it to the recording.

    ``both-averaged`` (or ``both``) is the mean of both eyes' samples.
    """

    method: str | None = setting(
        None,
        "the tracker's own events, or velocity or dispersion of the samples (default: events if any, else ivt)",
        choices=THRESHOLDS,
    )
    eye: str = setting(
        "auto",
        "auto: the tracker's mean of both, else the right one, else the left; both-averaged (or both): the mean of the "
        "eyes' samples",
        # "both" is the former name of the mean.
        choices=("auto", LEFT, RIGHT, AVERAGED, BOTH),
    )
    detection: DetectionSettings = DetectionSettings()
    screen_px: tuple[float, float] | None = setting(None, "screen, pixels", number_tuple(2, positive=2), metavar="W,H")
    screen_cm: tuple[float, float] | None = setting(None, "screen, cm", number_tuple(2, positive=2), metavar="W,H")
    distance_cm: float | None = setting(None, "from the eye to the screen", POSITIVE)
    sampling_rate_hz: float | None = setting(None, "(default: as the recording says)", POSITIVE)


@dataclass
class Summary:
    """Summary of one recording's conversion; counts are of fixations unless named otherwise."""

    path: Path
    format: str
    method: str
    eye: str
    kept: int = 0
    short: int = 0
    outside: int = 0
    off_trial: int = 0
    trials: int = 0
    empty_trials: int = 0
    other_eye: int = 0
    whole_screen: int = 0
    blinks: int = 0
    samples: int = 0
    missing_samples: int = 0
    images: set[str] = field(default_factory=set)
    other_eyes: int = 0
    cut: int = 0
    repeated: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def convert_recordings(
    recordings: Sequence[Recording], settings: ConversionSettings
) -> tuple[pd.DataFrame, list[Summary], list[str]]:
    """Fixations of all recordings on their images.

    Returns:
        The table, with the columns of the data card (``OPTIONAL_COLUMNS`` where a recording knows them), images in
        order of first appearance and within an image trials as recorded, the index running on; a summary a
        recording; and the images seen in several trials.

    Raises:
        ValueError: for a recording without any usable fixation (with the reason), an unnamed image, or two images
            whose names differ in the ending only.
    """
    tables, summaries = zip(*(_convert(recording, settings) for recording in recordings), strict=True)
    table = pd.concat(tables, keys=range(len(tables)), names=["RECORDING", None]).reset_index("RECORDING")
    table["IMAGE"] = _one_name(table["IMAGE"])
    seen = table[["IMAGE", "RECORDING", "TRIAL"]].drop_duplicates()["IMAGE"].value_counts(sort=False)
    for column in ("IMAGE_HEIGHT", "IMAGE_WIDTH"):
        table[column] = _one_size(table, column)
    order = table.groupby("IMAGE", sort=False).ngroup().to_numpy()
    table = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True).drop(columns=["RECORDING", "TRIAL"])
    table.insert(1, "CURRENT_FIX_INDEX", table.groupby("IMAGE", sort=False).cumcount() + 1)
    table = table.round({"CURRENT_FIX_DURATION": 3, "CURRENT_FIX_PUPIL": 3, "CURRENT_FIX_START": 3})
    unknown = [name for name in OPTIONAL_COLUMNS if table[name].isna().all()]
    return table.drop(columns=unknown), list(summaries), seen.index[seen > 1].tolist()


def _one_name(names: pd.Series) -> pd.Series:
    """One name for each image: where some recordings have its ending and others not, the name with ending.

    ValueError for two endings: the fixation table identifies images without."""
    found: dict[str, set[str]] = {}
    for name in names.unique():
        found.setdefault(without_ending(name), set()).add(name)
    for stem, several in found.items():
        if len(several - {stem}) > 1:
            one, other, *_ = sorted(several - {stem})
            raise ValueError(f"expected one image name an id, found {one} and {other} in the recordings; rename one")
    return names.map(lambda name: max(found[without_ending(name)], key=len))


def _one_size(table: pd.DataFrame, column: str) -> pd.Series:
    """Size of every row's image, from any recording that has it; ValueError if two differ."""
    by_image = table.groupby("IMAGE", sort=False)[column]
    several = by_image.nunique()
    if (several > 1).any():
        name = several.index[several > 1][0]
        found = " and ".join(f"{size:g}" for size in by_image.get_group(name).dropna().unique()[:2])
        raise ValueError(f"{name}: expected one {column} in all recordings, found {found}")
    return by_image.transform("first")


def _convert(recording: Recording, settings: ConversionSettings) -> tuple[pd.DataFrame, Summary]:
    recording = _in_pixels(_named_only(recording), settings.screen_px)
    method = settings.method or ("events" if count_fixations(recording.trials) else "ivt")
    kind = "fixations" if method == "events" else "samples"
    whole = pd.concat([getattr(trial, kind) for trial in recording.trials])
    if whole.empty:
        raise ValueError(
            f"{recording.path}: expected {'fixations of the tracker' if method == 'events' else 'samples'} in one of "
            f"its {len(recording.trials)} trials, found none"
            + ("; --method ivt or idt finds them among samples" if method == "events" else "")
        )
    eye = _choose_eye(recording.path, whole, kind, settings.eye)
    summary = Summary(
        recording.path, recording.format, method, eye, left_out=recording.left_out, notes=list(recording.notes)
    )
    options = unread(settings.detection, "min_duration_ms", *THRESHOLDS[method])
    options += unread(settings, "method", "eye", "detection", "screen_px") if method == "events" else []
    if options:
        summary.notes.append(f"not used for --method {method}: {', '.join(options)}")
    tables = [
        _trial_rows(trial, kind, recording, settings, summary).assign(TRIAL=number)
        for number, trial in enumerate(recording.trials)
    ]
    summary.empty_trials = sum(table.empty for table in tables)
    if summary.empty_trials == len(tables):
        raise ValueError(
            f"{recording.path}: expected at least one fixation on an image, found none ({reasons(summary)})"
        )
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    summary.kept, summary.images = len(table), set(table["IMAGE"])
    if summary.whole_screen and recording.plane != "image":
        note = f"{summary.whole_screen} trials do not say where the image was: taken to fill the screen or surface"
        summary.notes.append(f"{note}; if it did not, give --stimulus_rect or --trials")
    summary.notes += _notes_on_eyes(whole, kind, settings.eye, summary)
    longest = table["CURRENT_FIX_DURATION"].max()
    if longest > MAX_DURATION_MS:
        raise ValueError(
            f"{recording.path}: expected fixations of up to a minute, found one of {longest:.0f} ms; is the unit of "
            "time right (--time_unit), and are missing samples empty?"
        )
    return table, summary


def _named_only(recording: Recording) -> Recording:
    """Drop trials that name no image, with a note; ValueError if none names one, or if images of two folders have one
    name: the fixation table has names without folders.
    """
    named = tuple(trial for trial in recording.trials if trial.image is not None)
    unnamed = [trial for trial in recording.trials if trial.image is None]
    doubtful = next((trial for trial in unnamed if trial.image_doubt), None)
    if doubtful:
        raise ValueError(f"{doubtful.where}: {doubtful.image_doubt}")
    if not named:
        where = unnamed[0].where if unnamed else f"{recording.path}"
        raise ValueError(
            f"{where}: expected the recording to name the image of a trial, found none in {len(unnamed)} trials; "
            "give --trials CSV, --image NAME, for a table --columns image=NAME or, for EyeLink, --image_message REGEX"
        )
    folders: dict[str, str] = {}
    for trial in named:
        folder, _, name = trial.image.replace("\\", "/").rpartition("/")
        if folder and (other := folders.setdefault(name, folder)) != folder:
            raise ValueError(
                f"{trial.where}: expected an image {name} in one folder, found it in {other} and {folder}, which would "
                "be one image; give --trials CSV with names of their own"
            )
    if not unnamed:
        return recording
    note = f"{len(unnamed)} trials name no image (first: {unnamed[0].label[:60]}) and were left out"
    left_out = recording.left_out | {"fixations in trials without an image": count_fixations(unnamed)}
    return replace(recording, trials=named, notes=(*recording.notes, note), left_out=left_out)


def reasons(summary: Summary) -> str:
    """What was left out, and how often, in words."""
    parts = [
        f"{summary.short} shorter than the minimum",
        f"{summary.outside} outside the image or without a position",
        f"{summary.off_trial} before or after the image",
    ]
    counts = {
        f"of {summary.samples} samples missing": summary.missing_samples,
        f"{'fixations' if summary.method == 'events' else 'samples'} of the other eye": summary.other_eyes,
        "samples of a time that was there before": summary.repeated,
        **summary.left_out,
    }
    return ", ".join(parts + [f"{count} {what}" for what, count in counts.items() if count])


def _in_pixels(recording: Recording, screen_px: tuple[float, float] | None) -> Recording:
    """Convert shares of the screen into pixels, where its size is given."""
    if screen_px is None:
        return recording
    width, height = screen_px
    if recording.unit != "fraction":
        before = recording.screen or Rect(0, 0, width, height)
        screen, notes = replace(before, width=width, height=height), recording.notes
        if screen != before:
            notes += (f"--screen_px is used, though the recording says {before.width:g},{before.height:g}",)
        # An image that fills the screen fills the given one.
        trials = tuple(replace(trial, rect=screen) if trial.rect == before else trial for trial in recording.trials)
        return replace(recording, screen=screen, trials=trials, notes=notes)

    scaled = (trial.gaze.assign(x=trial.gaze["x"] * width, y=trial.gaze["y"] * height) for trial in recording.trials)
    trials = tuple(replace(trial, gaze=gaze) for trial, gaze in zip(recording.trials, scaled, strict=True))
    screen = Rect(0, 0, width, height) if recording.screen else None
    return replace(recording, trials=trials, unit="px", screen=screen)


def _choose_eye(path: Path, gaze: pd.DataFrame, kind: str, wanted: str) -> str:
    """The eye to use: the wanted one; else the tracker's mean of both; else the right one, if it was seen at all."""
    there = set(gaze["eye"])
    if wanted in (LEFT, RIGHT):
        if wanted not in there:
            raise ValueError(
                f"{path}: expected {kind} of the {wanted} eye, found those of {' and '.join(sorted(there))}; leave "
                "--eye out"
            )
        return wanted
    if BOTH in there:
        return BOTH
    if wanted in (BOTH, AVERAGED):
        if kind == "fixations":
            raise ValueError(
                f"{path}: --eye {wanted}: expected --method ivt or idt, which average the eyes' samples; the "
                f"tracker's fixations are of one eye each (here: {' and '.join(sorted(there))})"
            )
        return BOTH
    return RIGHT if _seen(gaze, RIGHT) or LEFT not in there else LEFT


def _seen(gaze: pd.DataFrame, eye: str) -> int:
    return int(gaze.loc[gaze["eye"] == eye, "x"].notna().sum())


def _notes_on_eyes(gaze: pd.DataFrame, kind: str, wanted: str, summary: Summary) -> list[str]:
    if summary.other_eye:
        wished, taken = ("mean of both eyes", "one") if summary.eye == BOTH else (f"{summary.eye} eye", "the other one")
        return [f"in {summary.other_eye} trials the {wished} was not recorded and {taken} taken"]
    if wanted == "auto" and summary.eye == RIGHT and _seen(gaze, LEFT) > _seen(gaze, RIGHT):
        return [f"more {kind} of the left eye than of the right; --eye left takes those"]
    return []


def _eye_of_trial(gaze: pd.DataFrame, kind: str, wanted: str, summary: Summary) -> str:
    """The recording's eye (or the mean of both), or the other in a trial where that one was not recorded."""
    others = [eye for eye in (RIGHT, LEFT) if eye != summary.eye and _seen(gaze, eye)]
    can_average = summary.eye == BOTH and kind == "samples"
    if wanted != "auto" or can_average or _seen(gaze, summary.eye) or not others:
        return summary.eye
    summary.other_eye += 1
    return others[0]


def _trial_rows(
    trial: Trial, kind: str, recording: Recording, settings: ConversionSettings, summary: Summary
) -> pd.DataFrame:
    gaze = getattr(trial, kind)
    rect = _image_rect(trial, recording)
    name = image_name(trial.image, trial.where)
    summary.trials += 1
    summary.whole_screen += trial.rect is None
    summary.blinks += trial.num_blinks
    eye = _eye_of_trial(gaze, kind, settings.eye, summary)
    mine = gaze[gaze["eye"] == eye].sort_values("start_ms", kind="stable")
    if eye == BOTH and mine.empty and kind == "samples":
        # The mean over the eyes that were found, where the tracker made none. The copy is contiguous, whatever the
        # reader, as the last digits of sums depend on it.
        mine = gaze.copy().groupby("start_ms")[["x", "y", "pupil"]].mean().reset_index()
    elif BOTH not in set(gaze["eye"]):
        summary.other_eyes += len(gaze) - len(mine)
    if kind == "samples":
        mine = mine[(mine["start_ms"] >= trial.start_ms) & (mine["start_ms"] <= trial.end_ms)]
        summary.repeated += int(mine["start_ms"].duplicated().sum())
        summary.samples += len(mine)
        summary.missing_samples += int(mine["x"].isna().sum())
        mine = _detected(mine, recording, settings, summary.method)
    rows = _on_image(mine, trial, rect, settings.detection.min_duration_ms, summary)
    height, width = trial.image_size or (np.nan, np.nan)
    rows.insert(0, "IMAGE", name)
    return rows.assign(IMAGE_HEIGHT=height, IMAGE_WIDTH=width)


def _detected(samples: pd.DataFrame, recording: Recording, settings: ConversionSettings, method: str) -> pd.DataFrame:
    if recording.plane == "image":
        raise ValueError(
            f"{recording.path}: expected positions on the screen (DACS px) to find fixations among samples, found "
            "shares of the image (MCS norm), which have no size in degrees; export those too"
        )
    # The scene camera's picture has a size too, though no image is taken to fill it.
    screen = recording.screen or (Rect(0, 0, *settings.screen_px) if settings.screen_px else None)
    # A repeated time would be an infinite velocity.
    samples = samples.drop_duplicates("start_ms")
    geometry = (recording.path, screen, settings.screen_cm, settings.distance_cm, recording.px_per_degree)
    degrees = to_degrees(samples[["x", "y"]].to_numpy(), *geometry)
    rate = settings.sampling_rate_hz or recording.sampling_rate_hz
    return detect_fixations(samples, method, degrees, settings.detection, sampling_rate_hz=rate)


def _image_rect(trial: Trial, recording: Recording) -> Rect:
    """Rectangle of the image on the plane of the positions: as the trial says, else the whole screen."""
    rect = trial.rect or recording.screen
    if rect is None or not np.isfinite((rect.width, rect.height)).all():
        found = "its place alone" if rect else "neither its rectangle nor the size of the screen"
        raise ValueError(
            f"{trial.where}: expected where on the screen the image was, found {trial.doubt or found}; give "
            "--stimulus_rect LEFT,TOP,WIDTH,HEIGHT, --trials CSV or, where it filled the screen, --screen_px W,H"
        )
    if recording.unit == "fraction" and max(rect.width, rect.height) > 10:
        raise ValueError(
            f"{trial.where}: expected the image's rectangle as shares of the screen, as the positions are, found "
            f"{rect.width:g} x {rect.height:g}; give --screen_px W,H to use pixels"
        )
    return replace(rect, left=0, top=0) if recording.plane == "media" else rect


def _on_image(found: pd.DataFrame, trial: Trial, rect: Rect, min_ms: float, summary: Summary) -> pd.DataFrame:
    """Crop fixations to the trial; those too short or off the image are left out and counted."""
    start = found["start_ms"].clip(lower=trial.start_ms)
    end_on_clock = found["start_ms"] + found["duration_ms"]
    end = end_on_clock.clip(upper=trial.end_ms)
    # Less what is cut off, not end - start: times since 1970 leave a double no room for fractions of a ms.
    duration = found["duration_ms"] - (start - found["start_ms"]).fillna(0) - (end_on_clock - end).fillna(0)
    # Rounded, since the error of a subtraction would tip a position of exactly half a pixel.
    x = (found["x"] - rect.left).round(9) / rect.width
    y = (found["y"] - rect.top).round(9) / rect.height
    # A fixation without times belongs to its trial if that has none either.
    timeless = found["start_ms"].isna() & np.isinf(trial.start_ms) & np.isinf(trial.end_ms)
    on_trial = (end > start) | ((found["duration_ms"] == 0) & (end == start)) | timeless
    long_enough = duration >= min_ms - 1e-6
    on_image = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    summary.off_trial += int((~on_trial).sum())
    summary.short += int((on_trial & ~long_enough).sum())
    summary.outside += int((on_trial & long_enough & ~on_image).sum())
    columns = {
        "CURRENT_FIX_X": x,
        "CURRENT_FIX_Y": y,
        "CURRENT_FIX_DURATION": duration,
        "CURRENT_FIX_PUPIL": found["pupil"],
        "CURRENT_FIX_START": start - trial.start_ms if np.isfinite(trial.start_ms) else np.nan,
    }
    kept = on_trial & long_enough & on_image
    if summary.method == "events":
        summary.cut += int((kept & ((start > found["start_ms"]) | (end < end_on_clock))).sum())
    return pd.DataFrame(columns)[kept].astype(np.float64).reset_index(drop=True)
