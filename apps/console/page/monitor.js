// The monitor: strips of what is heard under one time axis, beats ahead of now at the right.

import { Strip, kindOf } from "./strips.js";

const ORDER = ["pulse", "wave", "novelty", "spectrum", "chroma", "tempogram", "curves", "heat"];
const SHOWN_FIRST = ["pulse", "wave", "novelty", "spectrum", "chroma", "tempogram"];

export class Monitor {
  constructor(link, music) {
    this.link = link;
    this.music = music;
    this.strips = [];
    this.place = document.querySelector("#strips");
    this.axis = { back: 8, ahead: 2 };
    link.on("about", (about) => this.build(about));
  }

  // One strip of each kind is shown first; the others wait behind a button each.
  build(about) {
    for (const strip of this.strips) strip.close();
    this.place.replaceChildren();
    const rank = (stream) => ORDER.indexOf(kindOf(stream)) + (/activation|phase|flux/.test(stream.output) ? 0.5 : 0);
    this.streams = [...about.streams].sort((a, b) => rank(a) - rank(b));
    const seen = new Set();
    const chosen = JSON.parse(localStorage.getItem("strips") ?? "{}");
    this.shown = new Set();
    for (const stream of this.streams) {
      const kind = kindOf(stream);
      const first = SHOWN_FIRST.includes(kind) && !seen.has(kind);
      seen.add(kind);
      if (chosen[stream.output] ?? first) this.shown.add(stream.output);
    }
    this.strips = [];
    const buttons = document.createElement("div");
    buttons.className = "bar";
    for (const stream of this.streams) {
      const button = buttons.appendChild(document.createElement("button"));
      button.textContent = stream.output;
      button.setAttribute("aria-pressed", this.shown.has(stream.output));
      button.classList.toggle("on", this.shown.has(stream.output));
      button.onclick = () => {
        localStorage.setItem("strips", JSON.stringify({ ...chosen, [stream.output]: !this.shown.has(stream.output) }));
        this.build(about);
      };
    }
    for (const stream of this.streams) {
      if (!this.shown.has(stream.output)) continue;
      const strip = new Strip(stream, this.link, this.music, this.axis);
      this.strips.push(strip);
      this.place.append(strip.element);
    }
    this.place.append(buttons);
    this.watch();
  }

  // Only a view that is looked at costs anything.
  watch(visible = !document.querySelector("#view-monitor").hidden) {
    this.link.watch(visible && !document.hidden ? [...(this.shown ?? [])] : []);
  }

  draw(now) {
    this.axis.back = innerWidth < 640 ? 4.5 : 8;
    this.axis.ahead = innerWidth < 640 ? 1.5 : 2;
    for (const strip of this.strips) strip.draw(now);
  }
}
