// The cases as cards: sorted, filtered, and drawn only near where one looks.

const NEAR = "600px";
const cards = []; // by number: {item, button, frame, numbers}, and while it is drawn `show`, by the state

/** What can be chosen by its number: how the select is called, and its options. */
const CHOICES = {
  metric: ["Metric", metricNumbers.map(metricTitle)],
  level: ["Level", report.levels],
  run: ["Run", report.runs.map(({ name }) => name)],
};

/** A select of one of `CHOICES`; there may be several of each on the page, all in step. */
function choiceOf(name) {
  const [label, titles] = CHOICES[name];
  const choose = (value) => {
    if (name === "metric" && state.sort !== "name") sortBy(state.sort, value);
    else change({ [name]: Number(value) });
  };
  return selectOf(label, [...titles.entries()], [name], () => state[name], choose);
}

function showToolbar() {
  const sorts = metricNumbers.map((metric) => [`metric:${metric}`, metricTitle(metric)]);
  const differences = metricNumbers.map((metric) => [`difference:${metric}`, `difference of ${metricTitle(metric)}`]);
  const sort = selectOf(
    "Sort by",
    [...sorts, ...(severalRuns ? differences : []), ["name", "name"]],
    ["sort", "metric"],
    () => (state.sort === "name" ? "name" : `${state.sort}:${state.metric}`),
    (value) => sortBy(...value.split(":")),
  );
  sort.control.id = "sort";
  byId("order").before(sort);
  if (report.levels.length > 1) byId("order").before(choiceOf("level"));
  if (severalRuns) byId("order").before(choiceOf("run"));
  byId("toolbar").append(layerControls());
  byId("reverse").addEventListener("click", () => flip("descending"));
  follow(["sort", "metric", "descending"], () => (byId("direction").textContent = directionText()));
  const filter = byId("filter");
  filter.addEventListener("input", () => change({ filter: filter.value }));
  follow(["filter"], () => filter.value !== state.filter && (filter.value = state.filter));
  byId("show-all").addEventListener("click", () => {
    change({ filter: "" });
    filter.focus();
  });
}

function sortBy(sort, metric) {
  if (sort === "name") change({ sort, descending: false });
  // The worst cases come first.
  else change({ sort, metric: Number(metric), descending: report.metrics[metric].better < 0 });
}

function directionText() {
  if (state.sort === "name") return state.descending ? "Z to A" : "A to Z";
  return state.descending ? "Highest first" : "Lowest first";
}

function makeCards() {
  report.names.forEach((name, number) => {
    const frame = element("span", { class: "frame" });
    const numbers = element("span", { class: "values" });
    const group = report.groups[number];
    const button = element(
      "button",
      {
        class: "card",
        tabindex: "-1",
        "aria-haspopup": "dialog",
        onclick: () => openViewer(number),
        onfocus: () => rove(number),
      },
      frame,
      element("bdi", { class: "name", text: name, title: name }),
      group ? element("bdi", { class: "group muted", text: group }) : null,
      numbers,
    );
    cards.push({ item: element("li", { "data-number": number }, button), button, frame, numbers });
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
  const textOf = (shown) => `${report.metrics[shown].title} ${withUnit(shown, valueOf(number, run, level, shown))}`;
  const name = `${report.runs[run].name}: `;
  const parts = severalRuns ? [runSwatch(run), element("span", { class: "unseen", text: name })] : [];
  if (!hasLevel[run][level]) parts.push(`no ${report.levels[level]}`);
  else {
    const other = report.metrics.findIndex(({ unit }) => unit !== report.metrics[metric].unit);
    parts.push(element("b", { text: textOf(metric) }));
    if (other >= 0) parts.push(element("span", { class: "muted", text: textOf(other) }));
  }
  return element("span", { class: "line row" }, ...parts);
}

function sortValue(number) {
  const { metric, level, run } = state;
  if (state.sort === "metric") return valueOf(number, run, level, metric);
  const [a, b] = [valueOf(number, 0, level, metric), valueOf(number, comparedRun(), level, metric)];
  return a === null || b === null ? null : b - a;
}

/** 2 before 10; once, since comparing names costs most of a sort. */
const { compare } = new Intl.Collator("en", { numeric: true });
const byName = caseNumbers.toSorted((a, b) => compare(report.names[a], report.names[b]));

/** Numbers that come by name, in the order of the state: without a value last in either direction, equal ones by name. */
function sorted(numbers) {
  if (state.sort === "name") return state.descending ? numbers.toReversed() : numbers;
  const sign = state.descending ? -1 : 1;
  const values = new Map(numbers.map((number) => [number, sortValue(number)]));
  return numbers.toSorted((a, b) => {
    const [x, y] = [values.get(a), values.get(b)];
    return x === null || y === null ? (x === null) - (y === null) : sign * (x - y);
  });
}

/** Small letters; a letter with an accent is one whether it was stored as one character or as two. */
function folded(text) {
  return text.normalize("NFC").toLowerCase();
}

/** Put the cards that the filter lets through in order, and say how many they are. */
function arrange() {
  const sought = folded(state.filter.trim());
  const holds = (text) => folded(text).includes(sought);
  const matches = (number) => holds(report.names[number]) || holds(report.groups[number]);
  const order = sorted(byName.filter(matches));
  state.order = order;
  const focused = document.activeElement.closest("#cards li");
  byId("cards").replaceChildren(...order.map((number) => cards[number].item));
  // A card that is moved loses the focus.
  if (focused?.isConnected) focusCard(Number(focused.dataset.number));
  if (order.length) rove(cardAtHand());
  const all = plural(cards.length, "case");
  byId("count").textContent = `${order.length === cards.length ? all : `${order.length} of ${all}`}, ${orderText()}`;
  byId("nothing").hidden = order.length > 0;
  byId("show-all").hidden = !cards.length;
  byId("why-nothing").textContent = cards.length
    ? `No name contains “${state.filter.trim()}”.`
    : "This report holds no cases.";
}

/** The card that the Tab key would come to. */
function cardAtHand() {
  return state.order.find((number) => cards[number].button.tabIndex === 0) ?? state.order[0];
}

function orderText() {
  if (state.sort === "name") return `by name, ${directionText()}`;
  const { metric, level, run } = state;
  const ofRun = severalRuns ? ` of ${report.runs[run].name}` : "";
  const of = state.sort === "difference" ? ` of ${differenceText()}` : ofRun;
  const outlines = level ? "; outlines are the ensemble’s" : "";
  return `by ${metricTitle(metric)}, ${report.levels[level]}${of}, ${directionText().toLowerCase()}${outlines}`;
}

/** One card at a time is a stop of the Tab key; arrows go from card to card. */
function rove(number) {
  for (const { button } of cards) if (button.tabIndex === 0) button.tabIndex = -1;
  cards[number].button.tabIndex = 0;
}

function drawCard(number) {
  const card = cards[number];
  if (card.show) return;
  const { node, show, media } = pictureOf(number);
  const remarks = element("span", { class: "remarks" });
  card.show = () => {
    show();
    remarks.textContent = remarksOn(media).join(", ");
  };
  card.frame.replaceChildren(node, remarks);
  card.show();
}

function letGo(number) {
  cards[number].show = null;
  cards[number].frame.replaceChildren();
}

function watchCards() {
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const number = Number(target.dataset.number);
        if (isIntersecting) drawCard(number);
        else letGo(number);
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
  const columns = getComputedStyle(byId("cards")).gridTemplateColumns.split(" ").length;
  const step = { ...STEPS, ArrowDown: columns, ArrowUp: -columns }[key];
  const target = step ? place + step : { Home: 0, End: state.order.length - 1 }[key];
  return state.order[target] ?? null;
}
