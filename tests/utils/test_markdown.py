"""Nothing from outside becomes structure."""

import pytest

from utils.markdown import code, table


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a*b_c", "`a*b_c`"),
        ("<script>", "`<script>`"),
        ("two\nlines\t# title", "`two lines # title`"),
        ("a`b", "``a`b``"),
        ("``", "``` `` ```"),
        ("gnp.\u202eexe", "`gnp.\ufffdexe`"),
        ("", "–"),
        (7, "`7`"),
    ],
)
def test_any_text_is_one_code_span(text, span):
    assert code(text) == span


def test_a_bar_starts_no_other_cell():
    assert table(("a", "b"), [(code("x|y"), "1")]) == "| a | b |\n|---|---|\n| `x\\|y` | 1 |"
