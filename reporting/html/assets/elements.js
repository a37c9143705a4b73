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

/** A table in a box of its own that scrolls where the page is narrow, also by keyboard. */
function scrollingTable(title, table) {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table);
}

/** A select whose options are [value, text] or, in groups, [label, [[value, text], ...]]. */
function selectOf(label, options, onchange, className = "") {
  const select = element("select", { onchange: () => onchange(select.value), "aria-label": label });
  for (const [value, text] of options) {
    if (Array.isArray(text)) {
      const inner = text.map(([v, t]) => element("option", { value: v, text: t }));
      select.append(element("optgroup", { label: value }, ...inner));
    } else select.append(element("option", { value, text }));
  }
  const shown = element("label", { class: `field ${className}` }, element("span", { text: label }), select);
  return { shown, select };
}
