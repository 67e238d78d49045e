// el("b", {class: "x", onclick: f}, "text", child): an element with attributes, listeners and children.

export function el(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "path", "text", "title"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element[key] = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// A table from a header and rows of cells; a cell is a text, or [text, class], or an element.
export function table(header, rows) {
  const cell = (content) =>
    Array.isArray(content) ? el("td", { class: content[1] }, content[0]) : el("td", {}, content);
  return el("table", {}, el("thead", {}, el("tr", {}, ...header.map((text) => el("th", {}, text)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cell)))));
}
