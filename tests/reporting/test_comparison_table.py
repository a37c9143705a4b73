"""The comparison's sentences on what a row does not tell."""

from dataclasses import replace

from evaluation.comparison import Comparison
from reporting.comparison_table import comparison_rows, comparisons_markdown

ONE = Comparison(
    metric="dice",
    level="ensemble",
    baseline="A",
    run="B",
    num_cases=100,
    num_groups=100,
    num_undefined_baseline=0,
    num_undefined_run=0,
    num_undefined_both=0,
    mean_baseline=0.5,
    mean_run=0.6,
    mean_difference=0.1,
    ci95_low=0.05,
    ci95_high=0.15,
    median_difference=0.08,
    wilcoxon_p=0.0123,
    tested="cases",
    holm_p=0.0123,
    wins=70,
    ties=10,
    losses=20,
)


def test_a_row():
    assert comparison_rows([ONE]) == [
        {
            "metric": "Dice %",
            "run": "B",
            "cases": 100,
            "baseline": "50.00",
            "run's mean": "60.00",
            "difference (95 %)": "+10.00 (+5.00 to +15.00)",
            "median": "+8.00",
            "Wilcoxon p": "0.012",
            "better / equal / worse": "70 / 10 / 20",
        }
    ]


def test_nothing_compared():
    names = ("mean_baseline", "mean_run", "mean_difference", "ci95_low", "ci95_high", "median_difference", "wilcoxon_p")
    nothing = replace(ONE, num_cases=0, num_undefined_both=100, wins=0, ties=0, losses=0, **dict.fromkeys(names))
    text = comparisons_markdown([nothing])
    assert "| Dice % | B | 0 | – | – | – (–) | – | – | 0 / 0 / 0 |" in text
    assert "B: left out for want of a value (nothing there and nothing predicted): 0 cases in A alone, 0 in B " in text


def test_all_equal_and_too_few_to_test():
    equal = replace(ONE, num_cases=3, wins=0, ties=3, losses=0, wilcoxon_p=None)
    text = comparisons_markdown([equal])
    assert "no test, as fewer than 6 cases" in text and "so p is 1" not in text
    assert "all differences are zero, so p is 1" in comparisons_markdown([replace(equal, num_cases=3, wilcoxon_p=1.0)])


def test_a_sentence_names_its_metrics_unless_it_holds_for_all():
    left_out = [replace(ONE, metric=metric, num_undefined_run=3) for metric in ("dice", "iou")]
    assert "\n\nB: left out" in comparisons_markdown(left_out)
    text = comparisons_markdown([left_out[0], replace(ONE, metric="hd95_mm", num_undefined_run=9)])
    assert "\n\nDice %: B: left out" in text
    assert "HD95 mm: B: left out for want of a value (nothing there and nothing predicted, or no spacing known)" in text
