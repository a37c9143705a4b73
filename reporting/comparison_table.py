"""Table of comparisons with explanatory notes, in Markdown and for the page."""

from collections.abc import Iterator, Sequence

from evaluation.comparison import Comparison
from evaluation.metrics import MEASURES
from evaluation.statistics import MIN_TESTED, NUM_RESAMPLES
from reporting.markdown import NOTHING, escaped, markdown_table


def comparisons_markdown(comparisons: Sequence[Comparison], *, seed: int = 0, notes: Sequence[str] = ()) -> str:
    """Markdown table with a row a metric and run, and explanatory notes below.

    Args:
        comparisons: one or more, as ``compare_paired`` makes them: of one baseline and level.
        seed: that the bootstrap had.
        notes: further sentences.
    """
    rows = comparison_rows(comparisons)
    sentences = [escaped(note) for note in (*comparison_notes(comparisons, seed=seed), *notes)]
    return "\n\n".join([markdown_table([list(rows[0]), *(row.values() for row in rows)]), *sentences]) + "\n"


def comparison_rows(comparisons: Sequence[Comparison]) -> list[dict[str, str | int]]:
    """The table as dicts, a row a metric and run; the keys are the columns, and names are as they were given.

    ``Holm p`` is there where several runs are compared with the baseline.
    """
    several = len({comparison.run for comparison in comparisons}) > 1
    rows = []
    for c in comparisons:
        interval = NOTHING if c.ci95_low is None else f"{_signed(c, c.ci95_low)} to {_signed(c, c.ci95_high)}"
        row = {
            "metric": f"{MEASURES[c.metric].title} {MEASURES[c.metric].unit}",
            "run": c.run,
            "cases": c.num_cases,
            "baseline": _number(c, c.mean_baseline),
            "run's mean": _number(c, c.mean_run),
            "difference (95 %)": f"{_signed(c, c.mean_difference)} ({interval})",
            "median": _signed(c, c.median_difference),
            "Wilcoxon p": _p(c.wilcoxon_p),
        }
        if several:
            row["Holm p"] = _p(c.holm_p)
        rows.append(row | {"better / equal / worse": f"{c.wins} / {c.ties} / {c.losses}"})
    return rows


def comparison_notes(comparisons: Sequence[Comparison], *, seed: int = 0) -> list[str]:
    """Notes on the numbers of the table and on exceptions, as sentences with names as they were given."""
    first = comparisons[0]
    several = len({comparison.run for comparison in comparisons}) > 1
    grouped = any(c.tested == "group means" for c in comparisons)
    drawn = "groups (patients)" if grouped else "cases"
    sentences = [
        f"Baseline: {first.baseline}. Level: {first.level}. Difference: the run less the baseline, "
        "case by case, mean over cases; overlaps in percentage points. Better means a larger overlap or a smaller "
        f"distance. In parentheses the 95 % percentile bootstrap interval of the mean ({NUM_RESAMPLES:,} resamples of "
        f"{drawn}, seed {seed}).",
        "p: Wilcoxon signed-rank test, two-sided, differences of zero left out (Wilcoxon's own rule)"
        + (
            ", on the means of groups, since cases of a patient are not independent."
            if grouped
            else ", on cases, each a group of its own."
        ),
    ]
    if several:
        sentences.append(
            "Holm p: adjusted for all runs that are compared with the baseline, for each metric by itself; several "
            "metrics are not adjusted for."
        )
    return [*sentences, *_exceptions(comparisons)]


def _exceptions(comparisons: Sequence[Comparison]) -> list[str]:
    """Notes on exceptions, each once with the metrics that it holds for."""
    metrics_of: dict[str, list[str]] = {}
    for comparison in comparisons:
        measure = MEASURES[comparison.metric]
        for sentence in _exceptions_of(comparison):
            metrics_of.setdefault(sentence, []).append(f"{measure.title} {measure.unit}")
    all_metrics = len({comparison.metric for comparison in comparisons})
    return [
        sentence if len(metrics) == all_metrics else f"{', '.join(metrics)}: {sentence}"
        for sentence, metrics in metrics_of.items()
    ]


def _exceptions_of(c: Comparison) -> Iterator[str]:
    baseline, run = c.baseline, c.run
    if c.num_left_out:
        why = "nothing there and nothing predicted" + (", or no spacing known" if c.metric.endswith("_mm") else "")
        yield (
            f"{run}: left out for want of a value ({why}): {c.num_undefined_baseline} "
            f"cases in {baseline} alone, {c.num_undefined_run} in {run} alone, {c.num_undefined_both} in both."
        )
    if c.tested == "group means":
        yield f"{run}: {c.num_cases} cases of {c.num_groups} groups."
    if c.wilcoxon_p is not None and c.ties == c.num_cases:
        yield f"{run}: all differences are zero, so p is 1."
    if c.wilcoxon_p is None:
        yield f"{run}: no test, as fewer than {MIN_TESTED} {c.tested} cannot tell a difference from chance."


def _number(comparison: Comparison, value: float | None, sign: str = "") -> str:
    return NOTHING if value is None else f"{value * MEASURES[comparison.metric].scale:{sign}.2f}"


def _signed(comparison: Comparison, value: float | None) -> str:
    return _number(comparison, value, "+")


def _p(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2g}"
