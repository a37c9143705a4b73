"""What no command writes over: inputs, data, the files of others, and what another process is writing."""

import errno
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest
from PIL import Image

import run
from commands.outputs import Folder, Output, guarded
from utils.locks import lock_folder, lock_output

REPOSITORY = Path(__file__).resolve().parents[2]
FIXATIONS = "IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\na.jpg,1,0.5,0.5,"
SMALL = ["--features", "4,8,8,8,8,4", "--spatial_size", "32", "-bs", "2", "--num_worker", "0", "--device", "cpu"]


@pytest.fixture
def fails(capsys, tmp_path, monkeypatch):
    """A function that runs a command line in ``tmp_path`` that must fail, and change no file; its one line."""
    monkeypatch.chdir(tmp_path)

    def content():
        return {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}

    def run_it(*words):
        before = content()
        capsys.readouterr()
        assert run.main([str(word) for word in words]) == 2
        assert content() == before
        error = capsys.readouterr().err
        assert error.count("\n") == 1, error
        return error

    return run_it


def test_a_folder_whose_name_is_no_text_is_refused_before_any_work(fails, tmp_path):
    place = os.fsdecode(b"out\xe4")
    error = fails("train", "--data", "kvasir", "--root", "nowhere", "--exp_path", place)
    assert "--exp_path 'out\\udce4': expected a path in UTF-8, found other bytes" in error


@pytest.fixture
def exp(tmp_path):
    """A finished run of which nothing was evaluated, and a checkpoint."""
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "summary.json").write_text('{"results": {}}')
    (tmp_path / "exp" / "model_latest.pth").write_bytes(b"weights")
    return tmp_path / "exp"


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("exp/model_latest.pth", "expected a file name ending in .md or .markdown or .txt, found .pth"),
        ("table", "found no ending"),
        ("exp", "expected another file than the input exp"),
        ("", "found no ending"),
        ("folder.md", "expected folder.md to be the name of a file, found a folder"),
        ("fifo.md", "expected fifo.md to be the name of a file, found a device, pipe or socket"),
        ("notes.md", "found notes.md; choose another name, or replace it with --overwrite"),
        ("link.md", "found link.md; choose another name, or replace it with --overwrite"),
        ("notes.md/table.md", "expected a folder, or nothing yet, found a file"),
        ("data/images/table.md", "expected a place outside of"),
        ("pictures/new/table.md", "expected a place outside of"),
    ],
)
def test_where_a_table_does_not_go(exp, fails, tiny_root, tmp_path, to, message):
    tiny_root.rename(tmp_path / "data")
    (tmp_path / "pictures").symlink_to("data/images")
    (tmp_path / "folder.md").mkdir()
    os.mkfifo(tmp_path / "fifo.md")
    (tmp_path / "notes.md").write_text("# What I found\n")
    (tmp_path / "link.md").symlink_to("notes.md")
    assert message in fails("summarize", "exp", "--to", to)


def test_tables_go_over_their_like_and_over_empty_files_and_others_when_asked(exp, tmp_path, fails):
    (tmp_path / "table.md").touch()
    for _ in range(2):
        assert run.main(["summarize", str(exp), "--to", "table.md", "--csv", "table.csv"]) == 0
    for name in ("table.md", "table.csv"):
        (tmp_path / name).write_text("mine")
        assert f"found {name}" in fails("summarize", "exp", *(f"--{'to' if name == 'table.md' else 'csv'}", name))
    assert run.main(["summarize", str(exp), "--to", "table.md", "--csv", "table.csv", "--overwrite"]) == 0
    assert "nothing was evaluated" in (tmp_path / "table.md").read_text()


def test_two_outputs_are_two_files(tmp_path):
    two = [Output("--to", tmp_path / "a" / ".." / "b.csv"), Output("--trials_template", tmp_path / "b.csv")]
    with pytest.raises(ValueError, match="--to: expected every file once"), guarded(Namespace(command="x"), two):
        pass


@pytest.mark.parametrize("how", ["the same", "another spelling", "link", "hard link", "named"])
def test_an_input_is_no_output(fails, tmp_path, how):
    table = tmp_path / "in.csv"
    table.write_text(FIXATIONS + "100.0\n")
    to = {"the same": "in.csv", "another spelling": "./in.csv", "named": "in.csv"}.get(how, "out.csv")
    if how == "link":
        (tmp_path / to).symlink_to(table)
    elif how == "hard link":
        os.link(table, tmp_path / to)
    given = "screen=in.csv" if how == "named" else "in.csv"
    for more in ([], ["--overwrite"]):
        message = "expected another file than the input in.csv, which would be replaced; choose another"
        assert message in fails("fixations", given, "--to", to, *more)


@pytest.mark.parametrize(
    ("content", "ours"),
    [("100.0\n", True), ("100\n", False), ("100.0\nsecond,2\n", True), (None, True), ("x,1\n", False)],
)
def test_a_fixation_table_goes_over_ours_and_not_over_the_published_ones(tmp_path, content, ours):
    from commands.fixations import outputs

    if content is not None:
        (tmp_path / "fix.csv").write_text(FIXATIONS + content)
    output = outputs(Namespace(to=str(tmp_path / "fix.csv"), trials_template=None))[0]
    if ours:
        output.check(overwrite=False)
    else:
        with pytest.raises(ValueError, match="--overwrite"):
            output.check(overwrite=False)


def test_a_figure_goes_over_ours_and_not_over_a_picture(tiny_root, tmp_path, fails):
    files = [tmp_path / f"a.{ending}" for ending in ("png", "pdf", "svg")]
    command = ["figure", "--data", "kvasir", "--root", tiny_root, "--ids", "polyp7", "--to", *files]
    for _ in range(2):
        assert run.main(list(map(str, command))) == 0
    image = tiny_root / "images" / "polyp7.jpg"
    assert "expected a place outside of" in fails(*command[:-3], tiny_root / "masks" / "new.png")
    Image.open(image).save(files[0])
    assert f"found {files[0]}" in fails(*command)
    assert run.main([*map(str, command), "--overwrite"]) == 0


@pytest.mark.parametrize("where", ["images/exp", "masks", "gaze/exp", "images/../masks/exp"])
@pytest.mark.parametrize("command", ["train", "baseline"])
def test_no_results_among_the_samples(tiny_root, fails, where, command):
    words = [command, "--data", "kvasir", "--root", tiny_root, "--exp_path", tiny_root / where]
    assert "which is the data set's; choose another" in fails(*words)
    words[4] = "nowhere"
    assert "which is the data set's; choose another" in fails(*words), "even if it is another's"


def test_results_do_not_go_over_those_of_another_command(tiny_root, tmp_path, exp, fails):
    data = ["--data", "kvasir", "--root", tiny_root]
    for command in ("train", "baseline"):
        assert "expected a folder without summary.json" in fails(command, *data, "--exp_path", "exp")
    evaluate = ["evaluate", "--root", tiny_root, "--ckpt_path", "exp/model_latest.pth", "--exp_path"]
    assert "expected a folder without summary.json" in fails(*evaluate, "exp")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "report.html").write_text("of an evaluation")
    assert "expected a folder without report.html" in fails("compare", "a", "b", "--to", "other")
    assert "expected a folder, or nothing yet, found a file" in fails(*evaluate, "exp/summary.json")


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (["train", "--resume"], "summary.json"),
        (["train"], "per_case_test_selected.csv"),
        (["train", "--save_pred"], "predictions/a.png"),
        (["train", "--profile", "1"], "profile/trace.json"),
        (["train"], "examples.png"),
        (["evaluate", "--ckpt_path", "weights.pth", "--save_pred"], "predictions/a.png"),
        (["evaluate", "--ckpt_path", "weights.pth", "--save_prob"], "probabilities/level1/a.png"),
    ],
)
def test_results_of_others_stay_whatever_is_asked_for(tiny_root, tmp_path, fails, words, there):
    (tmp_path / "other" / there).parent.mkdir(parents=True)
    (tmp_path / "other" / there).write_text("mine")
    data = ["--data", "kvasir", "--root", tiny_root, "--exp_path", "other"]
    assert f"expected a folder without {there.split('/')[0].split('_test')[0]}" in fails(*words, *data)


def test_where_a_kill_came_while_results_took_their_places(tmp_path):
    folder = Folder("--exp_path", tmp_path, ours='"split": ', names=("a.csv", "summary.json"), sign="summary.json")
    (tmp_path / "a.csv").write_text("of an evaluation")
    with pytest.raises(ValueError, match="expected a folder without a.csv"):
        folder.check(overwrite=False)
    (tmp_path / ".tmp-0123456789abcdef").mkdir()
    (tmp_path / ".tmp-0123456789abcdef" / "summary.json").write_text('{"split": "test"}')
    folder.check(overwrite=False)


def test_a_link_that_leads_nowhere_is_no_folder(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ValueError, match="expected a folder, or nothing yet, found a link that leads nowhere"):
        Folder("--root", tmp_path / "link").check(overwrite=False)


def test_weights_to_start_from_are_not_overwritten(tiny_root, exp, fails):
    words = ["train", "--data", "kvasir", "--root", tiny_root, "--exp_path", "exp", "--overwrite"]
    assert "expected another file than the input exp/model_latest.pth" in fails(
        *words, "--ckpt_path", "exp/model_latest.pth"
    )


def test_who_else_is_there(tiny_root, exp, fails, tmp_path):
    train = ["train", "--data", "kvasir", "--root", tiny_root, "--exp_path", "new"]
    with lock_folder(tmp_path / "new", "run.py train"):
        assert f"new: expected to be alone, found run.py train at work (process {os.getpid()} on" in fails(*train)
        assert "new: expected to be alone" in fails(*train, "--seeds", "0,1")
    with lock_folder(tmp_path / "new" / "seed1", "run.py train"):
        assert "new/seed1: expected to be alone" in fails(*train, "--seeds", "0,1")
    with lock_folder(tmp_path / "exp", "run.py train"):
        assert run.main(["summarize", "exp", "--to", "exp/table.md"]) == 0, "reading is not hindered"
    with lock_output(tmp_path / "demo", "run.py demo"):
        assert "demo: expected to be alone" in fails("demo", "--root", "demo")
    with lock_folder(tiny_root, "run.py split"):
        assert "expected to be alone" in fails("split", "--root", tiny_root)


def test_what_a_kill_left_goes_with_the_next_call(tmp_path):
    command = [sys.executable, REPOSITORY / "run.py", "demo", "--root", tmp_path / "demo", "--num_train"]
    process = subprocess.Popen([*command, "9999"])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".tmp-*/images/*.jpg")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(os.listdir(tmp_path)) == 2
    assert run.main([*map(str, command[2:]), "2", "--num_test", "1"]) == 0
    assert os.listdir(tmp_path) == ["demo"]


def test_what_a_kill_left_in_a_folder_and_below(tmp_path):
    places = [tmp_path, tmp_path / "masks" / "a", tmp_path / "other"]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / ".tmp-0123456789abcdef.png").touch()
    with guarded(Namespace(command="predict"), [Folder("--out", tmp_path, inside=("masks/**",))]):
        assert [path.parent for path in tmp_path.rglob(".tmp-*")] == [tmp_path / "other"]


def test_a_terminal_that_is_gone_does_not_cost_the_steps(tiny_root, tmp_path, monkeypatch):
    def gone(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("training.fit.StopRequest.__bool__", lambda _: True)
    monkeypatch.setattr("training.fit.LogHook.__call__", gone)
    data = ["--data", "kvasir", "--root", str(tiny_root), "--exp_path", str(tmp_path / "exp"), "--mode", "full_sup"]
    assert run.main(["train", *data, *SMALL, "--max_ite", "9"]) == 2
    assert (tmp_path / "exp" / "model_latest.pth").is_file()


@pytest.mark.parametrize("root", [".", "link"])
def test_an_empty_folder_is_filled_where_it_is(tmp_path, monkeypatch, root):
    (tmp_path / "demo").mkdir()
    (tmp_path / "link").symlink_to("demo")
    monkeypatch.chdir(tmp_path / ("demo" if root == "." else ""))
    assert run.main(["demo", "--root", root, "--num_train", "1", "--num_test", "1"]) == 0
    assert (Path(root) / "demo.json").is_file()
    assert sorted(os.listdir(tmp_path)) == ["demo", "link"] and (tmp_path / "link").is_symlink()
