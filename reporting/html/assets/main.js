// Putting the page together, and its keys.

// Steps to the next and the previous case.
const STEPS = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1 };

const dark = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = null;

function showTheme() {
  const theme = chosenTheme ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  byId("other-theme").textContent = theme === "dark" ? "Light" : "Dark";
}

function switchTheme() {
  chosenTheme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  showTheme();
}

const actions = {
  t: () => flip("truth"),
  p: flipAllPredictions,
  f: () => flip("fixations"),
  x: () => flip("ignored"),
  i: () => flip("imageOnly"),
  d: switchTheme,
  r: () => flip("descending"),
};

const pageActions = {
  "/": () => byId("filter").focus(),
  s: () => byId("sort").focus(),
  g: () => state.order.length && focusCard(cardAtHand(), "center"),
  "?": () => byId("help").showModal(),
};

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (event.target.matches("input[type=search], select")) {
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
  if (STEPS[key]) stepViewer(STEPS[key]);
  return key in STEPS;
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

function start() {
  showTheme();
  dark.addEventListener("change", showTheme);
  showAbout();
  showSummary();
  makeCards();
  follow(["metric", "level"], showValues);
  showToolbar();
  makeViewer();
  follow(["sort", "descending", "metric", "level", "run", "filter"], () => {
    arrange();
    showPlace();
  });
  follow(LAYERS, () => {
    for (const card of cards) card.show?.();
    showViewed();
  });
  watchCards();
  watchToolbar();
  showPlots();
  byId("thumbnail-px").textContent = report.thumbnailPx;
  byId("theme-button").addEventListener("click", switchTheme);
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  byId("shortcuts").addEventListener("change", ({ target }) => change({ shortcuts: target.checked }));
  for (const dialog of document.querySelectorAll("dialog"))
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  document.addEventListener("keydown", pressed);
}

start();
