// What is known of the music: beats heard and foretold, tempo, bar, confidence, state.

// Events that are marked on the waveform; the first three are shown on the stage, too.
const CUES = ["drop", "build_up", "breakdown", "silence", "sound", "match", "jump", "lost", "unknown", "gap", "fault"];

const MEMORY = 30; // seconds

export class Music {
  constructor(link) {
    this.link = link;
    this.clear();
    link.on("about", (about) => {
      this.clear();
      this.source = about.beats;
    });
    link.on("event", ({ event }) => this.hear(event));
    link.on("ahead", ({ events }) => events.forEach((event) => this.foretell(event)));
  }

  clear() {
    this.heard = []; // beats that have sounded: {time, bpm, bar, beat, first, key}
    this.ahead = new Map(); // beats to come, by source and key
    this.marks = []; // other events: {time, kind}
    this.bpm = null;
    this.confidence = null;
    this.state = "";
    this.meter = 4;
    this.counted = 0;
  }

  hear(event) {
    if (event.source === this.source) {
      if (event.kind === "beat") this.hearBeat(event);
      else if (event.kind === "downbeat") this.hearDownbeat(event);
      else if (event.kind === "state") this.state = event.state;
    }
    if (!CUES.includes(event.kind)) return;
    this.marks.push({ time: event.time, kind: event.kind.replaceAll("_", " ") });
    if (this.marks.length > 200) this.marks.shift();
  }

  hearBeat(event) {
    if (event.bpm) this.bpm = event.bpm;
    if (event.confidence !== undefined) this.confidence = event.confidence;
    if (event.meter) this.meter = event.meter;
    if (typeof event.state === "string") this.state = event.state;
    this.counted += 1;
    const last = this.heard.at(-1);
    const beat = event.beat ?? (last?.beat ? (last.beat % this.meter) + 1 : null);
    this.heard.push({ time: event.time, bpm: event.bpm, bar: event.bar ?? null, beat, first: beat === 1, key: event.key });
    this.ahead.delete(`${event.source} ${event.key}`);
    while (this.heard.length && this.heard[0].time < event.time - MEMORY) this.heard.shift();
  }

  hearDownbeat(event) {
    if (event.meter) this.meter = event.meter;
    const beat = this.heard.findLast((one) => Math.abs(one.time - event.time) < 0.1);
    if (beat) Object.assign(beat, { beat: 1, first: true, bar: event.bar ?? beat.bar });
  }

  foretell(event) {
    if (event.kind !== "beat" || event.source !== this.source) return;
    const id = `${event.source} ${event.key}`;
    if (event.retracted) this.ahead.delete(id);
    else this.ahead.set(id, { time: event.time, said: true });
  }

  // What the music does, if it was told within the last ten seconds: a drop, a build-up, a breakdown.
  cue(now) {
    const last = this.marks.findLast((mark) => CUES.slice(0, 3).includes(mark.kind.replaceAll(" ", "_")));
    return last && now - last.time < 10 ? last.kind : "";
  }

  // Beats of the next `seconds`: those foretold by the tracker (said), then at the tempo it believes.
  coming(now, seconds) {
    for (const [id, beat] of this.ahead) if (beat.time < now - 1) this.ahead.delete(id); // it never came
    const beats = [...this.ahead.values()].filter((beat) => beat.time > now).sort((a, b) => a.time - b.time);
    const here = this.at(now);
    if (!this.bpm || !here || here.stale) return beats;
    for (let time = beats.at(-1)?.time ?? here.time; (time += 60 / this.bpm) < now + seconds; )
      if (time > now) beats.push({ time, said: false });
    return beats;
  }

  // The beat that sounds at stream time `now`, on time: {beat, bar, first, phase 0..1}, or null.
  at(now) {
    const last = this.heard.findLast((beat) => beat.time <= now);
    if (!last) return null;
    // A foretold beat that is due counts at once, before the news that it fell due has come.
    const due = [...this.ahead.values()].filter((beat) => beat.time <= now && beat.time > last.time + 0.15);
    const time = due.length ? Math.max(...due.map((beat) => beat.time)) : last.time;
    const steps = due.length;
    const period = 60 / (this.bpm || 120);
    const beat = last.beat ? ((last.beat - 1 + steps) % this.meter) + 1 : null;
    const bar = last.bar === null ? null : last.bar + Math.floor((last.beat - 1 + steps) / this.meter);
    return { time, beat, bar, first: beat === 1, phase: (now - time) / period, stale: now - time > 4 * period };
  }
}
