// Distributions as SVG. A row of points is one path, so that thousands of them cost little; which of them is meant is
// found by its place.

const NEAR_PX = 14;
const FEW_CASES = 200;

/** Round values between two, about as many as asked for. */
function ticksBetween(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step)
    ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

/** {low, high, place}: an axis over values; per cent ends at 100, and from 0 unless told otherwise all start. */
function axisOf(metric, values, from, to, start = 0) {
  const percent = report.metrics[metric].unit === "%";
  const least = percent ? start : Math.min(0, ...minmax(values));
  const most = percent ? 100 : Math.max(...minmax(values));
  return linear(least, most > least || percent ? most : least + 1, from, to);
}

function linear(low, high, from, to) {
  return { low, high, place: (value) => from + ((value - low) / (high - low || 1)) * (to - from) };
}

function minmax(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function textAt(x, y, text, attributes = {}) {
  return drawn("text", { x, y, text, ...attributes });
}

function dots(points) {
  return points.map(({ x, y }) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
}

/** A figure with its title, the drawing, and a line that tells of the point at hand.
 *
 * Click or Enter on a point goes to its case; the arrow keys walk along the points.
 * @param {object} parts shapes; points: {x, y, number, text}[], in pixels of the drawing; alternative: the image in
 *     words; hint: what the line says of no point.
 */
function figureOf(title, width, height, parts) {
  const ring = drawn("circle", { r: 6, class: "ring", visibility: "hidden" });
  const image = drawn(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": parts.alternative },
    ...parts.shapes,
    ring,
  );
  const points = [...parts.points].sort((a, b) => a.x - b.x || a.y - b.y);
  const line = element("p", { class: "readout", "aria-live": "polite", text: parts.hint ?? "" });
  let current = -1;
  const point = (index) => {
    current = index;
    const found = points[index];
    ring.setAttribute("visibility", found ? "visible" : "hidden");
    line.textContent = found ? found.text : (parts.hint ?? "");
    if (!found) return;
    ring.setAttribute("cx", found.x);
    ring.setAttribute("cy", found.y);
  };
  const nearest = (event) => {
    const box = image.getBoundingClientRect();
    return nearestPoint(
      points,
      ((event.clientX - box.left) * width) / box.width,
      ((event.clientY - box.top) * height) / box.height,
    );
  };
  const field = element(
    "div",
    {
      class: "plot",
      tabindex: "0",
      role: "group",
      "aria-label": `${title}. Arrow keys walk along the cases, Enter goes to one.`,
      onmousemove: (event) => point(nearest(event)),
      onclick: (event) => goToPoint(points[nearest(event)]),
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (step)
          point(Math.min(points.length - 1, Math.max(0, current < 0 && step < 0 ? points.length - 1 : current + step)));
        else if (event.key === "Enter") goToPoint(points[current]);
        else return;
        event.preventDefault();
        event.stopPropagation();
      },
    },
    image,
  );
  return element("figure", {}, element("figcaption", { text: title }), field, line);
}

function nearestPoint(points, x, y) {
  let [best, least] = [-1, NEAR_PX ** 2];
  points.forEach((point, index) => {
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}

function goToPoint(point) {
  if (point) goToCase(point.number);
}

function bottomAxis(axis, y, title, count = 5) {
  const ticks = ticksBetween(axis.low, axis.high, count).flatMap((tick) => [
    drawn("line", { x1: axis.place(tick), x2: axis.place(tick), y1: y, y2: y + 4, class: "axis" }),
    textAt(axis.place(tick), y + 17, signed(tick), { "text-anchor": "middle" }),
  ]);
  const middle = (axis.place(axis.low) + axis.place(axis.high)) / 2;
  return [
    drawn("line", { x1: axis.place(axis.low), x2: axis.place(axis.high), y1: y, y2: y, class: "axis" }),
    ...ticks,
    textAt(middle, y + 34, title, { "text-anchor": "middle", class: "axis-title" }),
  ];
}

function leftAxis(axis, x, title, count = 5) {
  const ticks = ticksBetween(axis.low, axis.high, count).flatMap((tick) => [
    drawn("line", { x1: x - 4, x2: x, y1: axis.place(tick), y2: axis.place(tick), class: "axis" }),
    textAt(x - 7, axis.place(tick) + 4, signed(tick), { "text-anchor": "end" }),
  ]);
  const middle = (axis.place(axis.low) + axis.place(axis.high)) / 2;
  return [
    drawn("line", { x1: x, x2: x, y1: axis.place(axis.low), y2: axis.place(axis.high), class: "axis" }),
    ...ticks,
    textAt(0, 0, title, {
      "text-anchor": "middle",
      class: "axis-title",
      transform: `translate(13 ${middle}) rotate(-90)`,
    }),
  ];
}

/** Every case of every level and run as a point above the box of its quartiles. */
function stripPlot(metric, width) {
  const rows = report.levels.flatMap((_, level) =>
    runNumbers.filter((run) => hasValues(run, level, metric)).map((run) => ({ level, run })),
  );
  const swarmHeight = report.names.length > FEW_CASES ? 44 : 24;
  const [left, right, rowHeight] = [12, width - 16, swarmHeight + 38];
  const valuesOf = ({ run, level }) => report.values[run][level][metric].map((value) => scaled(metric, value));
  const all = rows.flatMap((row) => valuesOf(row).filter((value) => value !== null));
  const axis = axisOf(metric, all, left, right);
  const bottom = rows.length * rowHeight + 6;
  const points = [];
  const alternatives = [];
  const shapes = ticksBetween(axis.low, axis.high, 5).map((tick) =>
    drawn("line", { x1: axis.place(tick), x2: axis.place(tick), y1: 4, y2: bottom, class: "grid" }),
  );
  rows.forEach((row, index) => {
    const strip = stripOf(row, valuesOf(row), metric, axis, index * rowHeight, swarmHeight);
    shapes.push(...strip.shapes);
    points.push(...strip.points);
    alternatives.push(strip.said);
  });
  shapes.push(...bottomAxis(axis, bottom, metricTitle(metric)));
  const title = `${metricTitle(metric)} of every case`;
  return figureOf(title, width, bottom + 42, { shapes, points, alternative: `${title}: ${alternatives.join("; ")}.` });
}

function stripOf({ run, level }, values, metric, axis, top, swarmHeight) {
  const [label, swarmTop, box] = [top + 15, top + 22, top + swarmHeight + 30];
  const known = values.map((value, number) => ({ value, number })).filter(({ value }) => value !== null);
  const name = severalRuns ? `${report.levels[level].title}, ${report.runs[run].name}` : report.levels[level].title;
  const points = stacked(known, axis, swarmTop + swarmHeight / 2, swarmHeight).map((point) => ({
    ...point,
    text: `${report.names[point.number]}, ${name}: ${withUnit(metric, point.value / report.metrics[metric].scale)}`,
  }));
  const sorted = known.map(({ value }) => value).sort((a, b) => a - b);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
  const average = mean(sorted);
  const [lowText, middleText, highText, averageText] = [low, middle, high, average].map((value) =>
    plain(metric, value),
  );
  const said =
    `${name}: median ${middleText}, quartiles ${lowText} to ${highText}, mean ${averageText}, ` +
    plural(known.length, "case");
  const x = axis.place;
  const shapes = [
    textAt(axis.place(axis.low), label, `${shortened(name)} · median ${middleText} · n ${known.length}`, {
      class: "row-title",
    }),
    drawn("path", { d: dots(points), class: `dots run-${run % NUM_STYLES}` }),
    drawn("line", { x1: x(sorted[0]), x2: x(sorted[sorted.length - 1]), y1: box, y2: box, class: "whisker" }),
    drawn("rect", {
      x: x(low),
      y: box - 4,
      width: Math.max(1, x(high) - x(low)),
      height: 8,
      class: `box run-${run % NUM_STYLES}`,
    }),
    drawn("line", { x1: x(middle), x2: x(middle), y1: box - 6, y2: box + 6, class: "median" }),
    drawn("path", { d: `M${x(average)} ${box - 3.5}l3.5 3.5l-3.5 3.5l-3.5 -3.5z`, class: "mean" }),
  ];
  return { shapes, points, said };
}

/** Points of about one value stand above each other; many lie so close that the outline becomes a histogram. */
function stacked(known, axis, y, height) {
  const bins = new Map();
  for (const { value, number } of known) {
    const x = axis.place(value);
    const bin = Math.round(x / 3);
    if (!bins.has(bin)) bins.set(bin, []);
    bins.get(bin).push({ value, number, x });
  }
  const step = Math.min(3, height / Math.max(...[...bins.values()].map((bin) => bin.length)));
  return [...bins.values()].flatMap((bin) => {
    return bin.map((point, index) => ({ ...point, y: y + (index - (bin.length - 1) / 2) * step }));
  });
}

function shortened(text, most = 40) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
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

/** A difference of per cents is one of percentage points. */
function differenceUnit(metric) {
  const { unit } = report.metrics[metric];
  return unit === "%" ? "percentage points" : unit;
}

/** Cases that have a value in the first run and in the one that is compared with it. */
function pairs(metric, level) {
  return report.names
    .map((_, number) => ({
      number,
      a: scaled(metric, valueOf(number, 0, level, metric)),
      b: scaled(metric, valueOf(number, comparedRun(), level, metric)),
    }))
    .filter(({ a, b }) => a !== null && b !== null);
}

function pairText({ number, a, b }, metric) {
  const { unit } = report.metrics[metric];
  const difference = `${withSign(b - a, unit ? 1 : 3)} ${differenceUnit(metric)}`;
  return `${report.names[number]}: ${plain(metric, a)} and ${plain(metric, b)} ${unit}, difference ${difference}`;
}

function pairTitle(metric, level) {
  return `${metricTitle(metric)}, ${report.levels[level].title}`;
}

/** "B higher in 3, lower in 1, equal in 0 of 4 cases; higher is better". */
function pairsSaid(found, metric) {
  const higher = found.filter(({ a, b }) => b > a).length;
  const lower = found.filter(({ a, b }) => b < a).length;
  const equal = found.length - higher - lower;
  const all = plural(found.length, "case");
  const better = { 1: "; higher is better", "-1": "; lower is better" }[report.metrics[metric].better] ?? "";
  return `${report.runs[comparedRun()].name} higher in ${higher}, lower in ${lower}, equal in ${equal} of ${all}${better}`;
}

function scatterPlot(metric, level, width) {
  const found = pairs(metric, level);
  const side = Math.min(width, 440);
  const values = found.flatMap(({ a, b }) => [a, b]);
  const least = Math.floor(minmax(values)[0] / 10) * 10;
  const across = axisOf(metric, values, 56, side - 12, least);
  const up = axisOf(metric, values, side - 50, 12, least);
  const points = found.map((pair) => ({
    x: across.place(pair.a),
    y: up.place(pair.b),
    number: pair.number,
    text: pairText(pair, metric),
  }));
  const unit = report.metrics[metric].unit;
  const name = (run) => `${shortened(report.runs[run].name, 30)}${unit ? ` (${unit})` : ""}`;
  const shapes = [
    drawn("line", {
      x1: across.place(across.low),
      y1: up.place(up.low),
      x2: across.place(across.high),
      y2: up.place(up.high),
      class: "diagonal",
    }),
    ...bottomAxis(across, side - 50, name(0)),
    ...leftAxis(up, 56, name(comparedRun())),
    drawn("path", { d: dots(points), class: "dots pair" }),
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

function differencePlot(metric, level, width) {
  const found = pairs(metric, level).sort((p, q) => p.b - p.a - (q.b - q.a));
  const differences = found.map(({ a, b }) => b - a);
  const height = Math.min(width, 440);
  const [low, high] = minmax([0, ...differences]);
  const up = linear(low, high === low ? low + 1 : high, height - 50, 12);
  const across = linear(0, Math.max(1, found.length), 62, width - 12);
  const points = found.map((pair, index) => ({
    x: across.place(index + 0.5),
    y: up.place(pair.b - pair.a),
    number: pair.number,
    text: pairText(pair, metric),
  }));
  const sticks = (keep) =>
    points
      .filter((_, index) => keep(differences[index]))
      .map(({ x, y }) => `M${x.toFixed(1)} ${up.place(0)}V${y.toFixed(1)}`)
      .join("");
  const average = mean(differences);
  const unit = differenceUnit(metric);
  const shapes = [
    ...leftAxis(up, 62, `difference${unit ? ` (${unit})` : ""}`),
    drawn("path", { d: sticks((d) => d >= 0), class: "stick higher" }),
    drawn("path", { d: sticks((d) => d < 0), class: "stick lower" }),
    drawn("path", { d: dots(points), class: "dots" }),
    drawn("line", { x1: 62, x2: width - 12, y1: up.place(0), y2: up.place(0), class: "axis" }),
    drawn("line", { x1: 62, x2: width - 12, y1: up.place(average), y2: up.place(average), class: "average" }),
    textAt(66, up.place(average) - 6, `mean ${withSign(average, 2)} ${unit}`, { class: "row-title" }),
    textAt((62 + width - 12) / 2, height - 16, "cases, by difference", {
      "text-anchor": "middle",
      class: "axis-title",
    }),
  ];
  const title = `${pairTitle(metric, level)}: ${differenceText()}`;
  return figureOf(title, width, height, {
    shapes,
    points,
    alternative: `${title}. ${pairsSaid(found, metric)}; mean difference ${withSign(average, 2)} ${unit}.`,
    hint: pairsSaid(found, metric),
  });
}

function showPlots() {
  const place = byId("plots");
  const metrics = report.metrics
    .map((_, metric) => metric)
    .filter((metric) => runNumbers.some((run) => levelsOf(run, metric).length));
  if (!metrics.length) {
    place.replaceChildren(element("p", { text: "There is nothing to plot: no case has a value." }));
    return;
  }
  const paired = element("div", { class: "grid paired" });
  const strips = element("div", { class: "grid" });
  const legend = element("p", {
    class: "legend",
    text:
      "A point is a case. Box: the middle half; line: median; diamond: mean; thin line: from least to most. " +
      "Click a point to go to its case.",
  });
  place.replaceChildren(...(severalRuns ? [pairChoice(), paired] : []), strips, legend);
  const draw = () => {
    const width = columnWidth(place);
    strips.replaceChildren(...metrics.map((metric) => stripPlot(metric, width)));
    if (severalRuns) showPairs(paired, width);
  };
  listen(["metric", "level", "run"], () => severalRuns && showPairs(paired, columnWidth(place)));
  let last = 0;
  new ResizeObserver(() => {
    if (columnWidth(place) === last) return;
    last = columnWidth(place);
    draw();
  }).observe(place);
}

function showPairs(place, width) {
  const { metric, level } = state;
  if (!pairs(metric, level).length) {
    place.replaceChildren(
      element("p", {
        text: `No case has a ${pairTitle(metric, level)}, in both ${report.runs[0].name} and ${report.runs[comparedRun()].name}.`,
      }),
    );
    return;
  }
  place.replaceChildren(scatterPlot(metric, level, width), differencePlot(metric, level, width));
}

function pairChoice() {
  const choices = [metricChoice(), levelChoice(), ...(report.runs.length > 2 ? [runChoice()] : [])];
  return element("div", { class: "toolbar" }, ...choices.map((choice) => choice.shown));
}

/** As many columns as there is room for, as the style sheet's grid makes them. */
function columnWidth(place) {
  const [least, gap] = [420, 32];
  const width = place.clientWidth;
  const columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  return Math.floor((width - gap * (columns - 1)) / columns);
}
