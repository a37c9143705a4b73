// What is shown now. Everything on the page that depends on it listens.

const state = {
  truth: true,
  predictions: runNumbers.map(() => true),
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
const listeners = [];

function listen(names, listener) {
  listeners.push({ names, listener });
}

/** Change some of the state and tell, once, those who listen to any of it. */
function change(update) {
  const changed = Object.keys(update).filter((name) => state[name] !== update[name]);
  if (!changed.length) return;
  Object.assign(state, update);
  for (const { names, listener } of listeners) if (names.some((name) => changed.includes(name))) listener();
}

const LAYERS = ["truth", "predictions", "fixations", "ignored", "probability", "imageOnly"];

function togglePrediction(run) {
  change({ predictions: state.predictions.map((shown, other) => (other === run ? !shown : shown)) });
}

function toggleAllPredictions() {
  const shown = state.predictions.some(Boolean);
  change({ predictions: runNumbers.map(() => !shown) });
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

/** The order in which a metric's worst cases come first. */
function worstFirst(metric) {
  return (report.metrics[metric]?.better ?? 1) < 0;
}
