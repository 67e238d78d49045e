// The connection: one WebSocket that comes back by itself, and the clock of the stream.

const MESSAGE = 16, PART = 24; // bytes of a binary message's head, and of each part's

export class Link extends EventTarget {
  constructor() {
    super();
    this.socket = null;
    this.watched = [];
    this.pause = 250;
    this.offset = null; // seconds of performance.now() less seconds of the stream
    this.pictures = 0;
    this.connect();
  }

  connect() {
    this.socket = new WebSocket(`ws://${location.host}/api/ws`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.pause = 250;
      this.offset = null;
      this.say("connection", true);
      this.watch(this.watched);
    };
    this.socket.onclose = () => {
      this.say("connection", false);
      setTimeout(() => this.connect(), this.pause);
      this.pause = Math.min(4000, 2 * this.pause);
    };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        const message = JSON.parse(data);
        this.say(message.type, message);
      } else {
        this.receive(data);
      }
    };
  }

  say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  on(type, listener) {
    this.addEventListener(type, (event) => listener(event.detail));
  }

  // Send a command; false if there is no connection.
  do(command) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(command));
    return true;
  }

  watch(outputs) {
    this.watched = outputs;
    this.do({ do: "watch", streams: outputs });
  }

  // Seconds of the stream at `at` (ms, as of performance.now()), or null before the clock runs.
  now(at = performance.now()) {
    return this.offset === null ? null : at / 1000 - this.offset;
  }

  receive(buffer) {
    this.pictures += 1;
    const view = new DataView(buffer);
    const now = view.getFloat64(8, true);
    if (!Number.isNaN(now)) this.setClock(performance.now() / 1000 - now);
    for (let at = MESSAGE; at < buffer.byteLength; ) {
      const index = view.getUint16(at, true), count = view.getUint16(at + 2, true);
      const rows = view.getUint16(at + 4, true), bytes = view.getUint8(at + 6) === 1;
      const part = { count, rows, time: view.getFloat64(at + 8, true), step: view.getFloat64(at + 16, true) };
      const size = count * rows;
      const start = at + PART;
      part.data = bytes ? new Uint8Array(buffer, start, size) : new Float32Array(buffer, start, size);
      at = start + Math.ceil((bytes ? size : 4 * size) / 8) * 8;
      this.say(`stream:${index}`, part);
    }
  }

  // The message that came quickest tells best; a real change of the clock is followed.
  setClock(offset) {
    if (this.offset === null || Math.abs(offset - this.offset) > 0.25) this.offset = offset;
    else if (offset < this.offset) this.offset += 0.5 * (offset - this.offset);
    else this.offset += 0.003 * (offset - this.offset);
  }
}
