"""Who may import whom, read from the syntax trees."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("utils", "models", "losses", "evaluation", "datasets", "reporting", "inference", "training", "commands")
OWN = {*PACKAGES, "run", "trainer", "parse_args"}
# The rooms, from the ground up: a part may import what it is listed for and nothing else, so that there is no circle.
MAY_IMPORT = {
    "utils": set(),
    "models": {"utils"},
    "losses": {"utils"},
    "evaluation": {"utils"},
    "trainer": {"utils"},
    "datasets": {"utils", "evaluation"},
    "reporting": {"utils", "evaluation", "datasets"},
    "inference": {"utils", "models", "evaluation", "datasets", "reporting"},
    "training": {"utils", "models", "losses", "evaluation", "trainer", "datasets", "reporting", "inference"},
    "commands": {"utils", "models", "losses", "evaluation", "datasets", "reporting", "inference", "training"},
    "parse_args": {"commands"},
    "run": {"parse_args", "commands", "utils"},
}


# Test files of no one module: what a user meets, a kind of input through several parts, a tracker's files.
OF_SEVERAL = {
    *("architecture", "benchmarks", "cli", "cli_empty", "cli_folder", "cli_ignore", "dask", "distributed", "docs"),
    *("extending", "kept", "notebooks", "pretrained_model", "python", "readme", "released_lines", "resume", "setup"),
    *("commands/ensemble", "datasets/gaze/policies/policies", "reporting/html/browser"),
    *("datasets/recordings/command", "datasets/recordings/listing"),
    *(f"datasets/recordings/{of}" for of in ("gazepoint", "plain", "pupil_cloud", "pupil_player", "tobii")),
}


def own_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module.split(".")[0])
    return found & OWN


def files_of(part: str) -> list[Path]:
    return sorted((REPOSITORY / part).rglob("*.py")) if part in PACKAGES else [REPOSITORY / f"{part}.py"]


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_point_downwards_only(part):
    files = files_of(part)
    assert files
    for path in files:
        wrong = own_imports(path) - MAY_IMPORT[part] - {part}
        assert not wrong, f"{path.relative_to(REPOSITORY)} imports {', '.join(sorted(wrong))}"


def modules_imported(path: Path, known: set[str]) -> set[str]:
    """Which of the ``known`` modules a file imports, those for types and inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & known or {node.module}
    return found & known


def test_no_module_imports_itself_by_way_of_others():
    paths = [path.relative_to(REPOSITORY) for part in MAY_IMPORT for path in files_of(part)]
    path_of = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): REPOSITORY / path for path in paths}
    graph = {name: modules_imported(path, {*path_of}) for name, path in path_of.items()}
    list(graphlib.TopologicalSorter(graph).static_order())
    commands = {name for name in graph if name.startswith("commands.")} - {"commands.options", "commands.outputs"}
    assert not [name for name in commands if graph[name] & commands]


def test_tests_lie_where_what_they_test_lies():
    """A test file is called as its module, perhaps with more behind it, and lies in the same room."""
    lost = []
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        place = path.relative_to(REPOSITORY / "tests").parent
        words = path.stem.removeprefix("test_").split("_")
        names = [REPOSITORY / place / f"{'_'.join(words[:count])}.py" for count in range(1, len(words) + 1)]
        if not any(name.is_file() for name in names):
            lost.append((place / path.stem.removeprefix("test_")).as_posix())
    assert sorted(lost) == sorted(OF_SEVERAL)


def test_no_function_outgrows_the_screen():
    too_long = []
    for part in MAY_IMPORT:
        for path in files_of(part):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and _code_lines(node) > 45:
                    too_long.append(f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name} {_code_lines(node)}")
    assert not too_long


def _code_lines(function: ast.FunctionDef) -> int:
    """Lines of the body without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("command", ["fixations", "prepare", "assess", "split", "prepare_nci", "compare", "figure"])
def test_commands_that_train_nothing_start_without_torch(command):
    """It takes most of the time and memory of a start, and every process of a preparation would pay for it."""
    code = f"import sys, parse_args, commands.{command}; print([m for m in ('torch', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_training_starts_without_what_comes_later_or_not_at_all():
    """Seconds of every start."""
    later = ("scipy.stats", "scipy.spatial", "segmentation_models_pytorch", "timm", "matplotlib", "tensorboard")
    code = f"import sys, parse_args, commands.train; print([m for m in {later} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_processes_that_prepare_gaze_hold_no_pandas():
    """It would take 60 MB of each."""
    code = "import sys, datasets.gaze.prepare; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
