// What is shown now. Everything on the page that depends on it follows.

const PREDICTIONS = runNumbers.map((run) => `run-${run}`);
const LAYERS = ["truth", ...PREDICTIONS, "fixations", "ignored", "imageOnly", "probability"];

const state = {
  truth: true,
  ...Object.fromEntries(PREDICTIONS.map((name) => [name, true])),
  fixations: true,
  ignored: true,
  probability: "", // "run:map", or nothing
  imageOnly: false,
  sort: report.metrics.length ? "metric" : "name", // or "difference" of a run and the first
  descending: (report.metrics[0]?.better ?? 1) < 0,
  metric: 0,
  level: 0,
  run: 0,
  filter: "",
  order: [], // numbers of the cases shown, in order
  shortcuts: true,
};
const followers = [];

/** Show now what depends on some of the state, and again whenever any of it changes. */
function follow(names, show) {
  followers.push({ names, show });
  show();
}

/** Change some of the state and tell, once, those who follow any of it. */
function change(update) {
  const changed = Object.keys(update).filter((name) => state[name] !== update[name]);
  Object.assign(state, update);
  for (const { names, show } of followers) if (names.some((name) => changed.includes(name))) show();
}

function flip(name) {
  change({ [name]: !state[name] });
}

function flipAllPredictions() {
  const shown = PREDICTIONS.some((name) => state[name]);
  change(Object.fromEntries(PREDICTIONS.map((name) => [name, !shown])));
}

/** Show a probability map of the chosen run, or hide it if it is shown. */
function toggleProbability(map) {
  if (map >= report.runs[state.run].numMaps) return;
  const chosen = `${state.run}:${map}`;
  change({ probability: state.probability === chosen ? "" : chosen });
}

/** The run that is compared with the first: the chosen one, or else the second. */
function comparedRun() {
  return state.run || 1;
}

/** "B minus A". */
function differenceText() {
  return `${report.runs[comparedRun()].name} minus ${report.runs[0].name}`;
}
