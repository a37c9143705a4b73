"""Names of runs on a command line."""

from pathlib import Path

import pytest

from evaluation.run_names import NamedPath, distinct_names, named_paths


def test_given_names_and_those_of_folders(tmp_path):
    assert named_paths(["exp/a", "ours=exp/b", "exp/c/model_latest.pth", "x=y=z"], "--runs") == [
        NamedPath("a", Path("exp/a")),
        NamedPath("ours", Path("exp/b")),
        NamedPath("c", Path("exp/c/model_latest.pth")),
        NamedPath("x", Path("y=z")),
    ]
    assert named_paths([], "--runs") == []


def test_a_path_with_an_equals_sign_is_one_where_it_is_there(tmp_path):
    (tmp_path / "lr=0.1").mkdir()
    assert named_paths([str(tmp_path / "lr=0.1")], "--runs") == [NamedPath("lr=0.1", tmp_path / "lr=0.1")]


def test_a_name_with_an_equals_sign_is_one_where_its_path_is_there(tmp_path):
    assert named_paths([f"lr=0.1={tmp_path}"], "--runs") == [NamedPath("lr=0.1", tmp_path)]
    assert named_paths([tmp_path], "--runs") == [NamedPath(tmp_path.name, tmp_path)]


def test_folders_that_end_alike_are_told_apart_by_their_paths():
    assert distinct_names(["x/run", "y/run", "z/other/per_case.csv"]) == ["x/run", "y/run", "other"]
    assert distinct_names(["/home/me/a/evaluate_test", "/home/me/b/evaluate_test"]) == [
        "a/evaluate_test",
        "b/evaluate_test",
    ]
    assert distinct_names(["/run", "/x/run", "/x/run/per_case.csv"]) == ["/run", "x/run", "run/per_case.csv"]
    assert distinct_names(["x/run", "x/run"]) == ["run", "run"]
    assert distinct_names(["run/model_best.pth", "run/model_latest.pth"]) == [
        "run/model_best.pth",
        "run/model_latest.pth",
    ]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a=x", "a=y"], "--runs: expected a name of its own for each run, found 'a' twice; name them NAME=PATH"),
        (["=x"], "--runs: expected NAME=PATH, or a path, found '=x'"),
        (["a="], "expected NAME=PATH, or a path, found 'a='"),
        (["a\u2028b=x"], "expected names on one line"),
    ],
)
def test_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        named_paths(texts, "--runs")
