"""``run.py fixations``: raw eye-tracker recordings to the fixation table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from commands.outputs import Output
from datasets.gaze.recordings.convert import ConversionSettings, Summary, convert_recordings, reasons
from datasets.gaze.recordings.detect import read_recording
from datasets.gaze.recordings.detection import DetectionSettings
from datasets.gaze.recordings.recording import ReadingSettings, Recording, Rect
from datasets.gaze.recordings.trial_table import apply_trial_table, read_trial_table, with_image, with_rect
from utils.files import write_text

# The header, and durations with a point: the published tables have the same header, and none.
TABLE_FORM = r"^IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION.*\n.*,1,[^,]+,[^,]+,\d+\.\d"


def outputs(args: argparse.Namespace) -> list[Output]:
    """What is written: the table."""
    return [Output("--to", Path(args.to), (".csv",), TABLE_FORM)]


def main(args: argparse.Namespace) -> int:
    """Read all recordings, write the table, print what became of each; returns 0."""
    paths = _distinct([*args.recordings, args.to, *([args.trials] if args.trials else [])])[: len(args.recordings)]
    rows = read_trial_table(args.trials) if args.trials else None
    recordings = [_read(path, args, rows) for path in paths]
    table, summaries, repeated = convert_recordings(recordings, _conversion_settings(args))
    write_text(args.to, table.to_csv(index=False, lineterminator="\n"))
    for summary in summaries:
        print(_describe(summary))
    if repeated:
        names = ", ".join(repeated[:3]) + (", ..." if len(repeated) > 3 else "")
        print(f"{len(repeated)} images were seen in several trials ({names}): all kept, the index runs on")
    print(f"{args.to}: {len(table)} fixations on {table['IMAGE'].nunique()} images")
    print(f"next: python run.py prepare --data DATA --root ROOT --fixations {args.to}")
    return 0


def _distinct(names: Sequence[str]) -> list[Path]:
    """The paths; ValueError if two are the same file, since the second would count twice or be overwritten."""
    paths = [Path(name) for name in names]
    seen: dict[Path, Path] = {}
    for path in paths:
        other = seen.setdefault(path.resolve(), path)
        if other is not path:
            raise ValueError(f"{path}: expected different files for recordings, --trials and --to, found it twice")
    return paths


def _read(path: Path, args: argparse.Namespace, rows) -> Recording:
    settings = ReadingSettings(
        columns=args.columns,
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
    if summary.blinks:
        lines.append(f"  blinks: {summary.blinks}")
    if summary.empty_trials:
        lines.append(f"  trials without a usable fixation: {summary.empty_trials}")
    return "\n".join([*lines, *(f"  note: {note}" for note in summary.notes)])
