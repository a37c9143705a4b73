// Putting the page together, and its keys.

const SHORTCUTS = [
  ["t", "truth"],
  ["p", "predictions"],
  ["f", "fixations"],
  ...(report.numWith.ignore ? [["x", "ignored pixels"]] : []),
  ["i", "image only"],
  ["0 … 9", "probability of the ensemble (0) or a level; the same again: off"],
  ["/", "filter by name; Escape empties and leaves it"],
  ["s", "choose what to sort by"],
  ["r", "reverse the order"],
  ["g", "go to the cases"],
  ["j, →", "next case; in the large view too"],
  ["k, ←", "previous case"],
  ["↑ ↓ Home End", "other cards"],
  ["Enter", "large view of a card; go to the case of a point"],
  ["Escape", "close"],
  ["d", "light or dark"],
  ["?", "this list"],
];

const dark = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = null;

function showTheme() {
  const theme = chosenTheme ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  byId("theme-button").replaceChildren(theme === "dark" ? "Light " : "Dark ", keyHint("d"));
}

function switchTheme() {
  chosenTheme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  showTheme();
}

function makeHelp() {
  const help = byId("help");
  const rows = SHORTCUTS.map(([keys, what]) =>
    element("tr", {}, element("th", { scope: "row" }, element("kbd", { text: keys })), element("td", { text: what })),
  );
  const box = element("input", { type: "checkbox", checked: true, onchange: () => change({ shortcuts: box.checked }) });
  help.replaceChildren(
    element(
      "div",
      { class: "viewer-head" },
      element("h2", { id: "help-title", text: "Keyboard" }),
      element("button", { type: "button", text: "Close", onclick: () => help.close() }),
    ),
    element("table", { class: "keys" }, element("tbody", {}, ...rows)),
    element("label", { class: "check" }, box, element("span", { text: "single-letter shortcuts" })),
  );
  help.addEventListener("click", (event) => event.target === help && help.close());
}

const actions = {
  t: () => report.numWith.truth && change({ truth: !state.truth }),
  p: toggleAllPredictions,
  f: () => report.numWith.fixations && change({ fixations: !state.fixations }),
  x: () => report.numWith.ignore && change({ ignored: !state.ignored }),
  i: () => change({ imageOnly: !state.imageOnly }),
  d: switchTheme,
  r: () => change({ descending: !state.descending }),
};

const pageActions = {
  "/": () => byId("filter").focus(),
  s: () => byId("sort").focus(),
  g: () => state.order.length && focusCard(cardAtHand(), "center"),
  "?": () => byId("help").showModal(),
};

/** The card that the Tab key would come to. */
function cardAtHand() {
  return state.order.find((number) => cards[number].button.tabIndex === 0) ?? state.order[0];
}

function isTyping(target) {
  return target.matches("input[type=search], select, textarea");
}

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape" && event.target.id === "filter") {
      change({ filter: "" });
      event.target.blur();
    }
    return;
  }
  if (handled(event.key, event.target)) event.preventDefault();
}

/** Do what a key stands for; false if it stands for nothing here. */
function handled(key, target) {
  if (key.length === 1 && !state.shortcuts) return false;
  if (/^[0-9]$/.test(key)) toggleProbability(Number(key));
  else if (actions[key]) actions[key]();
  else if (viewer.open) return steppedViewer(key, target);
  else if (pageActions[key]) pageActions[key]();
  else return walkedCards(key, target);
  return true;
}

function steppedViewer(key, target) {
  const table = target.closest(".scroll");
  if (key.startsWith("Arrow") && table && table.scrollWidth > table.clientWidth) return false;
  const step = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1 }[key];
  if (step) stepViewer(step);
  return Boolean(step);
}

function walkedCards(key, target) {
  const item = target.closest("#cards li");
  if (!item) {
    if (key === "j" || key === "k") pageActions.g();
    return key === "j" || key === "k";
  }
  const next = cardAfter(key, Number(item.dataset.number));
  if (next !== null) focusCard(next);
  return next !== null || key.startsWith("Arrow");
}

const VIRIDIS = {
  R: ".267 .282 .278 .263 .239 .208 .180 .161 .137 .122 .129 .180 .275 .396 .537 .690 .847 .992",
  G: ".004 .090 .165 .239 .306 .369 .427 .482 .537 .592 .647 .702 .753 .796 .835 .867 .886 .906",
  B: ".329 .412 .478 .518 .541 .553 .557 .557 .557 .545 .522 .486 .435 .369 .282 .184 .098 .145",
};

/** The maps are grey; this makes dark to bright of them, one colour scale for all. */
function makeColourScale() {
  const functions = Object.entries(VIRIDIS).map(([channel, tableValues]) =>
    drawn(`feFunc${channel}`, { type: "table", tableValues }),
  );
  const filter = drawn(
    "filter",
    { id: "viridis", x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB" },
    drawn("feComponentTransfer", {}, ...functions),
  );
  document.body.append(drawn("svg", { width: 0, height: 0, class: "definitions", "aria-hidden": "true" }, filter));
}

function showFooter() {
  byId("footer").replaceChildren(
    element("p", {
      text:
        `Images are reduced to at most ${report.thumbnailPx} pixels a side and compressed, and outlines are ` +
        "simplified by up to half a pixel; numbers were computed at full size. Research software: not for clinical use.",
    }),
    element("p", { class: "on-paper", text: "The cases themselves are shown on the screen only." }),
    element("p", { text: "This file is complete in itself: it loads nothing and sends nothing." }),
  );
}

function start() {
  makeColourScale();
  showTheme();
  dark.addEventListener("change", showTheme);
  showAbout();
  showSummary();
  makeCards();
  showValues();
  showToolbar();
  makeViewer();
  makeHelp();
  arrange();
  watchCards();
  watchToolbar();
  showPlots();
  showFooter();
  listen(["metric", "level"], showValues);
  listen(["sort", "descending", "metric", "level", "run", "filter"], () => {
    arrange();
    showPlace();
  });
  listen(LAYERS, () => {
    for (const { show } of pictures.values()) show();
    showViewed();
  });
  byId("theme-button").addEventListener("click", switchTheme);
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  document.addEventListener("keydown", pressed);
}

start();
