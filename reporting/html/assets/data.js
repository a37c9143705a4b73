// What was measured, as the file holds it. Pictures stay text until a card is looked at.

const report = JSON.parse(byId("index").textContent);
// Undefined, without a known pixel size, or of a metric that the run does not have.
const NO_VALUE = "no value";
const runNumbers = report.runs.map((_, run) => run);
const levelNumbers = report.levels.map((_, level) => level);
const metricNumbers = report.metrics.map((_, metric) => metric);
const caseNumbers = report.names.map((_, number) => number);
const severalRuns = report.runs.length > 1;

/** Pictures, outlines and fixations of a case; read anew each time, so that nothing piles up in memory. */
function mediaOf(number) {
  return JSON.parse(byId(`case-${number}`).textContent);
}

function valueOf(number, run, level, metric) {
  return report.values[run][level][metric][number];
}

/** A value in the unit that is shown. */
function scaled(metric, value) {
  return value === null ? null : value * report.metrics[metric].scale;
}

function formatted(metric, value, digits = 2) {
  return value === null ? NO_VALUE : scaled(metric, value).toFixed(digits);
}

/** "81.2 %", or that there is no value. */
function withUnit(metric, value) {
  if (value === null) return NO_VALUE;
  const { unit } = report.metrics[metric];
  return `${formatted(metric, value, unit ? 1 : 3)}${unit ? `\u202f${unit}` : ""}`;
}

function metricTitle(metric) {
  const { title, unit } = report.metrics[metric];
  return unit ? `${title} (${unit})` : title;
}

/** Whether any case has a value of it. */
function hasValues(run, level, metric) {
  return report.values[run][level][metric].some((value) => value !== null);
}

/** By run and level: whether the run has the level at all; one without any value is something else. */
const hasLevel = report.runs.map(({ levels }, run) =>
  levels.map((summary, level) => "num_cases" in summary || metricNumbers.some((of) => hasValues(run, level, of))),
);

function mapTitle(map) {
  return map === 0 ? "ensemble" : `level ${map}`;
}

function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function plural(count, one) {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}
