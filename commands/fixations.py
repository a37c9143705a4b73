"""``run.py fixations``: raw eye-tracker recordings to the fixation table."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

from commands.outputs import Output
from datasets.recordings.convert import ConversionSettings, Summary, convert_recordings, reasons
from datasets.recordings.detect import read_recording
from datasets.recordings.detection import DetectionSettings
from datasets.recordings.listing import list_trials
from datasets.recordings.recording import ReadingSettings, Recording, Rect
from datasets.recordings.trial_table import (
    TrialRow,
    apply_trial_table,
    is_of,
    read_trial_table,
    trial_template,
    with_image,
    with_rect,
)
from utils.files import write_text
from utils.inputs import read_input

# The header, and durations with a point: the published tables have the same header, and none.
TABLE_FORM = r"^IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION.*\n.*,1,[^,]+,[^,]+,\d+\.\d"


def outputs(args: argparse.Namespace) -> list[Output]:
    """What is written: the fixation table, the table to fill in, or both."""
    # A template is filled in by hand, and then no longer to be replaced.
    options = (("--to", args.to, TABLE_FORM), ("--trials_template", args.trials_template, None))
    return [Output(option, Path(name), (".csv",), form) for option, name, form in options if name]


def main(args: argparse.Namespace) -> int:
    """Read all recordings, list their trials or write the table, print what became of each; returns 0."""
    if not (args.to or args.list or args.trials_template):
        raise ValueError("expected --to CSV, --list or --trials_template CSV, found none of them")
    paths = _distinct(args.recordings)
    rows = read_trial_table(args.trials) if args.trials else None
    recordings = [_read(path, args, rows) for path in paths]
    _check_contents(paths)
    if rows is not None:
        _say_unused(args.trials, rows, recordings)
    if args.list:
        print("\n".join(line for recording in recordings for line in list_trials(recording)))
        if any(trial.image is None for recording in recordings for trial in recording.trials):
            print("next: name the images by --image_message REGEX, --image NAME or the table of --trials_template CSV")
    if args.trials_template:
        write_text(args.trials_template, trial_template(recordings))
        print(f"{args.trials_template}: {sum(len(recording.trials) for recording in recordings)} trials")
        print(f"next: fill it in, then python run.py fixations ... --trials {args.trials_template} --to fixations.csv")
    if args.to:
        _convert(recordings, args)
    return 0


def _convert(recordings: Sequence[Recording], args: argparse.Namespace) -> None:
    table, summaries, repeated = convert_recordings(recordings, _conversion_settings(args))
    write_text(args.to, table.to_csv(index=False, lineterminator="\n"))
    for summary in summaries:
        print(_describe(summary))
    if repeated:
        names = ", ".join(repeated[:3]) + (", ..." if len(repeated) > 3 else "")
        print(f"{len(repeated)} images were seen in several trials ({names}): all kept, the index runs on")
    print(f"{args.to}: {len(table)} fixations on {table['IMAGE'].nunique()} images")
    print(f"next: python run.py prepare --data DATA --root ROOT --fixations {args.to}")


def _say_unused(path: str, rows: Sequence[TrialRow], recordings: Sequence[Recording]) -> None:
    """Rows that fit no trial: a slip of the pen would leave an image out."""
    used = {trial.where for recording in recordings for trial in recording.trials}
    unused = [row for row in rows if row.where not in used and any(is_of(row, r.path) for r in recordings)]
    if unused:
        print(f"{path}: {len(unused)} rows fit no trial (first: {unused[0].where})")


def _distinct(names: Sequence[str]) -> list[Path]:
    """The paths; ValueError if two are the same file, which would count twice."""
    paths = [Path(name) for name in names]
    seen: dict[Path, Path] = {}
    for path in paths:
        other = seen.setdefault(path.resolve(), path)
        if other is not path:
            raise ValueError(f"{path}: expected different recordings, found it twice")
    return paths


def _check_contents(paths: Sequence[Path]) -> None:
    """ValueError if a recording is the copy of another, whose fixations would count twice."""
    seen: dict[bytes, Path] = {}
    for path in paths:
        other = seen.setdefault(hashlib.sha256(read_input(path)).digest(), path)
        if other is not path:
            raise ValueError(f"{path}: expected different recordings, found a copy of {other}; leave one out")


def _read(path: Path, args: argparse.Namespace, rows) -> Recording:
    settings = ReadingSettings(
        columns=args.columns,
        valid=args.valid,
        time_unit=args.time_unit,
        xy_unit=args.xy_unit,
        image_message=args.image_message,
        onset_message=args.onset_message,
        offset_message=args.offset_message,
        want_samples=args.method in ("ivt", "idt"),
    )
    recording = read_recording(path, settings, format=args.format)
    recording = with_image(recording, args.image)
    recording = with_rect(recording, Rect(*args.stimulus_rect) if args.stimulus_rect else None)
    return recording if rows is None else apply_trial_table(recording, rows)


def _conversion_settings(args: argparse.Namespace) -> ConversionSettings:
    return ConversionSettings(
        method=args.method,
        eye=args.eye,
        detection=DetectionSettings(args.velocity_deg_s, args.dispersion_deg, args.min_duration_ms, args.merge_gap_ms),
        screen_px=args.screen_px,
        screen_cm=args.screen_cm,
        distance_cm=args.distance_cm,
        sampling_rate_hz=args.sampling_rate_hz,
    )


def _describe(summary: Summary) -> str:
    lines = [
        f"{summary.path}: {summary.format}, {summary.method}, {summary.eye} eye{'s' * (summary.eye == 'both')}: "
        f"{summary.kept} fixations kept on {len(summary.images)} images in {summary.trials} trials",
        f"  left out: {reasons(summary)}",
    ]
    if summary.cut:
        lines.append(f"  cut where their image appeared or vanished: {summary.cut}")
    if summary.blinks:
        lines.append(f"  blinks: {summary.blinks}")
    if summary.empty_trials:
        lines.append(f"  trials without a usable fixation: {summary.empty_trials}")
    return "\n".join([*lines, *(f"  note: {note}" for note in summary.notes)])
