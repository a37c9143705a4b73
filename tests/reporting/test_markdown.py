"""Nothing from outside becomes structure."""

import pytest

from reporting.markdown import code, escaped, markdown_table, table


def test_a_table():
    assert markdown_table([("run", "n"), ("a_b", 3)]) == "| run | n |\n|---|---|\n| a_b | 3 |"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[x](y) `z` *w*", "\\[x\\](y) \\`z\\` \\*w\\*"),
        ("_a_b_ ~c~ d_1", "\\_a_b\\_ \\~c\\~ d_1"),
        ("two\n\nlines\t", "two lines"),
    ],
)
def test_nothing_in_a_cell_is_markup(text, expected):
    assert escaped(text) == expected


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
