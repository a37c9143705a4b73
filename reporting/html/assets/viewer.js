// One case, large, with all of its numbers.

const viewer = byId("viewer");
let viewed = null; // {number, picture}

function makeViewer() {
  const button = (text, label, onclick, key) =>
    element("button", { type: "button", "aria-label": label, onclick, text, "data-key": key });
  viewer.replaceChildren(
    element(
      "div",
      { class: "viewer-head" },
      element(
        "div",
        { class: "titles", "aria-live": "polite" },
        element("h2", { id: "viewer-name", tabindex: "-1" }),
        element("p", { id: "viewer-place", class: "muted" }),
      ),
      element(
        "div",
        { class: "buttons" },
        button("←", "previous case", () => stepViewer(-1)),
        button("→", "next case", () => stepViewer(1)),
        button("Close", "close", () => viewer.close()),
      ),
    ),
    element(
      "div",
      { class: "viewer-body" },
      element("div", { id: "viewer-picture" }),
      element(
        "div",
        { class: "viewer-side" },
        layerControls(),
        element("p", { id: "viewer-remarks", class: "legend" }),
        element("div", { id: "viewer-numbers" }),
      ),
    ),
  );
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  viewer.addEventListener("close", () => {
    const number = viewed?.number;
    viewed = null;
    byId("viewer-picture").replaceChildren();
    if (number !== undefined && state.order.includes(number)) focusCard(number);
  });
}

function openViewer(number) {
  viewed = { number, picture: pictureOf(number, { large: true }) };
  const name = byId("viewer-name");
  name.replaceChildren(element("bdi", { text: report.names[number] }));
  showPlace();
  // What holds the focus is about to be replaced.
  if (byId("viewer-numbers").contains(document.activeElement)) name.focus();
  byId("viewer-picture").replaceChildren(viewed.picture.node);
  byId("viewer-numbers").replaceChildren(...report.runs.flatMap((_, run) => numbersOf(number, run)));
  showViewed();
  if (!viewer.open) {
    viewer.showModal();
    // Not by the attribute autofocus: the browser would look at it while the page loads, and complain.
    name.focus();
  }
}

function showPlace() {
  if (!viewed) return;
  const { number, picture } = viewed;
  const group = report.groups[number] ? `${report.groups[number]} · ` : "";
  const place = `${state.order.indexOf(number) + 1} of ${state.order.length}`;
  byId("viewer-place").textContent = `${group}${place} · ${picture.media.width} × ${picture.media.height} px`;
}

function stepViewer(step) {
  const next = state.order[state.order.indexOf(viewed.number) + step];
  if (next !== undefined) openViewer(next);
}

function showViewed() {
  if (!viewed) return;
  viewed.picture.show();
  const remarks = remarksOn(viewed.picture.media);
  byId("viewer-remarks").textContent = remarks.length ? `${remarks.join("; ")}.` : "";
}

function numbersOf(number, run) {
  const metrics = report.metrics.map((_, metric) => metric);
  const levels = report.levels.map((_, level) => level).filter((level) => hasLevel(run, level));
  const title = severalRuns
    ? [element("h3", {}, swatch(`run-${run % NUM_STYLES}`), element("bdi", { text: report.runs[run].name }))]
    : [];
  if (!levels.length) return [...title, element("p", { class: "muted", text: "No numbers of this case." })];
  const head = element(
    "tr",
    {},
    element("th", { scope: "col", text: "" }),
    ...levels.map((level) => element("th", { scope: "col", text: report.levels[level].title })),
  );
  const rows = metrics.map((metric) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", text: metricTitle(metric) }),
      ...levels.map((level) => element("td", { text: formatted(metric, valueOf(number, run, level, metric)) })),
    ),
  );
  return [
    ...title,
    scrollingTable(
      "Numbers of this case",
      element("table", { class: "numbers" }, element("thead", {}, head), element("tbody", {}, ...rows)),
    ),
  ];
}
