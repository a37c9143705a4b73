"""The documents: their commands are ones, their links lead somewhere, their messages and tests exist."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

import run
from parse_args import parse_args

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for path in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*/README.md")]
    if not path.parent.name.startswith(".")
)
HOSTS = ("arxiv.org", "github.com", "datasets.simula.no", "www.cancerimagingarchive.net", "drive.google.com")
README_LINES = 200
# Options that shorten the commands of the documents, which are run on tiny data.
SHORT = "--device cpu --spatial_size 32 -bs 2 --num_worker 0 --max_ite 2 --log_step 1"
OF_COMMAND = {
    "train": f"{SHORT} --round_ite 1 --features 4,8,8,8,8,4",
    "prepare": "--workers 1",
    "evaluate": "--device cpu --num_worker 0",
    "predict": "--device cpu --num_worker 0",
    "baseline": "--device cpu --num_worker 0",
}
# What takes long, or needs a tracker's recordings, is typed by tests of its own.
ELSEWHERE = ("fixations", "export", "hours")
RUN = [
    path
    for path in DOCUMENTS
    if "run.py" in path.read_text(encoding="utf-8") and (path.parent.name == "docs" or path == REPOSITORY / "README.md")
]


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


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Path:
    """A folder with the data sets, checkpoints and results that the documents start from."""
    here = tmp_path_factory.mktemp("docs")
    kvasir = here / "data" / "kvasir"
    assert run.main(["demo", "--root", str(kvasir), "--num_train", "10", "--num_test", "3"]) == 0
    mine = shutil.copytree(kvasir, here / "data" / "mine")
    for file in mine.glob("t*.txt"):
        file.unlink()
    line = f"prepare --data kvasir --root {kvasir} --fixations {kvasir / 'fixations.csv'} --workers 1"
    assert run.main(line.split()) == 0
    shutil.copytree(kvasir, here / "data" / "demo")
    (here / "GazeMedSeg").mkdir()
    for table in (here / "GazeMedSeg" / "kvasir_fixation.csv", here / "fix.csv"):
        shutil.copy(kvasir / "fixations.csv", table)
    shutil.copytree(kvasir / "images", here / "new_images")
    line = f"train --data kvasir --root {kvasir} --exp_path {here / 'exp' / 'gaze'} {OF_COMMAND['train']}"
    assert run.main(line.split()) == 0
    for name in ("demo/gaze_one_level", "demo/gaze_two_levels", "kvasir_gaze"):
        shutil.copytree(here / "exp" / "gaze", here / "exp" / name)
    for name in ("one_level", "two_levels"):
        shutil.copytree(here / "exp" / "gaze", here / "exp" / "demo" / f"gaze_{name}" / "evaluate_test")
    shutil.copytree(here / "exp" / "gaze", here / "exp" / "mine")
    shutil.copy(here / "exp" / "gaze" / "model_best.pth", here / "released.pth")
    return here


@pytest.mark.parametrize("path", RUN, ids=_id)
def test_commands_run(path, places, tmp_path, monkeypatch, capsys):
    here = shutil.copytree(places, tmp_path / "here")
    monkeypatch.chdir(here)
    for line in _shell_lines(path.read_text(encoding="utf-8")):
        words = shlex.split(line, comments=True)
        if words[:2] != ["python", "run.py"] or words[2] in ELSEWHERE:
            continue
        # What the document makes, it may have been given to start from.
        if "--exp_path" in words and words[2] == "train":
            shutil.rmtree(words[words.index("--exp_path") + 1], ignore_errors=True)
        more = OF_COMMAND.get(words[2], "") + (" --masks 8" if "--masks" in words else "")
        more += " --rounds 2" if "strong" in words and "full_sup" not in words else ""
        assert run.main([*words[2:], *more.split()]) == 0, (line, capsys.readouterr().err)
