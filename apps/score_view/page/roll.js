// The score as a piano roll, where there is nothing to engrave: a page of bars at a time, turned ahead.

import { el } from "/page/dom.js";
import { lastAt } from "/score/timeline.js";

const EARLY = 1.0; // seconds before its end that a page is turned
const SECONDS = 12; // of the score on a page, before zooming

export class Roll {
  constructor(sheet, timeline) {
    Object.assign(this, { sheet, timeline, asked: 1, scale: 1 });
    const pitches = timeline.notes.map((note) => note.pitch);
    this.low = Math.min(59, ...pitches) - 3;
    this.high = Math.max(72, ...pitches) + 3;
    this.canvas = el("canvas");
    sheet.replaceChildren(el("div", { class: "leaf" }, this.canvas));
    this.pageUp();
    new ResizeObserver(() => (this.drawn = "")).observe(sheet);
  }

  // Starts of the pages: whole bars, as many as fit.
  pageUp() {
    const length = SECONDS / this.scale * Math.max(0.6, Math.min(1.6, this.sheet.clientWidth / 1000));
    const edges = this.timeline.bars.length ? this.timeline.barStarts : [];
    this.starts = [Math.min(0, this.timeline.notes[0]?.on ?? 0)];
    const end = this.timeline.end || 1;
    for (let at = this.starts[0]; at + length < end; this.starts.push(at)) {
      const bar = edges[lastAt(edges, at + length)] ?? at;
      at = bar > at + length / 3 ? bar : at + length;
    }
    this.pages = this.starts.length;
  }

  get shown() {
    return [this.asked];
  }

  zoom(by) {
    this.scale = Math.min(4, Math.max(0.25, this.scale * by));
    this.pageUp();
    this.asked = Math.min(this.asked, this.pages);
  }

  open(page) {
    this.asked = page;
  }

  turn(seconds, speed) {
    this.asked = 1 + Math.max(0, lastAt(this.starts, seconds + EARLY * Math.max(0.3, speed)));
  }

  draw(seconds, state) {
    const { clientWidth: width, clientHeight: height } = this.sheet;
    const ratio = devicePixelRatio;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const brush = this.canvas.getContext("2d");
    const style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(name);
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    const from = this.starts[this.asked - 1];
    const to = Math.max(this.starts[this.asked] ?? this.timeline.end, from + 2);
    const x = (time) => 12 + ((time - from) / (to - from)) * (width - 24);
    const row = (height - 24) / (this.high - this.low + 1);
    const y = (pitch) => 20 + (this.high - pitch) * row;
    brush.font = "11px system-ui, sans-serif";
    brush.fillStyle = colour("--soft");
    brush.strokeStyle = colour("--line");
    for (const [start, number] of this.timeline.bars) {
      if (start < from - 1e-6 || start > to + 1e-6) continue;
      brush.beginPath();
      brush.moveTo(x(start), 0);
      brush.lineTo(x(start), height);
      brush.stroke();
      brush.fillText(number, x(start) + 3, 12);
    }
    const plays = state !== "waiting" && state !== "finished";
    for (const note of this.timeline.notes) {
      if (note.off < from || note.on > to) continue;
      brush.fillStyle = plays && note.on <= seconds && seconds < note.off ? colour("--music") : colour("--notes");
      brush.fillRect(x(note.on), y(note.pitch), Math.max(2, x(note.off) - x(note.on) - 1), Math.max(2, row - 1));
    }
    brush.fillStyle = state === "lost" ? colour("--bad") : colour("--ahead");
    if (seconds >= from && seconds <= to) brush.fillRect(x(seconds) - 1, 0, 3, height);
  }
}
