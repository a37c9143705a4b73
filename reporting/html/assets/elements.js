"use strict";
// Elements made from data. Text only ever becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; of its attributes `text` is its text, `on...` a listener, false or null is left out. */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

function keyHint(key) {
  return element("kbd", { text: key, "aria-hidden": "true" });
}

/** A table of numbers in a box of its own that scrolls where the page is narrow, also by keyboard; a body is rows. */
function scrollingTable(title, columns, ...bodies) {
  const head = element("tr", {}, ...columns.map((text) => element("th", { scope: "col", text, dir: "auto" })));
  const parts = bodies.map((rows) => element("tbody", {}, ...rows));
  const table = element("table", { class: "numbers" }, element("thead", {}, head), ...parts);
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table);
}

/** A select, with its label, that shows a value of the state and calls `choose` with another one's text.
 *
 * @param {Array} options [value, text] or, in groups, [label, [[value, text], ...]].
 * @param {string[]} names of the state that the value depends on.
 */
function selectOf(label, options, names, value, choose) {
  const select = element("select", { onchange: () => choose(select.value), "aria-label": label });
  for (const [group, text] of options) {
    if (Array.isArray(text)) select.append(element("optgroup", { label: group }, ...text.map(optionOf)));
    else select.append(optionOf([group, text]));
  }
  follow(names, () => (select.value = value()));
  return element("label", { class: "field" }, element("span", { class: "muted", text: label }), select);
}

function optionOf([value, text]) {
  return element("option", { value, text });
}
