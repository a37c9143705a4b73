"""Report of a comparison (``run.py compare --report``): every case with all runs' predictions on one page."""

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets import io
from datasets.files import find_file, sample_label
from datasets.specs import get_spec
from evaluation.comparison import Compared, ComparedRun, groups_of
from evaluation.per_case import ENSEMBLE, GROUP, NAME, PER_CASE_FILE, PREDICTIONS_FOLDER, PROBABILITIES_FOLDER
from evaluation.summary import summarize
from reporting.case_pictures import CasePictures, levels_of
from reporting.comparison_table import comparison_notes, comparison_rows
from reporting.html import REPORT_FILE, ReportRun, ReportWriter
from utils.log import code_version

PNG = (".png",)


def write_report(
    folder: Path, compared: Compared, *, data: str | None, root: str | None, fixations: str | None, seed: int = 0
) -> int:
    """Write the page, with the runs' ``predictions/`` and ``probabilities/`` where they exist; its size in bytes.

    Args:
        data, root: of the cases; None as the first summary that has them says.
        seed: that the bootstrap of the comparison had.

    Raises:
        OSError, ValueError: where data set, image or mask of a case cannot be found or read, or a prediction's size is
            not the image's.
    """
    data, root = _data_set(compared.runs, data, root)
    spec = get_spec(data, root)
    pictures = CasePictures(spec, root, fixations)
    names, without_truth = compared.runs[0].cases, 0
    # The groups that the comparison draws; those of the data set where no table has any.
    with_groups = any(GROUP in run.table for run in compared.runs)
    group_of = groups_of(compared.runs).get if with_groups else spec.case_of
    report = ReportWriter(
        folder / REPORT_FILE,
        title=" and ".join(run.name for run in compared.runs),
        runs=[_described(run) for run in compared.runs],
        comparison=comparison_rows(compared.comparisons),
        notes=[*comparison_notes(compared.comparisons, seed=seed), *compared.notes],
        made_by=f"run.py compare, version {code_version()}",
    )
    for name in names:
        truth, ignore = sample_label(spec, Path(root), name)
        without_truth += truth is None
        known = {"group": group_of(name), "truth": truth, "ignore": ignore}
        report.add(pictures.case(name, **known, **_of_runs(compared.runs, name)))
    pictures.print_missing_fixations()
    if without_truth:
        print(f"{without_truth} of {len(names)} cases have no mask in {Path(root, 'masks')}")
    return report.close()


def _data_set(runs: Sequence[ComparedRun], data: str | None, root: str | None) -> tuple[str, str]:
    # Both from one run: the name of one and the folder of another are no data set.
    pairs = [(run.settings.get("data"), run.settings.get("root")) for run in runs]
    known = next((pair for pair in pairs if all(isinstance(one, str) for one in pair)), (None, None))
    data, root = data or known[0], root or known[1]
    if not (data and root and Path(root).is_dir()):
        raise ValueError(
            f"--report: expected --data and --root, the data set of the cases, found {data or 'no data set'} at "
            f"{root or 'no folder'}; name them as for evaluate"
        )
    return data, root


def _described(run: ComparedRun) -> ReportRun:
    known = run.settings
    # The ends of paths: readers of the page need not know the folders of this machine.
    facts = [("results", "/".join(run.path.parent.parts[-2:]))]
    facts += [("checkpoint", Path(str(known["checkpoint"])).name)] if "checkpoint" in known else []
    facts += [(key, str(known[key])) for key in ("split", "threshold") if key in known]
    return ReportRun(
        run.name,
        what=str(known.get("what", "")),
        metrics=summarize(run.table, intervals=True),
        facts=facts,
    )


def _of_runs(runs: Sequence[ComparedRun], name: str) -> dict:
    """The fields of ``ReportCase`` that are by run."""
    found: dict[str, dict] = {"rows": {}, "predictions": {}, "probabilities": {}}
    for run in runs:
        folder = run.path.parent
        found["rows"][run.name] = levels_of(run.table[run.table[NAME] == name].to_dict("records"))
        # Pictures in the folder belong to this table alone.
        if run.path.name != PER_CASE_FILE:
            continue
        with contextlib.suppress(FileNotFoundError):
            found["predictions"][run.name] = io.read_mask(find_file(folder / PREDICTIONS_FOLDER, name, PNG))
        # The ensemble, level 1 and so on up to the first gap, as the page numbers them in order.
        levels = itertools.chain([ENSEMBLE], map("level{}".format, itertools.count(1)))
        paths = (find_file(folder / PROBABILITIES_FOLDER / level, name, PNG) for level in levels)
        maps = list(map(io.read_map, itertools.takewhile(Path.is_file, paths)))
        if len({one.shape for one in maps}) > 1:
            raise ValueError(
                f"{folder / PROBABILITIES_FOLDER}: expected maps of one size for {name}, found several; evaluate again"
            )
        if maps:
            found["probabilities"][run.name] = np.stack(maps)
    return found
