// The graph of the preset, drawn as it runs: each node with its load, each wire in the colour of what it carries.

import { el } from "./dom.js";

const WIDE = 150, HIGH = 54, ACROSS = 90, DOWN = 22, EDGE = 16;

export class Graph {
  constructor(link) {
    this.place = document.querySelector("#drawing");
    this.boxes = new Map();
    link.on("about", (about) => this.build(about));
    link.on("telemetry", (telemetry) => this.update(telemetry));
    link.on("event", ({ event }) => event.kind === "fault" && this.boxes.get(event.node)?.classList.add("fault"));
  }

  build({ nodes, sinks, wires }) {
    const from = (wire) => wire.from.split(".")[0], to = (wire) => wire.to.split(".")[0];
    const members = [{ id: "input", type: "", kind: "input" }, ...nodes.map((n) => ({ ...n, kind: "node" })),
      ...sinks.map((s) => ({ ...s, kind: "sink" }))];
    const column = new Map(members.map(({ id }) => [id, 0]));
    for (let pass = 0; pass < members.length; pass++) // as far right as the longest way to it
      for (const wire of wires) column.set(to(wire), Math.max(column.get(to(wire)), column.get(from(wire)) + 1));
    const columns = [];
    for (const member of members) (columns[column.get(member.id)] ??= []).push(member);
    const at = this.arrange(columns, wires, from, to);
    const tallest = Math.max(...columns.map((list) => list.length));
    const width = 2 * EDGE + columns.length * (WIDE + ACROSS) - ACROSS, height = 2 * EDGE + tallest * (HIGH + DOWN) - DOWN;
    this.boxes.clear();
    const lines = wires.map((wire) => {
      const [x1, y1] = at.get(from(wire)), [x2, y2] = at.get(to(wire));
      const [a, b, bend] = [x1 + WIDE, x2, Math.max(30, (x2 - x1 - WIDE) / 2)];
      const label = `${wire.from} to ${wire.to}: ${wire.what}, ${wire.min_ms.toFixed(1)} to ${wire.max_ms.toFixed(1)} ms`;
      return el("path", { class: wire.kind, d: `M${a} ${y1 + HIGH / 2} C${a + bend} ${y1 + HIGH / 2} ${b - bend} ${y2 + HIGH / 2} ${b} ${y2 + HIGH / 2}` },
        el("title", {}, label));
    });
    const boxes = members.map((member) => {
      const [x, y] = at.get(member.id);
      const box = el("g", { class: member.kind, transform: `translate(${x} ${y})` },
        el("title", {}, member.help ?? "the sound that comes in"),
        el("rect", { class: "box", width: WIDE, height: HIGH, rx: 7 }),
        el("text", { x: 10, y: 20 }, member.id),
        el("text", { x: 10, y: 36, class: "small" }, member.type === member.id ? "" : member.type),
        el("rect", { class: "load", x: 10, y: HIGH - 9, height: 4, width: 0, rx: 2 }),
        el("text", { x: WIDE - 10, y: 20, class: "small cost", "text-anchor": "end" }));
      this.boxes.set(member.id, box);
      return box;
    });
    const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "graph of the preset" }, ...lines, ...boxes);
    svg.style.width = `${1.3 * width}px`;
    svg.style.minWidth = `${0.7 * width}px`;
    this.place.replaceChildren(svg);
  }

  // Each column in the order of what feeds it, so that few wires cross.
  arrange(columns, wires, from, to) {
    const at = new Map();
    const tallest = Math.max(...columns.map((list) => list.length));
    columns.forEach((list, c) => {
      const pull = (id) => {
        const feeds = wires.filter((wire) => to(wire) === id && at.has(from(wire))).map((wire) => at.get(from(wire))[1]);
        return feeds.length ? feeds.reduce((a, b) => a + b) / feeds.length : 0;
      };
      const order = list.map((member, n) => [pull(member.id), n, member.id]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      const offset = ((tallest - list.length) * (HIGH + DOWN)) / 2;
      order.forEach(([, , id], n) => at.set(id, [EDGE + c * (WIDE + ACROSS), EDGE + offset + n * (HIGH + DOWN)]));
    });
    return at;
  }

  update(telemetry) {
    for (const [id, box] of this.boxes) {
      const cost = telemetry.loads[id], sink = telemetry.sinks[id];
      const label = box.querySelector(".cost"), bar = box.querySelector(".load");
      if (cost) {
        const share = Math.min(1, cost[2] / telemetry.budget_us);
        bar.setAttribute("width", share * (WIDE - 20));
        bar.classList.toggle("high", share > 0.5);
        label.textContent = `${cost[0].toFixed(0)} µs`;
      } else if (sink) {
        label.textContent = sink.status === "ok" ? `${sink.sent}` : sink.status;
        box.classList.toggle("fault", sink.status !== "ok");
      }
    }
  }
}
