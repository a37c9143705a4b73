// Distributions as SVG. A row of points is one path, so that thousands of them cost little; which of them is meant is
// found by its place.

const NEAR_PX = 14;
const FEW_CASES = 200;
// A wide one, of 12 pixels height.
const LETTER_PX = 7.5;
const MIDDLE = { "text-anchor": "middle" };

/** Round values along an axis, about five of them. */
function ticksOf({ low, high }) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step)
    ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

/** An axis over values; per cent ends at 100, and from 0 unless told otherwise all start. */
function axisOf(metric, values, from, to, start = 0) {
  if (report.metrics[metric].unit === "%") return linear(start, 100, from, to);
  const [low, high] = minmax(values);
  const least = Math.min(0, low);
  return linear(least, high > least ? high : least + 1, from, to);
}

/** {low, high, from, to, place}: from the value `low` at the pixel `from` to `high` at `to`. */
function linear(low, high, from, to) {
  return { low, high, from, to, place: (value) => from + ((value - low) / (high - low || 1)) * (to - from) };
}

/** By steps: as arguments, too many values would be too many. */
function minmax(values) {
  return [Math.min, Math.max].map((extreme) => values.reduce((a, b) => extreme(a, b)));
}

function textAt(x, y, text, attributes = {}) {
  return drawn("text", { x, y, text, ...attributes });
}

function lineOf(style, x1, y1, x2, y2) {
  return drawn("line", { x1, y1, x2, y2, class: style });
}

/** Points as a path of no length each, which round line ends make dots. */
function dotsOf(points, run) {
  const d = points.map(({ x, y }) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
  return drawn("path", { d, class: `dots ${runStyle(run)}` });
}

/** A figure with its title, the drawing, and a line that tells of the point at hand.
 *
 * Click or Enter on a point goes to its case; the arrow keys walk along the points.
 * @param {object[]} points {x, y, number, text}, in pixels of the drawing.
 * @param {string} alternative the image in words.
 * @param {string} hint what the line says of no point; a space keeps its height.
 */
function figureOf(title, width, height, { shapes, points, alternative, hint = "\u00a0" }) {
  const ring = drawn("circle", { r: 6, class: "ring", visibility: "hidden" });
  const image = drawn(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": alternative },
    ...shapes,
    ring,
  );
  const walked = points.toSorted((a, b) => a.x - b.x || a.y - b.y);
  const line = element("p", { class: "readout", "aria-live": "polite", text: hint });
  let current = -1;
  const point = (index) => {
    current = index;
    const found = walked[index];
    ring.setAttribute("visibility", found ? "visible" : "hidden");
    if (found) ring.setAttribute("transform", `translate(${found.x} ${found.y})`);
    line.textContent = found ? found.text : hint;
  };
  const goTo = (index) => index in walked && goToCase(walked[index].number);
  const nearest = (event) => {
    const box = image.getBoundingClientRect();
    const scale = width / box.width;
    return nearestPoint(walked, (event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
  };
  const field = element(
    "div",
    {
      class: "plot",
      tabindex: "0",
      role: "group",
      "aria-label": `${title}. Arrow keys walk along the cases, Enter goes to one.`,
      onmousemove: (event) => point(nearest(event)),
      onclick: (event) => goTo(nearest(event)),
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (step)
          point(Math.min(walked.length - 1, Math.max(0, current < 0 && step < 0 ? walked.length - 1 : current + step)));
        else if (event.key === "Enter") goTo(current);
        else return;
        event.preventDefault();
        event.stopPropagation();
      },
    },
    image,
  );
  return element("figure", {}, element("figcaption", {}, element("h3", { text: title })), field, line);
}

function nearestPoint(points, x, y) {
  let [best, least] = [-1, NEAR_PX ** 2];
  points.forEach((point, index) => {
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}

function bottomAxis(axis, y, title) {
  const ticks = ticksOf(axis).flatMap((tick) => {
    const x = axis.place(tick);
    return [lineOf("axis", x, y, x, y + 4), textAt(x, y + 17, signed(tick), MIDDLE)];
  });
  const place = [(axis.from + axis.to) / 2, y + 34];
  return [lineOf("axis", axis.from, y, axis.to, y), ...ticks, textAt(...place, title, MIDDLE)];
}

function leftAxis(axis, x, title) {
  const ticks = ticksOf(axis).flatMap((tick) => {
    const y = axis.place(tick);
    return [lineOf("axis", x - 4, y, x, y), textAt(x - 7, y + 4, signed(tick), { "text-anchor": "end" })];
  });
  const turned = { ...MIDDLE, transform: `translate(13 ${(axis.from + axis.to) / 2}) rotate(-90)` };
  return [lineOf("axis", x, axis.from, x, axis.to), ...ticks, textAt(0, 0, title, turned)];
}

/** Every case of every level and run as a point above the box of its quartiles. */
function stripPlot(metric, width) {
  const rows = levelNumbers.flatMap((level) =>
    runNumbers.map((run) => ({ level, run, known: knownOf(run, level, metric) })).filter(({ known }) => known.length),
  );
  const swarmHeight = report.names.length > FEW_CASES ? 44 : 24;
  const rowHeight = swarmHeight + 38;
  const all = rows.flatMap(({ known }) => known.map(({ value }) => value));
  const axis = axisOf(metric, all, 12, width - 16);
  const bottom = rows.length * rowHeight + 6;
  const grid = ticksOf(axis).map((tick) => lineOf("grid", axis.place(tick), 4, axis.place(tick), bottom));
  const strips = rows.map((row, index) => stripOf(row, metric, axis, index * rowHeight, swarmHeight));
  const title = `${metricTitle(metric)} of every case`;
  return figureOf(title, width, bottom + 42, {
    shapes: [
      ...grid,
      ...strips.flatMap(({ shapes }) => shapes),
      ...bottomAxis(axis, bottom, metricTitle(metric)),
    ],
    points: strips.flatMap(({ points }) => points),
    alternative: `${title}: ${strips.map(({ said }) => said).join("; ")}.`,
  });
}

/** {value, number} of the cases that have a value, in the unit that is shown. */
function knownOf(run, level, metric) {
  return caseNumbers
    .map((number) => ({ value: scaled(metric, valueOf(number, run, level, metric)), number }))
    .filter(({ value }) => value !== null);
}

function stripOf({ run, level, known }, metric, axis, top, swarmHeight) {
  const [label, swarmTop, box] = [top + 15, top + 22, top + swarmHeight + 30];
  const x = axis.place;
  const name = severalRuns ? `${report.levels[level]}, ${report.runs[run].name}` : report.levels[level];
  const points = stacked(known, axis, swarmTop + swarmHeight / 2, swarmHeight).map((point) => ({
    ...point,
    text: `${report.names[point.number]}, ${name}: ${withUnit(metric, valueOf(point.number, run, level, metric))}`,
  }));
  const sorted = known.map(({ value }) => value).sort((a, b) => a - b);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
  const average = mean(sorted);
  const say = (value) => plain(metric, value);
  const said =
    `${name}: median ${say(middle)}, quartiles ${say(low)} to ${say(high)}, mean ${say(average)}, ` +
    plural(known.length, "case");
  const rest = `median ${say(middle)} · n ${known.length}`;
  const mostLetters = Math.floor((axis.to - axis.from) / LETTER_PX) - rest.length;
  const size = { x: x(low), y: box - 4, width: Math.max(1, x(high) - x(low)), height: 8 };
  const shapes = [
    textAt(axis.from, label, `${shortened(name, mostLetters)} · ${rest}`, { class: "row-title" }),
    dotsOf(points, run),
    lineOf("whisker", x(sorted[0]), box, x(sorted.at(-1)), box),
    drawn("rect", { ...size, class: `box ${runStyle(run)}` }),
    lineOf("median", x(middle), box - 6, x(middle), box + 6),
    drawn("path", { d: `M${x(average)} ${box - 2.5}l2.5 2.5l-2.5 2.5l-2.5 -2.5z`, class: "mean" }),
  ];
  return { shapes, points, said };
}

/** Points of about one value stand above each other; many lie so close that the outline becomes a histogram. */
function stacked(known, axis, y, height) {
  const points = known.map(({ value, number }) => ({ value, number, x: axis.place(value) }));
  const bins = [...Map.groupBy(points, ({ x }) => Math.round(x / 3)).values()];
  const step = Math.min(3, height / Math.max(...bins.map((bin) => bin.length)));
  return bins.flatMap((bin) =>
    bin.map((point, index) => ({ ...point, y: y + (index - (bin.length - 1) / 2) * step })),
  );
}

/** Both ends of a text that is too long: runs that are called by their paths differ late. */
function shortened(text, most) {
  const end = Math.floor((most * 2) / 3);
  return text.length > most ? `${text.slice(0, most - end - 1)}…${text.slice(-end)}` : text;
}

/** A value in the unit shown, without it. */
function plain(metric, value) {
  return signed(value, report.metrics[metric].unit ? 1 : 3);
}

/** A number with a minus as wide as a plus. */
function signed(value, digits) {
  return (digits === undefined ? String(value) : value.toFixed(digits)).replace("-", "−");
}

function withSign(value, digits) {
  return `${value >= 0 ? "+" : ""}${signed(value, digits)}`;
}

/** A text with its unit, if it has one. */
function unitAfter(text, unit) {
  return unit ? `${text} ${unit}` : text;
}

/** A difference of per cents is one of percentage points. */
function differenceUnit(metric) {
  const { unit } = report.metrics[metric];
  return unit === "%" ? "percentage points" : unit;
}

/** {number, a, b, text} of the cases that have a value in the first run and in the one that is compared with it. */
function pairsOf(metric, level) {
  const value = (number, run) => scaled(metric, valueOf(number, run, level, metric));
  return caseNumbers
    .map((number) => ({ number, a: value(number, 0), b: value(number, comparedRun()) }))
    .filter(({ a, b }) => a !== null && b !== null)
    .map((pair) => ({ ...pair, text: pairText(pair, metric) }));
}

function pairText({ number, a, b }, metric) {
  const { unit } = report.metrics[metric];
  const both = unitAfter(`${plain(metric, a)} and ${plain(metric, b)}`, unit);
  const difference = unitAfter(withSign(b - a, unit ? 1 : 3), differenceUnit(metric));
  return `${report.names[number]}: ${both}, difference ${difference}`;
}

function pairTitle(metric, level) {
  return `${metricTitle(metric)}, ${report.levels[level]}`;
}

/** "B higher in 3, lower in 1, equal in 0 of 4 cases; higher is better". */
function pairsSaid(found, metric) {
  const higher = found.filter(({ a, b }) => b > a).length;
  const lower = found.filter(({ a, b }) => b < a).length;
  const counts = `higher in ${higher}, lower in ${lower}, equal in ${found.length - higher - lower}`;
  const better = report.metrics[metric].better > 0 ? "higher" : "lower";
  return `${report.runs[comparedRun()].name} ${counts} of ${plural(found.length, "case")}; ${better} is better`;
}

function scatterPlot(found, metric, level, width) {
  const side = Math.min(width, 440);
  const values = found.flatMap(({ a, b }) => [a, b]);
  const least = Math.floor(minmax(values)[0] / 10) * 10;
  const across = axisOf(metric, values, 56, side - 12, least);
  const up = axisOf(metric, values, side - 50, 12, least);
  const points = found.map((pair) => ({ ...pair, x: across.place(pair.a), y: up.place(pair.b) }));
  const unit = report.metrics[metric].unit;
  const name = (run) => `${shortened(report.runs[run].name, 30)}${unit ? ` (${unit})` : ""}`;
  const shapes = [
    lineOf("diagonal", across.from, up.from, across.to, up.to),
    ...bottomAxis(across, side - 50, name(0)),
    ...leftAxis(up, 56, name(comparedRun())),
    dotsOf(points, comparedRun()),
  ];
  const other = report.runs[comparedRun()].name;
  const title = `${pairTitle(metric, level)}: ${other} against ${report.runs[0].name}`;
  return figureOf(title, side, side, {
    shapes,
    points,
    alternative: `${title}. ${pairsSaid(found, metric)}.`,
    hint: `Above the line ${other} is higher.`,
  });
}

function differencePlot(pairs, metric, level, width) {
  const found = pairs.toSorted((p, q) => p.b - p.a - (q.b - q.a));
  const differences = found.map(({ a, b }) => b - a);
  const height = Math.min(width, 440);
  const [low, high] = minmax([0, ...differences]);
  // From the top there is room for the name of the mean.
  const up = linear(low, high === low ? low + 1 : high, height - 50, 24);
  const across = linear(0, Math.max(1, found.length), 62, width - 12);
  const points = found.map((pair, index) => ({ ...pair, x: across.place(index + 0.5), y: up.place(pair.b - pair.a) }));
  const zero = up.place(0);
  // In the colour of the run that is higher.
  const sticks = (run, keep) => {
    const kept = points.filter((_, index) => keep(differences[index]));
    const d = kept.map(({ x, y }) => `M${x.toFixed(1)} ${zero}V${y.toFixed(1)}`).join("");
    return drawn("path", { d, class: runStyle(run) });
  };
  const average = mean(differences);
  const averageY = up.place(average);
  const unit = differenceUnit(metric);
  const shapes = [
    ...leftAxis(up, 62, `difference${unit ? ` (${unit})` : ""}`),
    sticks(comparedRun(), (difference) => difference >= 0),
    sticks(0, (difference) => difference < 0),
    dotsOf(points, comparedRun()),
    lineOf("axis", across.from, zero, across.to, zero),
    lineOf("average", across.from, averageY, across.to, averageY),
    textAt(66, averageY - 6, unitAfter(`mean ${withSign(average, 2)}`, unit), { class: "row-title" }),
    textAt((across.from + across.to) / 2, height - 16, "cases, by difference", MIDDLE),
  ];
  const title = `${pairTitle(metric, level)}: ${differenceText()}`;
  return figureOf(title, width, height, {
    shapes,
    points,
    alternative: `${title}. ${pairsSaid(found, metric)}; mean difference ${unitAfter(withSign(average, 2), unit)}.`,
    hint: pairsSaid(found, metric),
  });
}

function showPlots() {
  const place = byId("plots");
  const metrics = metricNumbers.filter((metric) =>
    runNumbers.some((run) => levelNumbers.some((level) => hasValues(run, level, metric))),
  );
  if (!metrics.length) {
    place.replaceChildren(element("p", { text: "There is nothing to plot: no case has a value." }));
    return;
  }
  const paired = element("div", { class: "columns" });
  const choices = ["metric", "level", ...(report.runs.length > 2 ? ["run"] : [])];
  const strips = element("div", { class: "columns" });
  const legend =
    "A point is a case. Box: the middle half; line: median; diamond: mean; thin line: from least to most. " +
    "Click a point to go to its case.";
  place.replaceChildren(
    ...(severalRuns ? [element("div", { class: "row toolbar" }, ...choices.map(choiceOf)), paired] : []),
    strips,
    element("p", { class: "legend", text: legend }),
  );
  // As wide as a column of the style sheet's grid.
  const columnWidth = () => Math.floor(parseFloat(getComputedStyle(strips).gridTemplateColumns));
  const showPairs = () => severalRuns && paired.replaceChildren(...pairPlots(columnWidth()));
  follow(["metric", "level", "run"], showPairs);
  let last = 0;
  new ResizeObserver(() => {
    if (columnWidth() === last) return;
    last = columnWidth();
    strips.replaceChildren(...metrics.map((metric) => stripPlot(metric, last)));
    showPairs();
  }).observe(place);
}

function pairPlots(width) {
  const { metric, level } = state;
  const found = pairsOf(metric, level);
  if (found.length) return [scatterPlot, differencePlot].map((plot) => plot(found, metric, level, width));
  const both = `both ${report.runs[0].name} and ${report.runs[comparedRun()].name}`;
  return [element("p", { text: `No case has a ${pairTitle(metric, level)}, in ${both}.` })];
}
