// The cases as cards: sorted, filtered, and drawn only near where one looks.

const NEAR = "600px";
const cards = [];
const pictures = new Map(); // number of a case -> its drawn picture

function metricChoice() {
  const options = report.metrics.map((_, metric) => [metric, metricTitle(metric)]);
  const choice = selectOf("Metric", options, (value) => showMetric(Number(value)));
  return following(choice, "metric");
}

function showMetric(metric) {
  change(state.sort === "name" ? { metric } : { metric, descending: worstFirst(metric) });
}

function levelChoice() {
  const options = report.levels.map((level, number) => [number, level.title]);
  return following(
    selectOf("Level", options, (value) => change({ level: Number(value) })),
    "level",
  );
}

function runChoice() {
  const options = report.runs.map((run, number) => [number, run.name]);
  return following(
    selectOf("Run", options, (value) => change({ run: Number(value) })),
    "run",
  );
}

function following(choice, name) {
  const follow = () => (choice.select.value = String(state[name]));
  listen([name], follow);
  follow();
  return choice;
}

function showToolbar() {
  const sorts = [];
  report.metrics.forEach((_, metric) => sorts.push([`metric:${metric}`, metricTitle(metric)]));
  if (severalRuns)
    report.metrics.forEach((_, metric) => sorts.push([`difference:${metric}`, `difference of ${metricTitle(metric)}`]));
  sorts.push(["name", "name"]);
  const sort = selectOf("Sort by", sorts, sortBy);
  sort.select.id = "sort";
  const followSort = () => (sort.select.value = state.sort === "name" ? "name" : `${state.sort}:${state.metric}`);
  listen(["sort", "metric"], followSort);
  followSort();
  const reverse = element("button", {
    type: "button",
    id: "reverse",
    onclick: () => change({ descending: !state.descending }),
  });
  const sayDirection = () => reverse.replaceChildren(directionText(), keyHint("r"));
  listen(["sort", "metric", "descending"], sayDirection);
  sayDirection();
  const filter = element("input", {
    id: "filter",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "part of a name",
  });
  filter.addEventListener("input", () => change({ filter: filter.value }));
  listen(["filter"], () => filter.value !== state.filter && (filter.value = state.filter));
  byId("toolbar").replaceChildren(
    element("label", { class: "field" }, element("span", {}, document.createTextNode("Filter "), keyHint("/")), filter),
    sort.shown,
    ...(report.levels.length > 1 ? [levelChoice().shown] : []),
    ...(severalRuns ? [runChoice().shown] : []),
    element("div", { class: "field" }, element("span", { text: "Order" }), reverse),
    layerControls(),
  );
}

function sortBy(value) {
  const [sort, metric] = value.split(":");
  if (sort === "name") change({ sort, descending: false });
  else change({ sort, metric: Number(metric), descending: worstFirst(Number(metric)) });
}

function directionText() {
  if (state.sort === "name") return state.descending ? "Z to A " : "A to Z ";
  return state.descending ? "Highest first " : "Lowest first ";
}

function keyHint(key) {
  return element("kbd", { text: key, "aria-hidden": "true" });
}

function makeCards() {
  report.names.forEach((name, number) => {
    const frame = element("span", { class: "frame" });
    const numbers = element("span", { class: "values" });
    const group = report.groups[number];
    const button = element(
      "button",
      {
        type: "button",
        class: "card",
        tabindex: "-1",
        "aria-haspopup": "dialog",
        onclick: () => openViewer(number),
        onfocus: () => rove(number),
      },
      frame,
      element("bdi", { class: "name", text: name, title: name }),
      group ? element("bdi", { class: "group", text: group }) : null,
      numbers,
    );
    const item = element("li", { "data-number": number }, button);
    cards.push({ item, button, frame, numbers });
  });
}

function showValues() {
  cards.forEach(({ numbers }, number) => {
    const lines = report.metrics.length ? runNumbers.map((run) => valueLine(number, run)) : [];
    numbers.replaceChildren(...lines);
  });
}

/** The metric at hand, and beside it another one. */
function valueLine(number, run) {
  const { metric, level } = state;
  const of = severalRuns
    ? [swatch(`run-${run % NUM_STYLES}`), element("span", { class: "unseen", text: `${report.runs[run].name}: ` })]
    : [];
  if (!hasLevel(run, level))
    return element("span", { class: "line" }, ...of, element("span", { text: `no ${report.levels[level].title}` }));
  const first = `${report.metrics[metric].title} ${withUnit(metric, valueOf(number, run, level, metric))}`;
  const other = report.metrics.findIndex(
    (described, index) => index !== metric && described.unit !== report.metrics[metric].unit,
  );
  const second =
    other < 0 ? "" : `${report.metrics[other].title} ${withUnit(other, valueOf(number, run, level, other))}`;
  return element(
    "span",
    { class: "line" },
    ...of,
    element("b", { text: first }),
    element("span", { class: "muted", text: second }),
  );
}

function sortValue(number) {
  const { metric, level, run } = state;
  if (state.sort === "metric") return valueOf(number, run, level, metric);
  const [a, b] = [valueOf(number, 0, level, metric), valueOf(number, comparedRun(), level, metric)];
  return a === null || b === null ? null : b - a;
}

/** The place of every case by name, 2 before 10; once, since comparing names costs most of a sort. */
const nameRank = ranksOf(report.names, new Intl.Collator("en", { numeric: true }).compare);

function ranksOf(names, compare) {
  const ranks = new Array(names.length);
  const order = names.map((_, number) => number).sort((a, b) => compare(names[a], names[b]) || a - b);
  order.forEach((number, rank) => (ranks[number] = rank));
  return ranks;
}

/** Cases without a value come last in either direction; equal ones by name. */
function sorted(numbers) {
  const sign = state.descending ? -1 : 1;
  const byName = (a, b) => nameRank[a] - nameRank[b];
  if (state.sort === "name") return numbers.sort((a, b) => sign * byName(a, b));
  const values = new Map(numbers.map((number) => [number, sortValue(number)]));
  return numbers.sort((a, b) => {
    const [x, y] = [values.get(a), values.get(b)];
    if (x === null || y === null) return (x === null) - (y === null) || byName(a, b);
    return sign * (x - y) || byName(a, b);
  });
}

/** Small letters; a letter with an accent is one whether it was stored as one character or as two. */
function folded(text) {
  return text.normalize("NFC").toLowerCase();
}

/** Put the cards that the filter lets through in order, and say how many they are. */
function arrange() {
  const sought = folded(state.filter.trim());
  const matches = (number) => folded(report.names[number]).includes(sought) || folded(report.groups[number]).includes(sought);
  const order = sorted(report.names.map((_, number) => number).filter(matches));
  state.order = order;
  const focused = document.activeElement.closest("#cards li");
  byId("cards").replaceChildren(...order.map((number) => cards[number].item));
  // A card that is moved loses the focus.
  if (focused?.isConnected) focusCard(Number(focused.dataset.number));
  if (order.length) rove(order.find((number) => cards[number].button.tabIndex === 0) ?? order[0]);
  const all = report.names.length;
  byId("count").textContent =
    `${order.length === all ? plural(all, "case") : `${order.length} of ${plural(all, "case")}`}, ${orderText()}`;
  sayNothing(order.length, all);
}

function orderText() {
  if (state.sort === "name") return `by name, ${directionText().trim()}`;
  const { metric, level, run } = state;
  const of = severalRuns ? ` of ${report.runs[run].name}` : "";
  const what = state.sort === "difference" ? ` of ${differenceText()}` : of;
  const outlines = level ? "; outlines are the ensemble’s" : "";
  const direction = directionText().trim().toLowerCase();
  return `by ${metricTitle(metric)}, ${report.levels[level].title}${what}, ${direction}${outlines}`;
}

function sayNothing(shown, all) {
  const place = byId("nothing");
  place.hidden = shown > 0;
  if (shown) return;
  const showAll = () => {
    change({ filter: "" });
    byId("filter").focus();
  };
  const clear = element("button", { type: "button", text: "Show all", onclick: showAll });
  const text = all ? `No name contains “${state.filter.trim()}”. ` : "This report holds no cases.";
  place.replaceChildren(element("span", { text, dir: "auto" }), ...(all ? [clear] : []));
}

/** One card at a time is a stop of the Tab key; arrows go from card to card. */
function rove(number) {
  for (const { button } of cards) if (button.tabIndex === 0) button.tabIndex = -1;
  cards[number].button.tabIndex = 0;
}

function drawCard(number) {
  if (pictures.has(number)) return;
  const picture = pictureOf(number);
  const remarks = element("span", { class: "remarks" });
  const show = () => {
    picture.show();
    remarks.textContent = remarksOn(picture.media).join(", ");
  };
  pictures.set(number, { show });
  cards[number].frame.replaceChildren(picture.node, remarks);
  show();
}

function clearCard(number) {
  if (!pictures.delete(number)) return;
  cards[number].frame.replaceChildren();
}

function watchCards() {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const number = Number(target.dataset.number);
        if (isIntersecting) drawCard(number);
        else clearCard(number);
      }
    },
    { rootMargin: NEAR },
  );
  for (const { item } of cards) observer.observe(item);
}

/** Where the toolbar stays in sight, a card that is scrolled to comes to stand below it. */
function watchToolbar() {
  const toolbar = byId("toolbar");
  new ResizeObserver(() => {
    const covered = getComputedStyle(toolbar).position === "sticky" ? toolbar.offsetHeight : 0;
    document.documentElement.style.scrollPaddingTop = `${covered + 8}px`;
  }).observe(toolbar);
}

/** Scroll to a case and focus it; a filter that hides it is taken away. */
function goToCase(number) {
  if (!state.order.includes(number)) change({ filter: "" });
  focusCard(number, "center");
  cards[number].item.classList.add("found");
  setTimeout(() => cards[number].item.classList.remove("found"), 2000);
}

function focusCard(number, block = "nearest") {
  const { button } = cards[number];
  rove(number);
  button.focus({ preventScroll: true });
  button.scrollIntoView({ block });
}

/** Where a key leads from a card; null for other keys. */
function cardAfter(key, number) {
  const place = state.order.indexOf(number);
  const last = state.order.length - 1;
  const steps = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1, ArrowDown: columnsNow(), ArrowUp: -columnsNow() };
  const targets = { Home: 0, End: last };
  const target = key in steps ? place + steps[key] : targets[key];
  return target === undefined || target < 0 || target > last ? null : state.order[target];
}

function columnsNow() {
  const tops = state.order.map((number) => cards[number].item.offsetTop);
  const next = tops.findIndex((top) => top !== tops[0]);
  return next < 0 ? tops.length || 1 : next;
}
