// Parameters with live edit and undo, and the choice of the preset.

import { el } from "./dom.js";

export class Controls {
  constructor(link) {
    this.link = link;
    this.params = new Map();
    this.place = document.querySelector("#params");
    this.find = document.querySelector("#find");
    this.fixed = document.querySelector("#fixed");
    this.preset = document.querySelector("#preset");
    this.undoButton = document.querySelector("#undo");
    this.redoButton = document.querySelector("#redo");
    this.find.oninput = this.fixed.onchange = () => this.filter();
    this.undoButton.onclick = () => link.do({ do: "undo" });
    this.redoButton.onclick = () => link.do({ do: "redo" });
    this.preset.onchange = () => link.do({ do: "preset", name: this.preset.value });
    link.on("about", (about) => this.build(about));
    link.on("values", (message) => this.update(message));
    link.on("error", () => this.update(this.latest));
  }

  build(about) {
    const short = (name) => name.replace(/^.*\//, "").replace(/\.toml$/, "");
    this.preset.replaceChildren(
      ...about.presets.map((name) => el("option", { value: name, selected: name === about.preset }, short(name))),
    );
    this.params.clear();
    this.place.replaceChildren(
      ...[...about.nodes, ...about.sinks].map((node) =>
        el("div", { class: "node", id: `node-${node.id}` }, el("h2", {}, node.id),
          el("p", {}, `${node.type}: ${node.help}`), ...node.params.map((param) => this.row(node, param))),
      ),
    );
    this.filter();
  }

  row(node, param) {
    const target = `${node.id}.${param.name}`;
    const id = `param-${target}`;
    const press = param.momentary && param.unit === "s"; // a button: what is set is when it was pressed
    const range = press ? "" : param.low !== null || param.high !== null ? `${param.low ?? "−∞"} to ${param.high ?? "∞"}` : "";
    const row = el("div", { class: "param", title: param.help },
      el("label", { for: id }, el("b", {}, param.name), el("em"), el("small", {}, [range, press ? "" : param.unit].filter(Boolean).join(" "))));
    const entry = { row, param, target, inputs: [] };
    const send = (value) => this.link.do({ do: "set", target, value });
    if (press) {
      row.append(el("button", { id, class: "wide", onclick: () => send(Math.max(0, this.link.now() ?? 0)) }, param.name));
    } else if (!param.live) {
      row.append(el("output", { id }, `${param.value === "" ? "–" : param.value}`));
    } else if (param.choices.length) {
      const options = param.choices.map((choice) => el("option", { value: choice }, choice));
      entry.inputs.push(row.appendChild(el("select", { id, class: "wide", onchange: (e) => send(e.target.value) }, ...options)));
    } else if (param.kind === "bool") {
      entry.inputs.push(row.appendChild(el("input", { id, type: "checkbox", class: "wide", onchange: (e) => send(e.target.checked) })));
    } else if (param.kind === "str") {
      entry.inputs.push(row.appendChild(el("input", { id, class: "wide", onchange: (e) => send(e.target.value) })));
    } else {
      this.number(entry, id, send);
    }
    if (param.live)
      row.append(el("button", { "aria-label": `learn a control for ${target}`, title: "then move a MIDI or OSC control to map it",
        onclick: () => this.link.do({ do: "learn", target }) }, "◎"));
    if (param.live && !param.momentary)
      row.append(el("button", { "aria-label": `${target} back to ${param.initial}`, title: `back to ${param.initial}`,
        onclick: () => send(param.initial) }, "↺"));
    this.params.set(target, entry);
    this.set(entry, param.value);
    return row;
  }

  // A slider where there is a range, and a field for the exact number.
  number(entry, id, send) {
    const { param, row } = entry;
    const whole = param.kind === "int";
    const step = whole ? 1 : "any";
    if (param.low !== null && param.high !== null && !param.momentary) {
      // Over several decades a slider moves in equal ratios.
      const wide = param.low > 0 && param.high / param.low > 100;
      entry.toSlider = wide ? (v) => Math.log(v / param.low) / Math.log(param.high / param.low) : (v) => (v - param.low) / (param.high - param.low);
      const fromSlider = wide ? (u) => param.low * (param.high / param.low) ** u : (u) => param.low + u * (param.high - param.low);
      const tidy = (value) => (whole ? Math.round(value) : Number(value.toPrecision(3)));
      entry.slider = row.appendChild(el("input", { type: "range", min: 0, max: 1, step: "any", "aria-label": `${entry.target} slider`,
        oninput: (e) => {
          const value = Math.min(param.high, Math.max(param.low, tidy(fromSlider(Number(e.target.value)))));
          entry.inputs[0].value = value;
          send(value);
        } }));
    }
    entry.inputs.push(row.appendChild(el("input", { id, type: "number", step, class: entry.slider ? "" : "wide",
      onchange: (e) => e.target.value !== "" && send(Number(e.target.value)) })));
  }

  update(message) {
    if (!message) return;
    this.latest = message;
    this.undoButton.disabled = !message.can_undo;
    this.redoButton.disabled = !message.can_redo;
    for (const [target, { row }] of this.params)
      row.querySelector("em").textContent = (message.controls[target] ?? []).join(", ");
    for (const [target, value] of Object.entries(message.values)) {
      const entry = this.params.get(target);
      if (entry) this.set(entry, value);
    }
  }

  set(entry, value) {
    entry.row.classList.toggle("moved", value !== entry.param.initial);
    for (const input of entry.inputs) {
      if (input.type === "checkbox") input.checked = value;
      else if (input !== document.activeElement || input.type !== "text") input.value = value;
    }
    if (entry.slider && entry.slider !== document.activeElement) entry.slider.value = entry.toSlider(value);
  }

  filter() {
    const words = this.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const [target, { row, param }] of this.params)
      row.hidden = (!param.live && !this.fixed.checked) || !words.every((word) => target.includes(word));
    for (const node of this.place.children) node.hidden = !node.querySelector(".param:not([hidden])");
  }
}
