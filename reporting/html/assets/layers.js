// The buttons that switch what is laid over the images.

/** Buttons for every layer; there are several such groups on the page, all in step. */
function layerControls() {
  const buttons = [
    toggle(
      "Truth",
      "truth",
      "t",
      () => state.truth,
      () => change({ truth: !state.truth }),
      report.numWith.truth,
    ),
  ];
  report.runs.forEach((run, number) => {
    const name = severalRuns ? run.name : "Prediction";
    buttons.push(
      toggle(
        name,
        `run-${number % NUM_STYLES}`,
        number ? "" : "p",
        () => state.predictions[number],
        () => togglePrediction(number),
        true,
      ),
    );
  });
  buttons.push(
    toggle(
      "Fixations",
      "gaze",
      "f",
      () => state.fixations,
      () => change({ fixations: !state.fixations }),
      report.numWith.fixations,
    ),
  );
  if (report.numWith.ignore)
    buttons.push(
      toggle(
        "Ignored",
        "ignored",
        "x",
        () => state.ignored,
        () => change({ ignored: !state.ignored }),
        true,
      ),
    );
  buttons.push(
    toggle(
      "Image only",
      "",
      "i",
      () => state.imageOnly,
      () => change({ imageOnly: !state.imageOnly }),
      true,
    ),
  );
  return element("div", { class: "layers", role: "group", "aria-label": "Layers" }, ...buttons, probabilityChoice());
}

function toggle(text, style, key, isOn, onclick, exists) {
  const label = exists ? text : `${text}: none`;
  const button = element(
    "button",
    { type: "button", class: "toggle", onclick, disabled: !exists, "data-layer": style || "image" },
    style === "gaze" ? gazeSwatch() : style === "ignored" ? ignoredSwatch() : style ? swatch(style) : null,
    element("bdi", { text: label }),
    key && exists ? keyHint(key) : null,
  );
  const follow = () => button.setAttribute("aria-pressed", String(Boolean(exists) && isOn()));
  listen(LAYERS, follow);
  follow();
  return button;
}

function ignoredSwatch() {
  const lines = [4, 11, 18, 25].map((x) => `M${x - 3} 10L${x + 3} 0`).join("");
  return drawn(
    "svg",
    { class: "swatch", viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true" },
    drawn("g", { class: "ignored" }, drawn("path", { d: lines, class: "line" })),
  );
}

function gazeSwatch() {
  return drawn(
    "svg",
    { class: "swatch", viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true" },
    drawn(
      "g",
      { class: "fixations" },
      drawn("polyline", { points: "5,5 22,5" }),
      drawn("circle", { cx: 5, cy: 5, r: 3 }),
      drawn("circle", { cx: 22, cy: 5, r: 4 }),
    ),
  );
}

function probabilityChoice() {
  const maps = (run) => Array.from({ length: report.runs[run].numMaps }, (_, map) => [`${run}:${map}`, mapTitle(map)]);
  const withMaps = runNumbers.filter((run) => report.runs[run].numMaps);
  if (!withMaps.length) return element("span", { class: "muted", text: "no probability maps" });
  const options = severalRuns ? withMaps.map((run) => [report.runs[run].name, maps(run)]) : maps(0);
  const choice = selectOf(
    "Probability",
    [["", "off"], ...options],
    (value) => change({ probability: value }),
    "inline",
  );
  const scale = element(
    "span",
    { class: "scale", role: "img", "aria-label": "colours from 0, dark, to 1, bright" },
    element("span", { text: "0" }),
    element("i"),
    element("span", { text: "1" }),
  );
  const follow = () => {
    choice.select.value = state.probability;
    scale.hidden = !state.probability;
  };
  listen(["probability"], follow);
  follow();
  choice.shown.firstChild.append(" ", keyHint("0–9"));
  choice.shown.append(scale);
  return choice.shown;
}
