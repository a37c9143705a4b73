// What was evaluated, and the numbers over all cases.

function showAbout() {
  byId("title").textContent = report.title;
  const by = report.madeBy ? ` by ${report.madeBy}` : "";
  byId("made").textContent = `${plural(report.names.length, "case")}, written ${report.made}${by}`;
  byId("about").replaceChildren(...report.runs.map(describedRun));
  const repeated = `Colours and dashes are the same again after ${NUM_STYLES} runs.`;
  if (report.runs.length > NUM_STYLES) byId("about").after(element("p", { class: "legend", text: repeated }));
}

function describedRun({ what, facts }, run) {
  const pairs = facts.flatMap(([key, value]) => [
    element("dt", { text: key }),
    element("dd", { text: value, dir: "auto" }),
  ]);
  return element("div", {}, runTitle(run), element("p", { text: what, dir: "auto" }), element("dl", {}, ...pairs));
}

function runTitle(run) {
  return element("h3", {}, severalRuns ? runSwatch(run) : null, element("bdi", { text: report.runs[run].name }));
}

function showSummary() {
  const legend = (text) => element("p", { class: "legend", text, dir: "auto" });
  const parts = report.runs.some(({ levels }) => levels.some((level) => "num_cases" in level))
    ? [summaryTable(), legend(legendText())]
    : [element("p", { text: "There are no numbers over all cases." })];
  if (report.comparison) parts.push(element("h3", { text: "Paired comparison" }), comparisonTable());
  byId("summary").replaceChildren(...parts, ...[emptyRules(), ...report.notes].map(legend));
}

/** Numbers of cases that a level may have, by their columns; the last two only where any level has them. */
function caseCounts() {
  const counts = {
    cases: "num_cases",
    undefined: "num_undefined",
    "one empty": "num_one_empty",
    "with mm": "num_cases_mm",
  };
  const isThere = (key) => report.runs.some((run) => run.levels.some((level) => key in level));
  return Object.entries(counts).filter(([, key], place) => place < 2 || isThere(key));
}

function summaryTable() {
  const counts = caseCounts();
  const columns = ["level", ...counts.map(([title]) => title), ...metricNumbers.map(metricTitle)];
  const bodies = report.runs.map((run) => {
    const rows = run.levels.map((level, number) => ("num_cases" in level ? summaryRow(level, number, counts) : ""));
    if (!severalRuns) return rows;
    const name = { colspan: columns.length, scope: "rowgroup", class: "run-name", text: run.name, dir: "auto" };
    return [element("tr", {}, element("th", name)), ...rows];
  });
  return scrollingTable("Summary by level", columns, ...bodies);
}

function summaryRow(level, number, counts) {
  const cells = report.metrics.map(({ key }, metric) => {
    const [average, deviation, interval] = ["mean", "std", "ci95"].map((part) => level[`${key}_${part}`] ?? null);
    if (average === null) return element("td", { text: "–" });
    const range = interval?.map((end) => formatted(metric, end)).join(", ");
    return element(
      "td",
      {},
      element("b", { text: formatted(metric, average) }),
      deviation === null ? "" : ` ± ${formatted(metric, deviation)}`,
      range ? element("div", { class: "range muted", text: `[${range}]` }) : null,
    );
  });
  return element(
    "tr",
    {},
    element("th", { scope: "row", text: report.levels[number] }),
    ...counts.map(([, key]) => element("td", { text: level[key] ?? "–" })),
    ...cells,
  );
}

function legendText() {
  const titles = (better) => report.metrics.filter((metric) => metric.better === better).map(({ title }) => title);
  const said = Object.entries({ "Larger is better for": titles(1), "smaller for": titles(-1) })
    .filter(([, names]) => names.length)
    .map(([text, names]) => `${text} ${[...new Set(names)].join(", ")}`);
  const hasInterval = (level) => report.metrics.some(({ key }) => level[`${key}_ci95`]);
  const intervals = report.runs.some(({ levels }) => levels.some(hasInterval));
  const range = intervals ? "; in brackets the 95 % bootstrap interval of the mean" : "";
  return `Mean ± standard deviation over cases${range}. ${said.length ? `${said.join(", ")}.` : ""}`;
}

function emptyRules() {
  const keys = report.metrics.map((metric) => metric.key);
  const distances = keys.some((key) => /^(hd95|assd)_/.test(key));
  const what = distances
    ? "HD95 is the larger of the two 95th percentiles of the distances from each outline to the other, ASSD the mean of " +
      "all these distances; px are pixels of the label at its full size. "
    : "";
  const spacing = keys.some((key) => key.endsWith("_mm")) ? " A case whose pixel size is not known has none in mm." : "";
  const ignored = report.numWith.ignore ? " Ignored pixels, hatched, count nowhere; distances take them for background." : "";
  const oneSided = distances ? "overlaps are 0 and distances are the diagonal of the image" : "overlaps are 0";
  return (
    `${what}Where nothing is there and nothing was predicted a metric is undefined: such a case has no value and is ` +
    `left out of means. Where only one of the two is empty, ${oneSided}.${spacing}${ignored}`
  );
}

function comparisonTable() {
  const { columns, rows } = report.comparison;
  const lines = rows.map((row) =>
    element("tr", {}, ...row.map((value) => element("td", { text: value, dir: "auto" }))),
  );
  return scrollingTable("Paired comparison", columns, lines);
}
