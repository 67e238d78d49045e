// Pictures that scroll under one time axis: heat maps, curves, waveforms, with beats across all of them.

const SECONDS = 12; // that a picture keeps
const HEIGHTS = { pulse: 96, wave: 64, novelty: 64, spectrum: 132, chroma: 96, tempogram: 110, curves: 64, heat: 96 };
const TITLES = { pulse: "Pulse", wave: "Waveform", novelty: "Novelty", spectrum: "Spectrogram", chroma: "Chroma",
  tempogram: "Tempogram" };
const COLOURS = ["#ffb547", "#6cb8ff", "#5fd38d", "#ff6b61", "#c792ea", "#e8eaed"];

// Black over violet and amber to white, 256 steps, as 0xAABBGGRR.
const HEAT = new Uint32Array(256).map((_, i) => {
  const stops = [[0, 12, 14, 17], [0.25, 58, 30, 92], [0.5, 158, 47, 96], [0.75, 246, 130, 60], [1, 255, 240, 200]];
  const x = i / 255;
  const k = Math.max(1, stops.findIndex((stop) => stop[0] >= x));
  const [a, b] = [stops[k - 1], stops[k]];
  const u = (x - a[0]) / (b[0] - a[0]);
  const [r, g, bl] = [1, 2, 3].map((c) => Math.round(a[c] + u * (b[c] - a[c])));
  return (255 << 24) | (bl << 16) | (g << 8) | r;
});

// What a stream is, by its shape and its name.
export function kindOf(stream) {
  const name = `${stream.type} ${stream.output}`.toLowerCase();
  if (stream.mode === "wave") return "wave";
  if (stream.mode === "curves") {
    if (/pulse$|_lfo$|\.phase$/.test(name)) return "pulse";
    return /novelty|activation|accent|flux/.test(name) ? "novelty" : "curves";
  }
  if (/tempo/.test(name)) return "tempogram";
  if (stream.rows === 12) return "chroma";
  return stream.axis.at(-1) > 1500 ? "spectrum" : "heat";
}

const pulse = (phase) => 0.5 + 0.5 * Math.cos(2 * Math.PI * phase);

export class Strip {
  // `axis`: {back, ahead} in seconds, shared by all strips.
  constructor(stream, link, music, axis) {
    this.stream = stream;
    this.kind = kindOf(stream);
    this.link = link;
    this.music = music;
    this.axis = axis;
    // A phase becomes a pulse: 1 on the beat, 0 half way.
    this.isPhase = this.kind === "pulse" && stream.output.endsWith(".phase");
    this.newest = -1;
    this.shift = 0;
    this.columns = Math.min(4096, Math.ceil(SECONDS / stream.step));
    this.largest = 1e-6;
    this.element = document.createElement("div");
    this.element.className = "strip";
    this.element.style.flex = `${HEIGHTS[this.kind]} 0 ${HEIGHTS[this.kind]}px`;
    this.canvas = this.element.appendChild(document.createElement("canvas"));
    this.canvas.setAttribute("role", "img");
    const name = this.element.appendChild(document.createElement("div"));
    name.className = "name";
    name.append(TITLES[this.kind] ?? stream.output, " ");
    const small = name.appendChild(document.createElement("small"));
    small.textContent = (TITLES[this.kind] ? stream.output : "") + (stream.unit ? ` ${stream.unit}` : "");
    this.canvas.setAttribute("aria-label", name.textContent);
    if (stream.mode === "heat") {
      this.ring = document.createElement("canvas");
      this.ring.width = this.columns;
      this.ring.height = stream.rows;
      this.pen = this.ring.getContext("2d");
    } else {
      this.values = new Float32Array(this.columns * stream.rows).fill(NaN);
    }
    this.listener = (event) => this.put(event.detail);
    link.addEventListener(`stream:${stream.index}`, this.listener);
  }

  close() {
    this.link.removeEventListener(`stream:${this.stream.index}`, this.listener);
    this.element.remove();
  }

  put({ count, rows, time, data }) {
    if (rows !== this.stream.rows) return;
    const first = Math.floor(time / this.stream.step + 1e-3);
    this.shift = time - first * this.stream.step; // the grid need not pass through 0
    if (first < this.newest - 2 * this.columns || first > this.newest + this.columns) this.wipe(first - this.columns, this.columns);
    else if (first > this.newest + 1) this.wipe(this.newest + 1, first - this.newest - 1);
    if (this.pen) this.putHeat(first, count, rows, data);
    else {
      for (let n = 0; n < count; n++) {
        const place = ((first + n) % this.columns + this.columns) % this.columns;
        for (let r = 0; r < rows; r++) {
          const raw = data[n * rows + r];
          const value = this.isPhase ? pulse(raw) : raw;
          this.values[place * rows + r] = value;
          this.largest = Math.max(this.largest * 0.9995, Math.abs(value));
        }
      }
    }
    this.newest = first + count - 1;
  }

  putHeat(first, count, rows, data) {
    const image = this.pen.createImageData(count, rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let n = 0; n < count; n++)
      for (let r = 0; r < rows; r++) pixels[(rows - 1 - r) * count + n] = HEAT[data[n * rows + r]];
    const place = ((first % this.columns) + this.columns) % this.columns;
    this.pen.putImageData(image, place, 0);
    if (place + count > this.columns) this.pen.putImageData(image, place - this.columns, 0);
  }

  wipe(first, count) {
    for (let n = 0; n < Math.min(count, this.columns); n++) {
      const place = (((first + n) % this.columns) + this.columns) % this.columns;
      if (this.pen) this.pen.clearRect(place, 0, 1, this.stream.rows);
      else this.values.fill(NaN, place * this.stream.rows, (place + 1) * this.stream.rows);
    }
  }

  draw(now) {
    const ratio = Math.min(2, devicePixelRatio || 1);
    const width = Math.round(this.element.clientWidth * ratio), height = Math.round(this.element.clientHeight * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const { back, ahead } = this.axis;
    const start = now - back;
    const x = (time) => ((time - start) / (back + ahead)) * width;
    if (this.pen) this.drawHeat(pen, start, now, x, height);
    else if (this.stream.mode === "wave") this.drawWave(pen, start, now, x, height);
    else this.drawCurves(pen, start, now, x, height, ratio);
    if (this.kind === "pulse") this.drawAhead(pen, now, x, height, ratio);
    if (this.kind === "tempogram") this.drawTempo(pen, height, ratio, x(now));
    if (this.kind === "chroma") this.drawAxis(pen, height, ratio, x(now), this.stream.axis);
    if (this.kind === "spectrum") this.drawAxis(pen, height, ratio, x(now), [100, 1000, 10000], " Hz");
    if (this.kind === "wave") this.drawMarks(pen, start, now, x, height, ratio);
    this.drawBeats(pen, start, now, x, height, ratio);
  }

  drawHeat(pen, start, now, x, height) {
    const { step } = this.stream, { shift } = this;
    const first = Math.max(Math.ceil((start - shift) / step), this.newest - this.columns + 1);
    const stop = Math.min(Math.floor((now - shift) / step), this.newest) + 1;
    if (stop <= first) return;
    for (let at = first; at < stop; ) {
      const place = ((at % this.columns) + this.columns) % this.columns;
      const count = Math.min(stop - at, this.columns - place);
      const left = x(at * step + shift), right = x((at + count) * step + shift);
      pen.drawImage(this.ring, place, 0, count, this.stream.rows, left, 0, right - left, height);
      at += count;
    }
  }

  *visible(start, now) {
    const { step, rows } = this.stream;
    const { shift } = this;
    const stop = Math.min(Math.floor((now - shift) / step), this.newest);
    for (let at = Math.max(Math.ceil((start - shift) / step), this.newest - this.columns + 1); at <= stop; at++)
      yield [at * step + shift, (((at % this.columns) + this.columns) % this.columns) * rows];
  }

  drawWave(pen, start, now, x, height) {
    const middle = height / 2, gain = middle * 0.95;
    pen.fillStyle = COLOURS[1];
    const wide = Math.max(1, x(start + this.stream.step) + 0.5);
    for (const [time, at] of this.visible(start, now)) {
      const low = this.values[at], high = this.values[at + 1];
      if (low === low) pen.fillRect(x(time), middle - high * gain, wide, Math.max(1, (high - low) * gain));
    }
  }

  drawCurves(pen, start, now, x, height, ratio) {
    const signed = this.values.some((value) => value < -1e-6);
    const top = 4 * ratio, floor = signed ? height / 2 : height - 2 * ratio;
    const gain = (floor - top) / this.largest;
    pen.lineWidth = 1.5 * ratio;
    for (let r = 0; r < this.stream.rows; r++) {
      pen.strokeStyle = COLOURS[r % COLOURS.length];
      pen.beginPath();
      let drawing = false;
      for (const [time, at] of this.visible(start, now)) {
        const value = this.values[at + r];
        if (value !== value) drawing = false;
        else if (drawing) pen.lineTo(x(time), floor - value * gain);
        else { pen.moveTo(x(time), floor - value * gain); drawing = true; }
      }
      pen.stroke();
    }
  }

  // The pulse to come: from the beat before now through the beats foretold.
  drawAhead(pen, now, x, height, ratio) {
    const last = this.music.at(now);
    if (!last || last.stale) return;
    const beats = [last.time, ...this.music.coming(now, this.axis.ahead).map((beat) => beat.time)];
    const floor = height - 2 * ratio, gain = floor - 4 * ratio;
    pen.strokeStyle = COLOURS[1];
    pen.setLineDash([4 * ratio, 3 * ratio]);
    pen.beginPath();
    for (let n = 0, time = now; time < now + this.axis.ahead; time += 0.01) {
      while (n + 2 < beats.length && beats[n + 1] <= time) n++;
      const phase = (time - beats[n]) / ((beats[n + 1] ?? beats[n] + 0.5) - beats[n]);
      pen[time === now ? "moveTo" : "lineTo"](x(time), floor - gain * pulse(phase));
    }
    pen.stroke();
    pen.setLineDash([]);
  }

  // Height of a label of the axis, or of the first number on it that is not smaller.
  place(label, height) {
    const axis = this.stream.axis;
    const k = axis.findIndex((one) => (typeof one === "number" ? one >= label : one === label));
    return k < 0 ? null : height * (1 - (k + 0.5) / axis.length);
  }

  // Labels at the right of now, as many as fit; none at the height `taken`.
  drawAxis(pen, height, ratio, right, labels, unit = "", taken = null) {
    pen.font = `${Math.min(11, (0.95 * height) / ratio / labels.length) * ratio}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    pen.fillStyle = "#9aa4b0";
    for (const label of labels) {
      const y = this.place(label, height);
      if (y !== null && (taken === null || Math.abs(y - taken) > 12 * ratio)) pen.fillText(label + unit, right + 6 * ratio, y);
    }
  }

  // What else was said: sound, silence, drops, matches.
  drawMarks(pen, start, now, x, height, ratio) {
    pen.font = `${11 * ratio}px system-ui, sans-serif`;
    pen.textBaseline = "bottom";
    pen.fillStyle = "#5fd38d";
    for (const { time, kind } of this.music.marks) {
      if (time < start || time > now) continue;
      pen.fillRect(x(time), 0, ratio, height);
      pen.fillText(kind, x(time) + 4 * ratio, height - 3 * ratio);
    }
  }

  // The tempo believed, as a line at its place on the axis.
  drawTempo(pen, height, ratio, right) {
    const axis = this.stream.axis, bpm = this.music.bpm;
    if (axis.length < 2 || typeof axis[0] !== "number") return;
    const line = bpm && bpm >= axis[0] ? this.place(bpm, height) : null;
    this.drawAxis(pen, height, ratio, right, [60, 90, 120, 150, 180, 210], "", line);
    if (line === null) return;
    pen.strokeStyle = pen.fillStyle = "#5fd38d";
    pen.lineWidth = 1.5 * ratio;
    pen.setLineDash([6 * ratio, 4 * ratio]);
    pen.beginPath();
    pen.moveTo(0, line);
    pen.lineTo(right, line);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillText(`${bpm.toFixed(1)} BPM`, right + 6 * ratio, line);
  }

  drawBeats(pen, start, now, x, height, ratio) {
    const strong = this.kind === "pulse";
    for (const beat of this.music.heard) {
      if (beat.time < start || beat.time > now) continue;
      pen.fillStyle = beat.first ? "#e8eaed" : "#ffb547";
      pen.globalAlpha = strong ? 0.9 : 0.35;
      pen.fillRect(x(beat.time) - ratio / 2, 0, (beat.first ? 2 : 1) * ratio, height);
    }
    pen.fillStyle = "#6cb8ff";
    for (const beat of this.music.coming(now, this.axis.ahead)) {
      pen.globalAlpha = (strong ? 1 : 0.5) * (beat.said ? 1 : 0.5);
      pen.fillRect(x(beat.time) - ratio, 0, (beat.said ? 3 : 1) * ratio, height);
    }
    pen.globalAlpha = 1;
    pen.fillStyle = "#e8eaed55";
    pen.fillRect(x(now), 0, ratio, height);
  }
}
