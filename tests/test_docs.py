"""The documents name tests that exist."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_every_difference_from_the_reference_has_a_test_or_says_why_not():
    rows = re.search(r"\| reference \|.*?\n\|[-|]+\n(.*?)\n\n", (REPOSITORY / "docs" / "fidelity.md").read_text(), re.S)
    lines = rows[1].splitlines()
    assert len(lines) > 20
    for line in lines:
        *_, test, _ = line.split("|")
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", test)
        assert named or test.strip().startswith("none: "), line
        for file, function in named:
            assert f"def {function}" in (REPOSITORY / file).read_text(), line
