// What was measured, as the file holds it. Pictures stay text until a card is looked at.

const report = JSON.parse(byId("index").textContent);
const NO_VALUE = "undefined";
const runNumbers = report.runs.map((_, run) => run);
const severalRuns = report.runs.length > 1;

/** Pictures, outlines and fixations of a case; read anew each time, so that nothing piles up in memory. */
function mediaOf(number) {
  return JSON.parse(byId(`case-${number}`).textContent);
}

function valueOf(number, run, level, metric) {
  return report.values[run]?.[level]?.[metric]?.[number] ?? null;
}

/** A value in the unit that is shown. */
function scaled(metric, value) {
  return value === null || value === undefined ? null : value * report.metrics[metric].scale;
}

function formatted(metric, value, digits = report.metrics[metric].digits) {
  return value === null || value === undefined ? NO_VALUE : scaled(metric, value).toFixed(digits);
}

/** "81.2 %", or that there is no value. */
function withUnit(metric, value, digits = 1) {
  if (value === null || value === undefined) return NO_VALUE;
  const { unit, scale } = report.metrics[metric];
  return `${formatted(metric, value, unit ? digits : 3)}${unit ? `\u202f${unit}` : ""}`;
}

function metricTitle(metric) {
  const { title, unit } = report.metrics[metric];
  return unit ? `${title} (${unit})` : title;
}

/** Whether any case has a value of it. */
function hasValues(run, level, metric) {
  return (report.values[run]?.[level]?.[metric] ?? []).some((value) => value !== null);
}

/** Whether a run has a level at all: one without any value is something else. */
function hasLevel(run, level) {
  return report.runs[run].levels[level].numCases !== null || runLevels[run].has(level);
}

function levelsOf(run, metric) {
  return report.levels.map((_, level) => level).filter((level) => hasValues(run, level, metric));
}

const runLevels = runNumbers.map((run) => new Set(report.metrics.flatMap((_, metric) => levelsOf(run, metric))));

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

function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
