// A case's image with what can be laid over it, all in the pixels of the full-size image.

const MEDIA_TYPE = "data:image/webp;base64,";
const NUM_STYLES = 6;
// The area of a ring grows with the duration of the fixation.
const FIXATION_RADIUS = 0.0009;
const HATCHING = "rgb(225 225 225 / 0.8)";

/** {node, show, media}: the SVG element, a function that shows and hides its layers by the state, and the case. */
function pictureOf(number, { large = false } = {}) {
  const media = mediaOf(number);
  const frame = { x: 0, y: 0, width: media.width, height: media.height, preserveAspectRatio: "none" };
  const map = drawn("image", { ...frame, class: "map", filter: "url(#viridis)" });
  // From the lowest to the uppermost, by their names in the state.
  const layers = {
    ignored: ignoredOf(media, `hatching-${number}${large ? "-large" : ""}`),
    fixations: fixationsOf(media, large),
    truth: outlineOf(media.truth, "truth"),
    ...Object.fromEntries(media.predictions.map((path, run) => [PREDICTIONS[run], outlineOf(path, runStyle(run))])),
  };
  const node = drawn(
    "svg",
    { viewBox: `0 0 ${media.width} ${media.height}`, class: "picture", "aria-hidden": "true" },
    drawn("image", { ...frame, href: MEDIA_TYPE + media.image, class: "image" }),
    map,
    ...Object.values(layers),
  );
  const show = () => {
    const chosen = chosenMap(media);
    if (chosen) map.setAttribute("href", MEDIA_TYPE + chosen);
    display(map, chosen);
    for (const [name, layer] of Object.entries(layers)) display(layer, state[name]);
  };
  show();
  return { node, show, media };
}

function display(layer, shown) {
  if (layer) layer.style.display = shown && !state.imageOnly ? "" : "none";
}

function chosenMap(media) {
  if (!state.probability) return null;
  const [run, map] = state.probability.split(":").map(Number);
  return media.probabilities[run]?.[map] ?? null;
}

function runStyle(run) {
  return `run-${run % NUM_STYLES}`;
}

/** The outline twice: a dark, wider line below keeps the colour visible on any image. */
function outlineOf(path, style) {
  if (!path) return null;
  return drawn(
    "g",
    { class: `outline ${style}` },
    drawn("path", { d: path, class: "halo" }),
    drawn("path", { d: path }),
  );
}

/** The pixels that were not scored, hatched; the pattern's id must be the only one of its name on the page. */
function ignoredOf(media, id) {
  if (!media.ignore) return null;
  const step = Math.max(media.width, media.height) / 40;
  const pattern = drawn(
    "pattern",
    { id, width: step, height: step, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    drawn("rect", { width: step, height: step, fill: "rgb(0 0 0 / 0.3)" }),
    drawn("rect", { width: step / 3, height: step, fill: HATCHING }),
  );
  const fill = `url(#${id})`;
  // Outlines pass through the centres of pixels; a stroke adds the outer halves, which are all that a line has.
  const stroke = { stroke: fill, "stroke-width": 1, "stroke-linecap": "square" };
  const path = drawn("path", { d: media.ignore, fill, "fill-rule": "evenodd", ...stroke });
  return drawn("g", { class: "ignored" }, pattern, path);
}

function fixationsOf(media, large = false) {
  if (!media.fixations?.length) return null;
  const side = Math.max(media.width, media.height);
  const points = media.fixations.map(([x, y, ms]) => [(x / 1000) * media.width, (y / 1000) * media.height, ms]);
  const way = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const rings = points.map(([x, y, ms], index) => {
    const radius = Math.max(side * 0.006, side * FIXATION_RADIUS * Math.sqrt(ms)).toFixed(1);
    const ring = drawn("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: radius });
    if (large) ring.append(drawn("title", { text: `fixation ${index + 1} of ${points.length}, ${ms} ms` }));
    return ring;
  });
  return drawn(
    "g",
    { class: "fixations" },
    drawn("polyline", { points: way, class: "halo" }),
    drawn("polyline", { points: way }),
    ...rings,
  );
}

/** A sample of a layer, 28 by 10 pixels, for a button or a title. */
function swatchOf(sample) {
  return drawn("svg", { class: "swatch", viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true" }, sample);
}

/** A piece of a contour, with its colour and its way of being dashed. */
function outlineSwatch(style) {
  return swatchOf(outlineOf("M2 5h24", style));
}

function runSwatch(run) {
  return outlineSwatch(runStyle(run));
}

/** What a case lacks, and what would look like a mistake without a word, as short sentences. */
function remarksOn(media) {
  const remarks = [];
  if (media.truth === null) remarks.push("no label");
  if (media.truth === "") remarks.push("the label is empty");
  if (media.ignoredPx) remarks.push(`${media.ignoredPx.toLocaleString("en")} px ignored`);
  media.predictions.forEach((path, run) => {
    const of = severalRuns ? ` of ${report.runs[run].name}` : "";
    if (path === null) remarks.push(`no prediction${of}`);
    if (path === "") remarks.push(`the prediction${of} is empty`);
  });
  if (media.fixations === null && report.numWith.fixations) remarks.push("no gaze");
  if (media.fixations?.length === 0) remarks.push("no fixation");
  if (state.probability && !chosenMap(media)) remarks.push("no such probability map");
  return remarks;
}
