"""``run.py fixations``: raw eye-tracker recordings to the fixation table."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from commands.options import Parser, add_shared, settings_from_args
from commands.outputs import Output
from datasets.recordings.convert import ConversionSettings, Summary, convert_recordings, reasons
from datasets.recordings.detect import formats, read_recording
from datasets.recordings.detection import DetectionSettings
from datasets.recordings.recording import MESSAGE_OPTIONS, TABLE_OPTIONS, ReadingSettings, Recording, Rect
from datasets.recordings.trial_table import (
    TrialRow,
    apply_trial_table,
    is_of,
    list_trials,
    read_trial_table,
    trial_template,
    with_image,
    with_rect,
)
from utils.files import write_text
from utils.inputs import first_few, sha256_of
from utils.settings import add_settings, declared_settings, number_tuple

# Recognises our tables by the header and durations with decimals: published tables have the same header without.
TABLE_FORM = r"^IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION.*\n.*,1,[^,]+,[^,]+,\d+\.\d"


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "recordings", nargs="+", metavar="IN", help="recordings, as the trackers' software exports them"
    )
    parser.add_argument("--to", metavar="CSV", help="fixation table to write, for prepare --fixations")
    parser.add_argument("--list", action="store_true", help="print the trials that the recordings have")
    parser.add_argument(
        "--trials_template", metavar="CSV", help="write a table of these trials to fill in, for --trials"
    )
    add_shared(parser, "overwrite")
    parser.add_argument("--format", choices=formats(), help="of the files (default: by content)")
    group = parser.add_argument_group("which image, where and when")
    group.add_argument("--image", help="the image, for recordings of one that do not say")
    group.add_argument(
        "--trials",
        metavar="CSV",
        help=(
            "table of trials with any of recording, number, trial, image, left, top, width, height (px on the screen), "
            "start_ms, end_ms (the recording's clock), image_width, image_height"
        ),
    )
    group.add_argument(
        "--stimulus_rect",
        type=number_tuple(4, positive=2),
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="where every image is, px of the screen (default: as the recording says, else the whole screen)",
    )
    add_settings(group, declared_settings(ReadingSettings), MESSAGE_OPTIONS)
    group = parser.add_argument_group("fixations")
    add_settings(group, declared_settings(ConversionSettings, DetectionSettings))
    group = parser.add_argument_group("tables")
    add_settings(group, declared_settings(ReadingSettings), TABLE_OPTIONS)


def outputs(args: argparse.Namespace) -> list[Output]:
    # A template that was filled in by hand must not be replaced.
    options = (("--to", args.to, TABLE_FORM), ("--trials_template", args.trials_template, None))
    return [Output(option, Path(name), (".csv",), form) for option, name, form in options if name]


def main(args: argparse.Namespace) -> int:
    """Read all recordings, list their trials or write the table, print a summary of each."""
    if not (args.to or args.list or args.trials_template):
        raise ValueError("expected --to CSV, --list or --trials_template CSV, found none of them")
    paths = [Path(name) for name in args.recordings]
    rows, unused = read_trial_table(args.trials) if args.trials else (None, [])
    recordings = [_read(path, args, rows) for path in paths]
    _check_distinct(paths)
    if rows is not None:
        _say_unused(args.trials, rows, unused, recordings)
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
    settings = settings_from_args(ConversionSettings, args, detection=settings_from_args(DetectionSettings, args))
    table, summaries, repeated = convert_recordings(recordings, settings)
    write_text(args.to, table.to_csv(index=False, lineterminator="\n"))
    for summary in summaries:
        print(_describe(summary))
    if repeated:
        names = first_few(repeated, 3)
        print(f"{len(repeated)} images were seen in several trials ({names}): all kept, the index runs on")
    print(f"{args.to}: {len(table)} fixations on {table['IMAGE'].nunique()} images")
    print(f"next: python run.py prepare --data DATA --root ROOT --fixations {args.to}")


def _say_unused(path: str, rows: Sequence[TrialRow], columns: Sequence[str], recordings: Sequence[Recording]) -> None:
    """Print rows that fit no trial and unused columns: a typing error would leave an image, or its times, out."""
    if columns:
        print(f"{path}: columns not used: {', '.join(columns)[:200]} (fixations --help, --trials, has those that are)")
    used = {trial.where for recording in recordings for trial in recording.trials}
    unused = [row for row in rows if row.where not in used and any(is_of(row, r.path) for r in recordings)]
    if unused:
        print(f"{path}: {len(unused)} rows fit no trial (first: {unused[0].where})")


def _check_distinct(paths: Sequence[Path]) -> None:
    """Raise ValueError if a recording is given twice, or as a copy: its fixations would count twice."""
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(sha256_of(path), path)
        if other is not path:
            found = "it twice" if other.samefile(path) else f"a copy of {other}"
            raise ValueError(f"{path}: expected different recordings, found {found}; leave one out")


def _read(path: Path, args: argparse.Namespace, rows) -> Recording:
    settings = settings_from_args(ReadingSettings, args, want_samples=args.method in ("ivt", "idt"))
    recording = read_recording(path, settings, format=args.format)
    recording = with_image(recording, args.image)
    recording = with_rect(recording, Rect(*args.stimulus_rect) if args.stimulus_rect else None)
    return recording if rows is None else apply_trial_table(recording, rows)


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
