// One case, large, with all of its numbers.

const viewer = byId("viewer");
let viewed = null; // {number, picture}

function makeViewer() {
  byId("viewer-side").prepend(layerControls());
  byId("previous").addEventListener("click", () => stepViewer(-1));
  byId("next").addEventListener("click", () => stepViewer(1));
  viewer.addEventListener("close", () => {
    const number = viewed?.number;
    viewed = null;
    byId("viewer-picture").replaceChildren();
    if (state.order.includes(number)) focusCard(number);
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
  byId("viewer-numbers").replaceChildren(...runNumbers.map((run) => numbersOf(number, run)));
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
  const levels = levelNumbers.filter((level) => hasLevel[run][level]);
  const rows = metricNumbers.map((metric) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", text: metricTitle(metric) }),
      ...levels.map((level) => element("td", { text: formatted(metric, valueOf(number, run, level, metric)) })),
    ),
  );
  return element(
    "div",
    {},
    severalRuns ? runTitle(run) : null,
    levels.length
      ? scrollingTable("Numbers of this case", ["", ...levels.map((level) => report.levels[level])], rows)
      : element("p", { class: "muted", text: "No numbers of this case." }),
  );
}
