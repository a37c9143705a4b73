// The buttons that switch what is laid over the images.

/** Buttons for every layer; there are several such groups on the page, all in step. */
function layerControls() {
  const strokes = [1, 8, 15, 22].map((x) => `M${x} 10l6-10h3l-6 10z`).join("");
  const twoFixations = { width: 28, height: 10, fixations: [[180, 500, 14000], [780, 500, 25000]] };
  return element(
    "div",
    { class: "row", role: "group", "aria-label": "Layers" },
    toggle("truth", "Truth", "t", outlineSwatch("truth"), report.numWith.truth),
    ...report.runs.map((run, number) =>
      toggle(PREDICTIONS[number], severalRuns ? run.name : "Prediction", number ? null : "p", runSwatch(number)),
    ),
    toggle("fixations", "Fixations", "f", swatchOf(fixationsOf(twoFixations)), report.numWith.fixations),
    report.numWith.ignore
      ? toggle("ignored", "Ignored", "x", swatchOf(drawn("path", { d: strokes, fill: HATCHING })))
      : null,
    toggle("imageOnly", "Image only", "i", null),
    probabilityChoice(),
  );
}

function toggle(name, text, key, swatch, exists = true) {
  const button = element(
    "button",
    { class: "row toggle", onclick: () => flip(name), disabled: !exists, "data-layer": name },
    swatch,
    element("bdi", { text: exists ? text : `${text}: none` }),
    key && exists ? keyHint(key) : null,
  );
  follow(LAYERS, () => button.setAttribute("aria-pressed", String(Boolean(exists) && state[name])));
  return button;
}

function probabilityChoice() {
  const maps = (run) => Array.from({ length: report.runs[run].numMaps }, (_, map) => [`${run}:${map}`, mapTitle(map)]);
  const withMaps = runNumbers.filter((run) => report.runs[run].numMaps);
  if (!withMaps.length) return element("span", { class: "muted", text: "no probability maps" });
  const options = severalRuns ? withMaps.map((run) => [report.runs[run].name, maps(run)]) : maps(0);
  const choice = selectOf(
    "Probability",
    [["", "off"], ...options],
    ["probability"],
    () => state.probability,
    (probability) => change({ probability }),
  );
  const scale = element(
    "span",
    { class: "scale muted", role: "img", "aria-label": "colours from 0, dark, to 1, bright" },
    "0 ",
    element("i"),
    " 1",
  );
  follow(["probability"], () => (scale.hidden = !state.probability));
  choice.firstChild.append(" ", keyHint("0–9"));
  choice.append(scale);
  return choice;
}
