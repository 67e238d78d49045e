// Plays one recording and crosses over into another at the same place in the music, to the sample.

const CHUNK = 5; // seconds of sound that are fetched at once: whole seconds join without a seam
const AHEAD = 8; // seconds that are scheduled ahead
const LEAD = 0.05; // seconds from a switch to its first sample
const FADE = 0.04; // seconds in which one recording gives way to the other
const KEPT = 40; // chunks that stay in memory

// Seconds in `to` at the moment that `seconds` is in `from`; recordings with `places` on a common grid.
export function translate(from, to, seconds) {
  const { places } = from;
  let low = 0, high = places.length - 1;
  while (low < high - 1) {
    const middle = (low + high) >> 1;
    if (places[middle] <= seconds) low = middle;
    else high = middle;
  }
  const span = places[high] - places[low];
  const share = span > 0 ? Math.min(1, Math.max(0, (seconds - places[low]) / span)) : 0;
  return to.places[low] + share * (to.places[high] - to.places[low]);
}

export class Player {
  constructor({ rate, recordings }) {
    Object.assign(this, { rate, recordings, current: 0, rest: 0, voice: null, asked: 0 });
    this.chunks = new Map();
    this.context = null;
    setInterval(() => this.feed(), 500);
  }

  get plays() {
    return this.voice !== null;
  }

  // Seconds of the current recording.
  position(at = this.context?.currentTime) {
    if (!this.voice) return this.rest;
    return Math.min(this.recordings[this.current].seconds, this.voice.from + Math.max(0, at - this.voice.start));
  }

  // Seconds of any recording.
  positionIn(index) {
    return translate(this.recordings[this.current], this.recordings[index], this.position());
  }

  async play() {
    if (this.voice) return;
    if (!this.context) {
      this.context = new AudioContext({ sampleRate: this.rate });
      this.out = new GainNode(this.context);
      this.out.connect(this.context.destination);
    }
    this.context.resume();
    await this.cross(this.current, () => this.rest);
  }

  pause() {
    if (!this.voice) return;
    this.asked += 1;
    this.rest = this.position();
    this.fadeOut(this.voice, this.context.currentTime);
    this.voice = null;
  }

  async switchTo(index) {
    if (!this.recordings[index] || index === this.current) return;
    const from = this.current;
    const place = (at) => translate(this.recordings[from], this.recordings[index], this.position(at));
    if (this.voice) await this.cross(index, place);
    else {
      this.rest = place();
      this.current = index;
    }
  }

  async seek(seconds, index = this.current) {
    const goal = Math.min(this.recordings[index].seconds, Math.max(0, seconds));
    if (this.voice) await this.cross(index, () => goal);
    else {
      this.rest = goal;
      this.current = index;
    }
  }

  // Go over to `index` at `place(moment)`, as soon as its sound is there; what plays goes on until then.
  async cross(index, place) {
    const asked = (this.asked += 1);
    const soon = place((this.context?.currentTime ?? 0) + LEAD);
    await Promise.all([this.chunk(index, Math.floor(soon / CHUNK)), this.chunk(index, Math.floor(soon / CHUNK) + 1)]);
    if (asked !== this.asked) return; // something else was asked for meanwhile
    const start = this.onGrid(this.context.currentTime + LEAD);
    const from = this.onGrid(Math.max(0, place(start)));
    const gain = new GainNode(this.context, { gain: 0 });
    gain.connect(this.out);
    gain.gain.setValueCurveAtTime(curve((x) => Math.sin((x * Math.PI) / 2)), start, FADE);
    if (this.voice) this.fadeOut(this.voice, start);
    this.voice = { index, start, from, gain, sources: [], until: from };
    this.current = index;
    await this.feed();
  }

  fadeOut(voice, moment) {
    const at = Math.max(moment, this.context.currentTime, voice.start + FADE); // curves must not overlap
    voice.gain.gain.cancelScheduledValues(at);
    voice.gain.gain.setValueCurveAtTime(curve((x) => Math.cos((x * Math.PI) / 2)), at, FADE);
    for (const source of voice.sources) source.stop(at + 2 * FADE);
  }

  onGrid(seconds) {
    return Math.round(seconds * this.rate) / this.rate;
  }

  // Schedule what comes next, and have the other recordings at hand.
  async feed() {
    const voice = this.voice;
    if (!voice) return;
    const { seconds } = this.recordings[voice.index];
    while (voice === this.voice && voice.until < Math.min(seconds, this.position() + AHEAD)) {
      const number = Math.floor(voice.until / CHUNK + 1e-9);
      const buffer = await this.chunk(voice.index, number);
      if (voice !== this.voice || Math.floor(voice.until / CHUNK + 1e-9) !== number) return;
      const source = new AudioBufferSourceNode(this.context, { buffer });
      source.connect(voice.gain);
      const when = voice.start + (voice.until - voice.from);
      source.start(this.onGrid(when), this.onGrid(voice.until - number * CHUNK));
      voice.sources.push(source);
      voice.until = (number + 1) * CHUNK;
    }
    if (voice === this.voice && this.position() >= seconds) this.pause();
    this.recordings.forEach((_, index) => {
      const number = Math.floor((this.positionIn(index) + 0.5) / CHUNK);
      this.chunk(index, number);
      this.chunk(index, number + 1);
    });
  }

  // A promise of CHUNK seconds of a recording.
  chunk(index, number) {
    const key = `${index}:${number}`;
    const known = this.chunks.get(key);
    this.chunks.delete(key);
    this.chunks.set(key, known ?? this.fetch(index, number)); // the one that was used last comes last
    if (this.chunks.size > KEPT * this.recordings.length) this.chunks.delete(this.chunks.keys().next().value);
    return this.chunks.get(key);
  }

  async fetch(index, number) {
    const answer = await fetch(`/switcher/sound/${index}?second=${number * CHUNK}&count=${CHUNK}`);
    const samples = new Int16Array(await answer.arrayBuffer());
    const { channels } = this.recordings[index];
    const buffer = new AudioBuffer({ length: samples.length / channels, numberOfChannels: channels, sampleRate: this.rate });
    for (let channel = 0; channel < channels; channel += 1) {
      const out = buffer.getChannelData(channel);
      for (let at = 0; at < out.length; at += 1) out[at] = samples[at * channels + channel] / 32767;
    }
    return buffer;
  }
}

function curve(shape) {
  return Float32Array.from({ length: 33 }, (_, at) => shape(at / 32));
}
