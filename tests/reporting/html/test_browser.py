"""The page in a real browser: it opens from disk, sorts, filters and toggles, by mouse and by keyboard alone."""

import io
import math
import shutil
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from reporting.html import ReportCase, ReportRun, ReportWriter

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

SCRIPT_NAME, SVG_NAME, TURNED_NAME = "</script><img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "a\u202eb\nc"
TURNED_SHOWN = "a\\u202eb\\nc"
# Dice of the runs A and B; case7 is empty and predicted so. HD95 is 100 times what Dice lacks to 1.
DICE = {
    "case10": (0.9, 0.8),
    "case2": (0.5, 0.75),
    "case7": (math.nan, math.nan),
    SCRIPT_NAME: (0.7, 0.7),
    SVG_NAME: (0.6, 0.1),
    TURNED_NAME: (0.8, 0.95),
}
WORST_FIRST = ["case2", SVG_NAME, SCRIPT_NAME, TURNED_SHOWN, "case10", "case7"]
BEST_FIRST = ["case10", TURNED_SHOWN, SCRIPT_NAME, SVG_NAME, "case2", "case7"]
# Bars of this height and more are easy to touch.
TAP_PX = 40


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs the program chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Two runs, six cases, hostile names everywhere."""
    path = tmp_path_factory.mktemp("report") / "comparison.html"
    names = ("A", "B" + SCRIPT_NAME)
    metrics = {
        "ensemble": {"num_cases": 6, "num_undefined": 1, "dice_mean": 0.7, "dice_std": 0.1, "dice_ci95": (0.6, 0.8)}
    }
    runs = [ReportRun(name, what=SVG_NAME, metrics=metrics, facts=[(TURNED_NAME, SCRIPT_NAME)]) for name in names]
    table = [{"metric": SCRIPT_NAME, "difference (points)": 1.5}]
    with closing(ReportWriter(path, title=SCRIPT_NAME, runs=runs, comparison=table, notes=[SVG_NAME])) as report:
        for number, (name, dices) in enumerate(DICE.items()):
            report.add(_case(name, dict(zip(names, dices, strict=True)), number))
    return path


@pytest.fixture
def open_page(browser):
    """A function that opens a file; at the end there must have been no complaint and no request but for the file."""
    contexts, problems = [], []

    def open_(path, width=1200, height=900, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: r.url.startswith("data:") or r.url == path.as_uri() or problems.append(r.url))
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def _case(name, dices, number=0, size=(60, 80)) -> ReportCase:
    rng = np.random.default_rng(number)
    truth = np.zeros(size, bool)
    truth[10:40, 20:60] = True
    predictions = {run: np.roll(truth, 5 * index + 3, axis=1) for index, run in enumerate(dices)}
    levels = {run: ("ensemble", "1") for run in dices}
    return ReportCase(
        name,
        image=rng.integers(60, 190, (*size, 3), np.uint8),
        group=f"patient{number % 2}",
        rows={
            run: {level: {"dice": dices[run], "hd95_px": 100 - 100 * dices[run]} for level in levels[run]}
            for run in dices
        },
        truth=truth,
        predictions=predictions,
        probabilities={}
        if name == "case7"
        else {run: np.stack([mask, ~mask]) * 0.9 for run, mask in predictions.items()},
        fixations=None if name == "case7" else (rng.random((4, 2)), rng.integers(60, 400, 4)),
    )


def _names(page) -> list[str]:
    """All names in order; those out of sight are not laid out, and have no inner text."""
    return page.locator("#cards .name").all_text_contents()


def _at_gallery(page):
    """The page, scrolled so that its cards are drawn."""
    page.keyboard.press("g")
    page.locator("#cards .picture").first.wait_for()
    return page


def _layer(page, name: str, root: str = "#cards") -> str:
    """Whether a layer of the first picture is shown."""
    return page.locator(f"{root} .picture").first.locator(f".{name}").evaluate("node => getComputedStyle(node).display")


def _overflow(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def _cut_off(page) -> list[str]:
    """Texts of plots that are not all inside their drawing."""
    return page.locator(".plot text").evaluate_all(
        """(texts) => texts.filter((text) => {
            const [a, b] = [text, text.ownerSVGElement].map((node) => node.getBoundingClientRect());
            return a.left < b.left || a.right > b.right || a.top < b.top || a.bottom > b.bottom;
        }).map((text) => text.textContent)"""
    )


def test_sorts_by_metric_with_undefined_ones_last_in_either_direction(open_page, comparison):
    page = open_page(comparison)
    assert _names(page) == WORST_FIRST
    page.locator("#reverse").click()
    assert _names(page) == BEST_FIRST
    page.locator("#sort").select_option(label="HD95 (px)")  # the largest distance is the worst
    assert _names(page) == WORST_FIRST
    assert "by HD95 (px), ensemble of A, highest first" in page.locator("#count").inner_text()
    page.locator("h1").click()
    page.keyboard.press("r")
    assert _names(page) == BEST_FIRST
    assert page.locator("#cards .values").last.text_content().count("no value") == 4  # two metrics of two runs


def test_summary_counts_the_cases_that_a_mean_leaves_out_or_takes_for_the_worst(open_page, tmp_path):
    path = tmp_path / "counts.html"
    counts = {"num_cases": 9, "num_undefined": 2, "num_one_empty": 3, "num_cases_mm": 4, "hd95_mm_mean": 1.5}
    ReportWriter(path, title="counts", runs=[ReportRun("run", metrics={"ensemble": counts})]).close()
    page = open_page(path)
    cells = page.locator("#summary tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((c) => c.innerText))"
    )
    assert cells == [
        ["level", "cases", "undefined", "one empty", "with mm", "HD95 (mm)"],
        ["ensemble", "9", "2", "3", "4", "1.50"],
    ]
    assert "whose pixel size is not known has none in mm" in page.locator("#summary").inner_text()


def test_sorts_by_name_as_a_number_by_run_and_by_difference(open_page, comparison):
    page = open_page(comparison)
    page.locator("#sort").select_option("name")
    names = [name for name in _names(page) if name.startswith("case")]
    assert names == ["case2", "case7", "case10"]
    page.locator("#sort").select_option("metric:0")
    page.locator("#toolbar").get_by_label("Run").select_option("1")
    assert _names(page)[0] == SVG_NAME
    page.locator("#sort").select_option("difference:0")
    assert _names(page)[0] == SVG_NAME and _names(page)[-2:] == ["case2", "case7"]


def test_filters_while_typing_and_says_how_many(open_page, comparison):
    page = open_page(comparison)
    page.keyboard.press("/")
    page.keyboard.type("CASE1")
    assert _names(page) == ["case10"]
    assert page.locator("#count").inner_text().startswith("1 of 6 cases")
    page.keyboard.press("Escape")
    assert _names(page) == WORST_FIRST
    # A key typed now is a command.
    page.keyboard.press("r")
    assert _names(page) == BEST_FIRST
    page.keyboard.press("/")
    page.keyboard.type("patient1")
    assert len(_names(page)) == 3
    page.locator("#filter").fill("<b>nowhere")
    assert "No name contains “<b>nowhere”." in page.locator("#nothing").inner_text()
    page.get_by_role("button", name="Show all").click()
    assert len(_names(page)) == 6 and page.locator("#filter").input_value() == ""


def test_layers_by_key_and_by_click(open_page, comparison):
    page = _at_gallery(open_page(comparison))
    for key, layer in (("t", "truth"), ("p", "run-0"), ("f", "fixations")):
        assert _layer(page, layer) != "none"
        page.keyboard.press(key)
        assert _layer(page, layer) == "none"
        page.keyboard.press(key)
        assert _layer(page, layer) != "none"
    button = page.locator("#toolbar .toggle[data-layer=run-1]")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert _layer(page, "run-1") == "none" and _layer(page, "run-0") != "none"
    page.keyboard.press("i")
    assert _layer(page, "truth") == "none" and _layer(page, "image") != "none"


def test_probability_maps_by_digit_and_a_word_where_there_is_none(open_page, comparison):
    page = _at_gallery(open_page(comparison))
    choice = page.locator("#toolbar").get_by_label("Probability")
    assert _layer(page, "map") == "none" and page.locator(".scale:visible").count() == 0
    page.keyboard.press("0")
    assert _layer(page, "map") != "none" and choice.input_value() == "0:0"
    ensemble = page.locator("#cards .map").first.get_attribute("href")
    page.keyboard.press("1")
    assert choice.input_value() == "0:1" and page.locator("#cards .map").first.get_attribute("href") != ensemble
    assert page.locator(".scale:visible").count() == 1
    without = page.locator("#cards li", has_text="case7").locator(".remarks")
    assert without.text_content() == "no gaze, no such probability map"
    page.keyboard.press("1")
    assert choice.input_value() == "" and _layer(page, "map") == "none"
    page.keyboard.press("9")  # there is no such level
    assert choice.input_value() == ""


def test_keyboard_alone_reaches_a_case_its_large_view_and_leaves_again(open_page, comparison):
    page = open_page(comparison)
    on_card = "document.activeElement.classList.contains('card')"
    stops = 0
    while not page.evaluate(on_card) and stops < 40:
        page.keyboard.press("Tab")
        stops += 1
    assert 10 < stops < 40
    assert page.evaluate("getComputedStyle(document.activeElement.closest('li')).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.innerText").startswith(WORST_FIRST[1])
    page.keyboard.press("Enter")
    name = page.locator("#viewer-name")
    assert name.inner_text() == WORST_FIRST[1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("j")
    assert name.inner_text() == WORST_FIRST[3]
    page.keyboard.press("t")
    assert _layer(page, "truth", "#viewer") == "none"
    assert page.locator("#viewer-numbers").inner_text().count("80.00") == 2  # Dice of A at both levels
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    # The browser first goes back to the card that the view was opened from, and tells the page a moment later.
    page.wait_for_function("shown => document.activeElement.innerText.startsWith(shown)", arg=TURNED_SHOWN)
    page.keyboard.press("Tab")
    assert not page.evaluate(on_card), "the list of cards is one stop and no trap"


def test_focus_stays_on_a_card_that_is_moved_and_the_large_view_tells_its_new_place(open_page, comparison):
    page = _at_gallery(open_page(comparison))
    focused = "document.activeElement.innerText"
    page.keyboard.press("r")
    assert page.evaluate(focused).startswith("case2")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused).startswith(SVG_NAME)
    page.keyboard.press("Enter")
    assert page.locator("#viewer-place").inner_text().startswith("patient0 · 4 of 6 · ")
    page.keyboard.press("r")
    assert page.locator("#viewer-place").inner_text().startswith("patient0 · 2 of 6 · ")
    page.keyboard.press("Escape")
    page.locator("#filter").fill("nowhere")
    page.get_by_role("button", name="Show all").press("Enter")
    assert page.evaluate("document.activeElement.id") == "filter"


def test_card_that_keys_lead_to_is_not_under_the_toolbar(open_page, comparison):
    page = _at_gallery(open_page(comparison, height=640))
    page.keyboard.press("End")
    assert "case7" in page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Home")
    card, toolbar = (page.locator(selector).bounding_box() for selector in (".card:focus", "#toolbar"))
    assert toolbar["y"] == 0 and card["y"] >= toolbar["height"]


def test_shortcuts_are_listed_and_can_be_switched_off(open_page, comparison):
    page = _at_gallery(open_page(comparison))
    page.keyboard.press("?")
    dialog = page.locator("#help")
    assert dialog.is_visible() and "truth" in dialog.inner_text()
    dialog.get_by_label("single-letter shortcuts").uncheck()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.keyboard.press("t")
    assert _layer(page, "truth") != "none"


def test_point_of_a_plot_leads_to_its_case(open_page, comparison):
    page = open_page(comparison)
    figure = page.locator("figure", has_text="against A")
    plot = figure.locator(".plot")
    assert "higher in 2, lower in 2, equal in 1 of 5 cases" in plot.locator("svg").get_attribute("aria-label")
    page.locator("#filter").fill("case10")
    plot.focus()
    page.keyboard.press("ArrowRight")  # the least of A
    assert figure.locator(".readout").inner_text().startswith("case2: 50.0 and 75.0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.innerText").startswith("case2")
    assert len(_names(page)) == 6, "the filter would have hidden it"
    page.locator("#filter").focus()
    plot.scroll_into_view_if_needed()
    ring = plot.locator(".ring").bounding_box()
    page.mouse.click(ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    assert page.evaluate("document.activeElement.innerText").startswith("case2")


def test_no_text_of_a_plot_is_cut_off(open_page, tmp_path):
    path = tmp_path / "one.html"
    with closing(ReportWriter(path, title="one", runs=[ReportRun("A"), ReportRun("B")])) as report:
        report.add(_case("better", {"A": 0.5, "B": 0.9}))
    page = open_page(path)
    page.locator(".row-title").first.wait_for()
    assert _cut_off(page) == []


def test_hostile_names_are_shown_as_they_are(open_page, comparison):
    page = open_page(comparison)
    assert page.title() == SCRIPT_NAME and page.locator("h1").inner_text() == SCRIPT_NAME
    assert set(_names(page)) == {name if name != TURNED_NAME else TURNED_SHOWN for name in DICE}
    page.locator("#cards .card", has=page.get_by_text(SCRIPT_NAME, exact=True)).click()
    assert page.locator("#viewer-name").inner_text() == SCRIPT_NAME
    assert page.evaluate("document.querySelectorAll('img, iframe, [onload], [onerror], script[src]').length") == 0


def test_policy_stops_scripts_and_requests(browser, comparison):
    page = browser.new_page()
    page.goto(comparison.as_uri())
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.broken = true";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.broken") is None
    assert page.evaluate("fetch('data:text/plain,x').then(() => 'fetched', () => 'refused')") == "refused"
    page.close()


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_runs_over_the_side(open_page, comparison, width):
    page = open_page(comparison, width=width)
    page.locator(".row-title").first.wait_for()
    assert _overflow(page) <= 0
    small = page.locator("button:visible, select:visible, input:visible").evaluate_all(
        "(nodes, least) => nodes.filter((n) => n.getBoundingClientRect().height < least - 0.5).map((n) => n.outerHTML)",
        TAP_PX,
    )
    assert small == []
    columns = page.evaluate("new Set([...document.querySelectorAll('#cards li')].map((n) => n.offsetLeft)).size")
    assert columns == (1 if width == 400 else 6)
    page.locator("#cards .card").first.click()
    box = page.locator("#viewer").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.locator("#viewer").evaluate("node => node.scrollWidth - node.clientWidth") <= 0


@pytest.mark.parametrize("width", [400, 1200])
def test_long_names_of_runs_are_told_apart_and_stay_inside(open_page, tmp_path, width):
    path = tmp_path / "long.html"
    names = [f"two_levels_of_gaze_and_with_all_the_augmentation_there_is, {what}" for what in ("lr 0.1", "lr 0.01")]
    with closing(ReportWriter(path, title="long", runs=[ReportRun(name) for name in names])) as report:
        report.add(_case("a", dict.fromkeys(names, 0.5)))
    page = open_page(path, width=width)
    page.locator(".row-title").first.wait_for()
    assert _overflow(page) <= 0 and _cut_off(page) == []
    titles = page.locator("figure", has_text="Dice (%) of every case").locator(".row-title").all_text_contents()
    assert len(set(titles)) == len(titles) == 4
    axes = page.locator("figure", has_text="against").locator("text", has_text="…").all_text_contents()
    assert len(set(axes)) == 2
    page.locator("#cards .card").first.click()
    assert page.locator("#viewer").evaluate("node => node.scrollWidth - node.clientWidth") <= 0


CONTRAST = """(selector) => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const luminance = (rgb) => {
        const [r, g, b] = rgb.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const node = document.querySelector(selector);
    const style = getComputedStyle(node);
    let behind = node;
    while (parse(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const text = luminance(parse(node instanceof SVGElement ? style.fill : style.color));
    const ground = luminance(parse(getComputedStyle(behind).backgroundColor));
    return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
}"""
TEXTS = ("h1", "#made", "dt", ".numbers th", ".range", ".legend", ".readout", ".plot text", ".row-title", "#count")
TEXTS += ("kbd", ".run-name", ".name", ".card .group", ".values .muted", ".toggle bdi", "#theme-button", "footer p")


def test_both_schemes_are_readable_and_the_button_switches(open_page, comparison):
    theme = "document.documentElement.dataset.theme"
    for schemes in (("light", "dark"), ("dark", "light")):
        page = open_page(comparison, scheme=schemes[0])
        page.locator(".row-title").first.wait_for()
        for scheme in schemes:
            assert page.evaluate(theme) == scheme
            ratios = {text: page.evaluate(CONTRAST, text) for text in TEXTS}
            assert min(ratios.values()) >= 4.5, (scheme, ratios)
            page.locator("#theme-button").click()
        assert page.evaluate(theme) == schemes[0]


def test_single_pixel_is_seen_in_the_colour_of_its_run(open_page, tmp_path):
    path = tmp_path / "dots.html"
    mask = np.zeros((300, 400), bool)
    mask[150, 200] = True
    runs = [ReportRun(f"run{number}") for number in range(6)]
    with closing(ReportWriter(path, title="dots", runs=runs)) as report:
        for run in runs:
            image = np.zeros((*mask.shape, 3), np.uint8)
            report.add(ReportCase(run.name, image=image, predictions={run.name: mask}))
    page = _at_gallery(open_page(path))
    for number in range(len(runs)):
        shown = np.array(Image.open(io.BytesIO(page.locator("#cards .picture").nth(number).screenshot())))
        rows, columns = (slice(side // 2 - 5, side // 2 + 5) for side in shown.shape[:2])
        assert shown[rows, columns, :3].max() > 120, (
            f"run {number} has nothing but the dark line below its own, on a black image"
        )


def test_three_runs_are_each_compared_with_the_first_and_a_level_that_one_lacks_is_not_undefined(open_page, tmp_path):
    path = tmp_path / "three.html"
    levels = {"A": ("ensemble",), "B": ("ensemble", "1"), "C": ("ensemble",)}
    dices = {"Gro\u0308ße": {"A": 0.5, "B": 0.6, "C": 0.2}, "Maß": {"A": 0.5, "B": 0.4, "C": 0.9}}
    with closing(ReportWriter(path, title="three", runs=[ReportRun(run) for run in levels])) as report:
        for name, of_runs in dices.items():
            rows = {
                run: {level: {"dice": dice, "hd95_px": 0.0, "hd95_mm": 0.0} for level in levels[run]}
                for run, dice in of_runs.items()
            }
            report.add(ReportCase(name, image=np.zeros((30, 40, 3), np.uint8), rows=rows))
    page = open_page(path)
    page.locator("#sort").select_option(label="difference of Dice (%)")
    assert _names(page) == ["Maß", "Gro\u0308ße"] and "by Dice (%), ensemble of B minus A" in page.inner_text("#count")
    page.locator("#plots").get_by_label("Run").select_option(label="C")
    assert _names(page) == ["Gro\u0308ße", "Maß"] and "of C minus A" in page.inner_text("#count")
    assert page.locator("figcaption", has_text="C minus A").count() == 1
    said = page.locator("figure", has_text="C against A").locator("svg").get_attribute("aria-label")
    assert "C higher in 1, lower in 1, equal in 0 of 2 cases; higher is better." in said
    options = page.locator("#sort option").all_text_contents()
    assert len(set(options)) == len(options) == 7
    ticks = page.locator("figure", has_text="HD95 (mm) of every case").locator("text").all_text_contents()
    assert "0.2" in ticks and not any("e" in tick for tick in ticks if tick[0].isdigit())
    page.locator("#toolbar").get_by_label("Level").select_option(label="level 1")
    lines = page.locator("#cards .values").first.locator(".line").all_text_contents()
    assert lines == ["A: no level 1", "B: Dice 60.0\u202f%HD95 0.0\u202fpx", "C: no level 1"]
    assert page.inner_text("#count").endswith("outlines are the ensemble’s")
    page.locator("#filter").fill("GRÖ")
    assert _names(page) == ["Gro\u0308ße"]


def test_a_metric_that_one_run_lacks_is_not_undefined(open_page, tmp_path):
    path = tmp_path / "metrics.html"
    rows = {"A": {"ensemble": {"dice": 0.5, "hd95_px": 3.0}}, "B": {"ensemble": {"dice": 0.5}}}
    with closing(ReportWriter(path, title="metrics", runs=[ReportRun(run) for run in rows])) as report:
        report.add(ReportCase("a", image=np.zeros((30, 40, 3), np.uint8), rows=rows))
    page = open_page(path)
    lines = page.locator("#cards .values").first.locator(".line").all_text_contents()
    assert lines == ["A: Dice 50.0\u202f%HD95 3.0\u202fpx", "B: Dice 50.0\u202f%HD95 no value"]


def test_whatever_is_missing_is_said(open_page, tmp_path):
    path = tmp_path / "bare.html"
    with closing(ReportWriter(path, title="bare", runs=[ReportRun("run")])) as report:
        report.add(ReportCase("alone", image=np.zeros((40, 30, 3), np.uint8)))
    page = open_page(path)
    assert _names(page) == ["alone"] and page.locator("#count").inner_text() == "1 case, by name, A to Z"
    assert "There are no numbers over all cases." in page.locator("#summary").inner_text()
    assert "nothing to plot" in page.locator("#plots").inner_text()
    toolbar = page.locator("#toolbar").inner_text()
    assert "Truth: none" in toolbar and "Fixations: none" in toolbar and "no probability maps" in toolbar
    for key in "tpf01rgj":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    assert page.locator("#viewer-remarks").inner_text() == "no label; no prediction."
    assert "No numbers of this case." in page.locator("#viewer-numbers").inner_text()


def test_report_without_a_case_opens(open_page, tmp_path):
    path = tmp_path / "empty.html"
    ReportWriter(path, title="empty", runs=[ReportRun("run")]).close()
    page = open_page(path)
    assert page.locator("#nothing").inner_text() == "This report holds no cases."
    for key in "gjrsd":
        page.keyboard.press(key)


def test_thousand_cases_open_and_sort_fast_and_only_near_ones_are_drawn(open_page, tmp_path):
    path = tmp_path / "many.html"
    with closing(ReportWriter(path, title="many", runs=[ReportRun("run")])) as report:
        for number in range(1000):
            report.add(_case(f"case{number}", {"run": (number * 377 % 1000) / 1000}, number, size=(12, 16)))
    start = time.perf_counter()
    page = open_page(path)
    assert page.locator("#cards li").count() == 1000
    assert time.perf_counter() - start < 15
    drawn = "document.querySelectorAll('#cards .picture').length"
    page.locator("#gallery").scroll_into_view_if_needed()
    page.locator("#cards .picture").first.wait_for()
    assert 0 < page.evaluate(drawn) < 100
    page.evaluate("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
    page.locator("#cards li").last.locator(".picture").wait_for()
    assert page.locator("#cards .picture").first.locator("xpath=ancestor::li").get_attribute("data-number") != "0"
    assert 0 < page.evaluate(drawn) < 100, "what is out of sight was let go"
    took_ms = page.evaluate(
        """() => new Promise((done) => {
            const start = performance.now();
            document.getElementById("reverse").click();
            requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
        })"""
    )
    assert took_ms < 5000
    assert _names(page)[0] == "case687"  # 687 * 377 = 999 modulo 1000


def test_ignored_pixels_can_be_switched_off(tmp_path, open_page):
    path = tmp_path / "ignored.html"
    ignore = np.zeros((12, 16), bool)
    ignore[:3] = True
    with closing(ReportWriter(path, title="t", runs=[ReportRun("run")])) as report:
        report.add(ReportCase("a", np.zeros((12, 16, 3), np.uint8), ignore=ignore))
    page = open_page(path)
    page.locator(".card").click()
    hatched = page.locator("#viewer-picture .ignored")
    assert "48 px ignored" in page.locator("#viewer-remarks").inner_text()
    assert hatched.evaluate("node => getComputedStyle(node).display") != "none"
    page.keyboard.press("x")
    assert hatched.evaluate("node => getComputedStyle(node).display") == "none"


def test_ignored_lines_and_dots_are_hatched(tmp_path, open_page):
    path = tmp_path / "lines.html"
    ignore = np.zeros((12, 16), bool)
    ignore[2, 1:15] = ignore[6:10, 4] = ignore[9, 12] = True
    with closing(ReportWriter(path, title="t", runs=[ReportRun("run")])) as report:
        report.add(ReportCase("a", np.full((12, 16, 3), 100, np.uint8), ignore=ignore))
    page = open_page(path)
    page.locator(".card").click()
    shown = np.array(Image.open(io.BytesIO(page.locator("#viewer-picture .picture").screenshot())).convert("L"), float)
    rows = [np.array_split(row, 16, axis=1) for row in np.array_split(shown, 12)]
    # Without their borders, which antialiasing blurs.
    hatched = [[np.ptp(cell[6:-6, 6:-6]) > 20 for cell in row] for row in rows]
    np.testing.assert_array_equal(hatched, ignore)
