import resource

import pytest

from inference.folder.journal import Journal


def test_the_last_record_of_a_name_counts_also_when_opened_again(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.add("b", {"x": 1})
    journal.add("a", {"x": 2})
    journal.add("b", {"x": 3})
    journal.add("c", {"x": 4})
    journal.remove("c")
    for _ in range(2):
        assert journal.names == ["a", "b"] and "c" not in journal
        assert journal["b"] == {"name": "b", "x": 3}
        journal.close()
        journal = Journal(path)
    journal.close()


@pytest.mark.parametrize("name", ["a\nb", 'q"', "\udcff", "é"])
def test_names_come_back_as_they_were(tmp_path, name):
    for _ in range(2):
        journal = Journal(tmp_path / "j.jsonl")
        journal.add(name, {})
        assert journal.names == [name] and journal[name] == {"name": name}
        journal.close()


def test_what_a_kill_cut_short_was_never_added(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.add("a", {"x": 1})
    journal.add("b", {"x": 2})
    journal.close()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        journal = Journal(path)
        assert journal.names == ["a"]
        journal.add("b", {"x": 2})
        assert journal["b"]["x"] == 2
        journal.close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b"no JSON\n", b'{"name": 3}\n', b"\xff\n"])
def test_other_lines_are_an_error_that_names_the_place(tmp_path, line):
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"name": "a"}\n' + line)
    with pytest.raises(ValueError, match=r"j\.jsonl: expected a record in line 2"):
        Journal(path)


def test_a_record_that_finds_no_room_is_an_error_with_the_files_name_and_was_never_added(tmp_path):
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    journal.add("a", {"x": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, limits[1]))
    try:
        for fails in (lambda: journal.add("b", {"x": 2}), journal.close):
            with pytest.raises(OSError, match=r"File too large: .*j\.jsonl"):
                fails()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(path.read_bytes().splitlines()) == 2
    journal = Journal(path)
    assert journal.names == ["a"]
    journal.close()
