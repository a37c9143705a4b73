"""Markdown tables, whose cells stay text."""

import pytest

from utils.markdown import escaped, markdown_table


def test_a_table():
    assert markdown_table([("run", "n"), ("a_b", 3)]) == "| run | n |\n|---|---|\n| a_b | 3 |"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[x](y) `z` *w*", "\\[x\\](y) \\`z\\` \\*w\\*"),
        ("two\n\nlines\t", "two lines"),
    ],
)
def test_nothing_in_a_cell_is_markup(text, expected):
    assert escaped(text) == expected
