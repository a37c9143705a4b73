"""The file: whole or not there, complete in itself, and nothing in it from outside is markup."""

import base64
import hashlib
import json
import math
import re
from contextlib import closing
from datetime import datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import pytest

from reporting.html import ReportCase, ReportRun, ReportWriter

HOSTILE = ("</script><img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "a\u202eb\nc", "<!--", "$title ${x}")
RUN = ReportRun("run")


def _case(name: str = "one", **parts) -> ReportCase:
    return ReportCase(name, **{"image": np.zeros((6, 8, 3), np.uint8), **parts})


class _Elements(HTMLParser):
    """Start tags with their attributes, and the text of scripts by id ("" for the page's own)."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.texts, self._inside = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id", "") if tag == "script" else tag
        self.texts.setdefault(self._inside, "")

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside is not None:
            self.texts[self._inside] += data


def _written(path, cases, **options) -> tuple[str, _Elements]:
    with closing(ReportWriter(path, **{"title": "A title", "runs": [RUN], **options})) as report:
        for case in cases:
            report.add(case)
    text = path.read_text(encoding="utf-8")
    return text, _Elements(text)


def test_case_in_the_page_is_the_case_that_was_added(tmp_path):
    truth, prediction = np.zeros((6, 8), bool), np.zeros((6, 8), bool)
    truth[1:4, 2:6] = True
    case = _case(
        group="patient",
        truth=truth,
        predictions={"run": prediction},
        probabilities={"run": np.zeros((3, 6, 8))},
        fixations=(np.array([[0.5, 0.25]]), np.array([100])),
        rows={"run": {"ensemble": {"dice": 0.0, "hd95_px": 10.0}, "1": {"dice": math.nan}}},
    )
    _, page = _written(tmp_path / "report.html", [case])
    index, media = json.loads(page.texts["index"]), json.loads(page.texts["case-0"])
    assert (index["names"], index["groups"]) == (["one"], ["patient"])
    assert datetime.now() - datetime.strptime(index["made"], "%Y-%m-%d %H:%M") < timedelta(minutes=5)
    assert index["values"] == [[[[0.0], [10.0]], [[None], [None]]]]
    assert index["numWith"] == {"truth": 1, "fixations": 1, "ignore": 0} and index["runs"][0]["numMaps"] == 3
    assert (media["width"], media["height"]) == (8, 6)
    assert media["truth"].startswith("M2.5 1.5l") and media["predictions"] == [""]
    assert len(media["probabilities"][0]) == 3 and media["fixations"] == [[500, 250, 100]]


def test_what_a_case_lacks_is_null(tmp_path):
    _, page = _written(tmp_path / "report.html", [_case(group="one")])
    media, index = json.loads(page.texts["case-0"]), json.loads(page.texts["index"])
    assert (media["truth"], media["predictions"], media["probabilities"], media["fixations"]) == (
        None,
        [None],
        [[]],
        None,
    )
    assert index["groups"] == [""] and index["metrics"] == [] and index["comparison"] is None


def test_numbers_of_a_run_may_be_told_last(tmp_path):
    path = tmp_path / "report.html"
    report = ReportWriter(path, title="t", runs=[ReportRun("run")], comparison=[{"metric": "dice", "p": "0.5"}])
    report.add(_case())
    report.runs["run"].metrics = {"ensemble": {"num_cases": 1, "dice_mean": 0.75, "dice_ci95": (0.5, 1.0)}}
    assert report.close() == path.stat().st_size
    index = json.loads(_Elements(path.read_text()).texts["index"])
    assert index["runs"][0]["levels"] == [{"num_cases": 1, "dice_mean": 0.75, "dice_ci95": [0.5, 1.0]}]
    assert index["comparison"]["rows"] == [["dice", "0.5"]]


def test_nothing_from_outside_becomes_markup(tmp_path):
    everywhere = "".join(HOSTILE)
    cases = [
        _case(name, group=name + "!", rows={everywhere: {name: {name: 0.5}}}, predictions={everywhere: np.ones((6, 8))})
        for name in HOSTILE
    ]
    run = ReportRun(everywhere, what=everywhere, facts=[(everywhere, everywhere)])
    text, page = _written(
        tmp_path / "report.html",
        cases,
        title=everywhere,
        runs=[run],
        notes=[everywhere],
        made_by=everywhere,
        comparison=[{everywhere: everywhere}],
    )
    plain, harmless = _written(tmp_path / "plain.html", [_case(str(number)) for number in range(len(HOSTILE))])
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert "<img" not in text and "<svg onload" not in text and "\u202e" not in text
    assert page.texts["title"] == everywhere.replace("\n", "\\n").replace("\u202e", "\\u202e")
    index = json.loads(page.texts["index"])
    assert index["names"][0] == HOSTILE[0] and index["names"][2] == "a\\u202eb\\nc"


def test_policy_allows_this_script_and_this_style_and_no_network(tmp_path):
    text, page = _written(tmp_path / "report.html", [_case()])
    (policy,) = (a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    assert "unsafe" not in policy and "http" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    addresses = {a.get("src", a.get("href")) for _, a in page.tags} - {None}
    assert addresses == {"#gallery"}
    assert "innerHTML" not in text and "eval(" not in text


def test_nothing_is_written_before_it_is_closed(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("older")
    report = ReportWriter(path, title="t", runs=[RUN])
    report.add(_case())
    assert path.read_text() == "older" and list(tmp_path.iterdir()) == [path]
    report.close()
    assert path.read_text() != "older" and list(tmp_path.iterdir()) == [path]


def test_case_costs_little_more_than_its_picture(tmp_path):
    rng = np.random.default_rng(0)
    image = np.repeat(np.repeat(rng.integers(0, 255, (16, 20, 3), np.uint8), 30, axis=0), 30, axis=1)
    mask = np.zeros(image.shape[:2], bool)
    mask[100:300, 100:400] = True
    sizes = []
    for number in (0, 20):
        cases = [_case(str(n), image=image, truth=mask, predictions={"run": mask}) for n in range(number)]
        sizes.append(len(_written(tmp_path / "report.html", cases)[0]))
    assert (sizes[1] - sizes[0]) / 20 < 20_000


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"truth": np.zeros((8, 6), bool)}, r"truth: expected the size of the image, \(6, 8\), found \(8, 6\)"),
        ({"predictions": {"run": np.zeros((3, 3))}}, r"prediction of 'run'.*\(3, 3\)"),
    ],
)
def test_case_that_does_not_hold_together_is_refused(tmp_path, parts, said):
    report = ReportWriter(tmp_path / "report.html", title="t", runs=[RUN])
    with pytest.raises(ValueError, match=said):
        report.add(_case(**parts))


def test_ignored_pixels_are_there_where_a_case_has_them(tmp_path):
    ignore = np.zeros((6, 8), bool)
    ignore[1:3, 2:5] = True
    _, page = _written(tmp_path / "report.html", [_case("a", ignore=ignore), _case("b")])
    first, second = (json.loads(page.texts[f"case-{number}"]) for number in range(2))
    assert (first["ignore"], first["ignoredPx"]) == ("M2.5 1.5l0 1 2 0 0 -1z", 6)
    assert "ignore" not in second and json.loads(page.texts["index"])["numWith"]["ignore"] == 1
    with pytest.raises(ValueError, match=r"ignored pixels: expected the size of the image, \(6, 8\), found \(2, 3\)"):
        _written(tmp_path / "report.html", [_case(ignore=ignore[:2, :3])])
