// The notes and bars of the score in the order in which they sound, repeats played.

const LONGEST = 400; // notes that are looked through for one that still sounds

// Index of the last of `sorted` that is not after `value`; -1 if all are.
export function lastAt(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export class Timeline {
  constructor({ name, kind, notes, bars }) {
    Object.assign(this, { name, kind, bars });
    this.notes = notes.map(([on, off, pitch, id]) => ({ on, off, pitch, id }));
    this.starts = this.notes.map((note) => note.on);
    this.barStarts = bars.map(([start]) => start);
    this.onsets = []; // {time, first: index of the first note}
    this.notes.forEach((note, index) => {
      if (!this.onsets.length || note.on - this.onsets.at(-1).time > 0.001) this.onsets.push({ time: note.on, first: index });
    });
    this.onsetTimes = this.onsets.map(({ time }) => time);
    this.end = this.notes.reduce((end, note) => Math.max(end, note.off), 0);
  }

  // Indices of the notes that sound at `seconds`.
  sounding(seconds) {
    const found = [];
    const last = lastAt(this.starts, seconds);
    for (let index = last; index >= 0 && index > last - LONGEST; index -= 1)
      if (this.notes[index].off > seconds) found.push(index);
    return found;
  }

  // The onset at or before `seconds`; the first one before the music begins.
  onsetAt(seconds) {
    return Math.max(0, lastAt(this.onsetTimes, seconds));
  }

  barAt(seconds) {
    return this.bars[Math.max(0, lastAt(this.barStarts, seconds))]?.[1] ?? null;
  }
}
