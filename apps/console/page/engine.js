// How the engine is doing: health, outputs, load per node, latency, the rig, and what has happened.

import { el, table } from "./dom.js";
import { clock } from "./show.js";

export class Engine {
  constructor(link) {
    this.news = document.querySelector("#news");
    this.lights = new Map();
    link.on("about", (about) => this.build(about));
    link.on("telemetry", (telemetry) => this.update(telemetry));
    link.on("status", (status) => this.report(status));
    link.on("connection", (open) => open && this.news.replaceChildren());
    link.on("rig", ({ lights }) => this.shine(lights));
  }

  build(about) {
    const ms = (value) => value.toFixed(1);
    document.querySelector("#latency").replaceChildren(
      table(["output", "sink", "min ms", "typical", "max", "sink leads by", "on time"],
        about.latency.map((row) => [row.output, row.sink || "–", ms(row.min_ms), ms(row.typical_ms), ms(row.max_ms),
          row.sink ? ms(row.lead_ms) : "–", row.sink ? (row.late_ms ? [`up to ${ms(row.late_ms)} late`, "bad"] : ["always", "good"]) : "–"])),
    );
    document.querySelector("#rig-card").hidden = about.rig.length === 0;
    this.lights.clear();
    document.querySelector("#rig").replaceChildren(...about.rig.map((name) => {
      const light = el("i");
      this.lights.set(name, light);
      return el("figure", {}, light, name.split(".").at(-1));
    }));
  }

  shine(lights) {
    for (const [name, [r, g, b]] of Object.entries(lights)) {
      const light = this.lights.get(name);
      if (!light) continue;
      light.style.background = `rgb(${r} ${g} ${b})`;
      light.style.boxShadow = `0 0 ${Math.max(r, g, b) / 8}px rgb(${r} ${g} ${b})`;
    }
  }

  update(t) {
    const entered = Object.entries(t.overload.entered).filter(([state, n]) => state !== "ok" && n);
    const facts = [
      ["Engine", t.state, t.state !== "running"],
      ["Overload", t.overload.state, t.overload.state !== "ok"],
      ["Overload so far", entered.map(([state, n]) => `${n} ${state}`).join(", ") || "never", entered.some(([s]) => s === "skip")],
      ["Xruns", t.xruns, t.xruns > 0],
      ["Gaps", t.gaps ? `${t.gaps} (${t.lost_s.toFixed(2)} s)` : 0, t.gaps > 0],
      ["Slow quanta", t.overruns, t.overruns > 0],
      ["Wake-up p99", `${t.wake_ms[1].toFixed(2)} ms`, false],
      ["Device clock", `${t.clock.ppm >= 0 ? "+" : ""}${t.clock.ppm.toFixed(1)} ppm`, false],
      ["Restarts", t.restarts, t.restarts > 0],
    ];
    document.querySelector("#health").replaceChildren(
      ...facts.map(([name, value, bad]) => el("div", { class: bad ? "bad" : "" }, el("dt", {}, name), el("dd", {}, `${value}`))));
    const budget = t.budget_us;
    document.querySelector("#loads").replaceChildren(table(["node", "", "mean µs", "p99", "worst", "of the quantum"],
      Object.entries(t.loads).map(([id, [mean, , p99, worst]]) => {
        const share = p99 / budget;
        const fill = el("i");
        fill.style.transform = `scaleX(${Math.min(1, share)})`;
        fill.classList.toggle("weak", share > 0.5);
        return [id === "quantum" ? "all" : id, el("span", { class: "meter" }, fill), mean.toFixed(0), p99.toFixed(0),
          worst.toFixed(0), `${(100 * share).toFixed(1)} %`];
      })));
    const sinks = Object.entries(t.sinks);
    document.querySelector("#outputs").replaceChildren(sinks.length === 0 ? "This preset has no outputs." :
      table(["output", "", "sent", "late ms p50 / p99", "stale", "dropped", "failures"],
        sinks.map(([id, s]) => [id, [s.status === "ok" ? "ok" : `${s.status}: ${s.reason}`, s.status === "ok" ? "good" : "bad"], s.sent,
          `${s.late_ms[0].toFixed(1)} / ${s.late_ms[1].toFixed(1)}`, s.stale, s.dropped, s.failures])));
  }

  report({ what, state, reason, at }) {
    const text = `${what}: ${state}${reason ? ` (${reason})` : ""}`;
    this.news.prepend(el("li", {}, el("time", {}, at === null ? "start" : clock(at)), text));
    while (this.news.children.length > 100) this.news.lastChild.remove();
  }
}
