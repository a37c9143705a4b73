"""The documents: their commands are ones, their links lead somewhere, their messages and tests exist."""

import re
import shlex
from pathlib import Path

import pytest

from parse_args import parse_args

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for path in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*/README.md")]
    if not path.parent.name.startswith(".")
)
HOSTS = ("arxiv.org", "github.com", "datasets.simula.no", "www.cancerimagingarchive.net", "drive.google.com")
README_LINES = 200


def _id(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def _shell_lines(text: str) -> list[str]:
    """The lines of all shell blocks, whole: continued lines joined, variables set above put in."""
    variables, lines = {}, []
    for block in re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        block = re.sub(r"\\\n\s*", " ", block)
        for name, value in re.findall(r'^(\w+)="([^"]*)"$', block, re.MULTILINE):
            variables[name] = " ".join(value.split())
        block = re.sub(r'^\w+="[^"]*"$', "", block, flags=re.MULTILINE)
        lines += [re.sub(r"\$(\w+)", lambda m: variables.get(m[1], m[0]), line) for line in block.splitlines()]
    return [line for line in lines if line.strip()]


def test_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_commands_are_commands(path: Path):
    for line in _shell_lines(path.read_text(encoding="utf-8")):
        words = shlex.split(line, comments=True)
        if "run.py" in words:
            parse_args(words[words.index("run.py") + 1 :])
        for word in words:
            if re.fullmatch(r"(scripts|benchmarks|tests|requirements)[\w./-]*\.(sh|py|txt)", word):
                assert (REPOSITORY / word).is_file(), line


@pytest.mark.parametrize("path", DOCUMENTS, ids=_id)
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            assert re.match(rf"https://({'|'.join(map(re.escape, HOSTS))})(/|$)", target), target
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            assert anchor in _anchors(there.read_text(encoding="utf-8")), target


def _anchors(text: str) -> set[str]:
    """Of the headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_messages_that_are_explained_exist():
    files = [path for part in ("*.py", "*/**/*.py", "scripts/*.sh") for path in REPOSITORY.glob(part)]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files if not {".venv", "tests"} & set(path.parts))
    # A message may go on on the next line of its source.
    code = re.sub(r'"\s*\n\s*f?"', "", code)
    rows = re.findall(r"^\| (`.*?`)", (REPOSITORY / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(rows) > 15
    for row in rows:
        for message in re.findall(r"`([^`]+)`", row):
            for piece in filter(None, map(str.strip, message.split("..."))):
                assert piece in code, message


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
