// Where the performer is, in seconds of the score, between one word of the follower and the next.

const STALE = 0.4; // seconds after which nothing is foretold any more

export class Performer {
  constructor(link) {
    this.link = link;
    this.clear();
    link.on("about", () => this.clear());
    link.on("event", ({ event }) => event.kind === "position" && this.hear(event));
  }

  clear() {
    this.last = null; // the last position event
    this.state = "waiting";
    this.speed = 0; // seconds of the score a second
  }

  hear(event) {
    if (typeof event.seconds !== "number") return;
    const before = this.last;
    this.last = event;
    this.state = event.state;
    if (!before) return;
    const passed = event.time - before.time, moved = event.seconds - before.seconds;
    if (passed <= 0 || passed > 1 || Math.abs(moved) > 0.5) return; // a jump says nothing of the tempo
    this.speed += (moved / passed - this.speed) * Math.min(1, passed / 0.4);
  }

  // Now; null before anything was heard.
  position() {
    if (!this.last) return null;
    const now = this.link.now();
    const since = now === null ? 0 : Math.min(STALE, Math.max(0, now - this.last.time));
    return this.last.seconds + (this.state === "tracking" ? since * this.speed : 0);
  }
}
