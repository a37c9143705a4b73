"""Text from outside is shown as it is, and is never markup."""

import json
import re
from pathlib import Path

import numpy as np

from reporting.html.page import embedded_json


def test_json_holds_nothing_that_ends_a_script():
    content = {"</script><!--": ["&amp;", "a\u2028b\u2029c", 'quote"']}
    text = embedded_json(content)
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()
    assert json.loads(text) == content


def test_numbers_that_are_none_become_null():
    content = [float("nan"), float("inf"), np.float32("nan"), np.float64(0.5), np.int64(3), (1, 2), None]
    assert json.loads(embedded_json(content)) == [None, None, None, 0.5, 3, [1, 2], None]


def test_no_two_scripts_of_the_page_have_a_function_of_one_name():
    """They are joined into one: the later one would take the place of the earlier one in silence."""
    scripts = sorted((Path(__file__).resolve().parents[3] / "reporting" / "html" / "assets").glob("*.js"))
    names = [name for path in scripts for name in re.findall(r"^(?:function|const|let) (\w+)", path.read_text(), re.M)]
    assert len(names) > 50 and len(set(names)) == len(names)
