// Numbers that several views show: tempo, beat, bar, confidence, state, level. They are marked by data-show.

const LOW = -60; // dB at the left end of the level meter

export class Show {
  constructor(link, music) {
    this.music = music;
    this.levels = [];
    this.hold = [];
    this.last = {};
    link.on("telemetry", (telemetry) => (this.levels = telemetry.levels));
    link.on("about", () => (this.last = {}));
  }

  draw(now) {
    const music = this.music, at = music.at(now);
    const live = at !== null && !at.stale;
    this.text("bpm", music.bpm ? music.bpm.toFixed(1) : "–");
    this.text("bar", live && at.bar !== null ? at.bar : "–");
    this.text("beat", live ? (at.beat ? Math.floor(at.beat) : "•") : "–");
    this.text("state", [music.state || (live ? "tracking" : "listening"), music.cue(now)].filter(Boolean).join(" · "));
    this.text("time", clock(now));
    this.text("confidence", music.confidence === null ? "–" : `${Math.round(100 * music.confidence)} %`);
    this.fill("confidence", music.confidence ?? 0);
    this.count(live && at.beat ? Math.floor(at.beat) : null, music.meter, live && at.phase < 0.5);
    this.flash(live ? at : null);
    this.drawLevels();
  }

  text(name, value) {
    if (this.last[name] === value) return;
    this.last[name] = value;
    for (const place of document.querySelectorAll(`[data-show=${name}]`)) place.textContent = value;
  }

  fill(name, value) {
    for (const place of document.querySelectorAll(`[data-fill=${name}]`)) {
      place.style.transform = `scaleX(${Math.max(0, Math.min(1, value))})`;
      place.classList.toggle("weak", value < 0.5);
    }
  }

  count(beat, meter, on) {
    const key = `${beat} ${meter} ${on}`;
    if (this.last.count === key) return;
    this.last.count = key;
    for (const place of document.querySelectorAll("[data-show=count]")) {
      if (place.children.length !== meter)
        place.replaceChildren(...Array.from({ length: meter }, () => document.createElement("i")));
      [...place.children].forEach((dot, n) => {
        dot.className = (beat === null ? on : n + 1 === beat && on) ? `on${n === 0 && beat === 1 ? " first" : ""}` : "";
      });
    }
  }

  flash(at) {
    const place = document.querySelector("[data-flash]");
    place.style.opacity = at ? 0.5 * Math.max(0, 1 - at.phase) ** 3 : 0;
    place.classList.toggle("first", Boolean(at?.first));
  }

  drawLevels() {
    for (const place of document.querySelectorAll("[data-show=levels]")) {
      if (!place.offsetParent) continue;
      while (place.children.length > this.levels.length) place.lastChild.remove();
      while (place.children.length < this.levels.length) place.append(document.createElement("canvas"));
      [...place.children].forEach((canvas, n) => this.drawLevel(canvas, n));
    }
  }

  drawLevel(canvas, n) {
    const width = (canvas.width = canvas.clientWidth), height = (canvas.height = 10);
    const pen = canvas.getContext("2d");
    const x = (level) => Math.max(0, 1 - (20 * Math.log10(Math.max(level, 1e-6))) / LOW) * width;
    const [peak, rms] = this.levels[n];
    this.hold[n] = Math.max(peak, (this.hold[n] ?? 0) * 0.985);
    pen.fillStyle = "#2a3038";
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = "#2f7d53";
    pen.fillRect(0, 0, x(peak), height);
    pen.fillStyle = "#5fd38d";
    pen.fillRect(0, 0, x(rms), height);
    pen.fillStyle = "#0c0e11";
    for (const db of [-48, -36, -24, -12, -6]) pen.fillRect(x(10 ** (db / 20)), 0, 1, height);
    pen.fillStyle = this.hold[n] >= 0.99 ? "#ff6b61" : "#e8eaed";
    pen.fillRect(x(this.hold[n]) - 2, 0, 2, height);
  }
}

export function clock(seconds) {
  if (seconds === null || seconds < 0) return "0:00.0";
  const tenths = Math.floor(seconds * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}
