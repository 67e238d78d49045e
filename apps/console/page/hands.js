// Hands on the music: buttons and keys for what the preset's nodes let a hand do.

import { el, table } from "./dom.js";

// A hand is there if the preset has it (about.hands). What is set: `value(now, on)`, from the stream time
// at which the key went down, and whether its button was lit.
const toggle = (now, on) => !on;
const moment = (now) => Math.max(0, now);
const choice = (word) => (now, on) => (on ? "heard" : word);
const HANDS = [
  { code: " ", cap: "Space", label: "Tap", name: "tap", value: moment, big: true },
  { code: "o", cap: "O", label: "This is one", name: "one", value: moment },
  { code: "ArrowLeft", cap: "←", label: "Earlier", name: "nudge", value: () => -10 },
  { code: "ArrowRight", cap: "→", label: "Later", name: "nudge", value: () => 10 },
  { code: "h", cap: "H", label: "Half", name: "octave", value: choice("half"), on: (value) => value === "half" },
  { code: "d", cap: "D", label: "Double", name: "octave", value: choice("double"), on: (value) => value === "double" },
  { code: "l", cap: "L", label: "Lock", name: "lock", value: toggle, on: (value) => value },
  { code: "p", cap: "P", label: "Hold", name: "freeze", value: toggle, on: (value) => value },
  { code: "r", cap: "R", label: "Follow", name: "follow", value: moment },
  { code: "b", cap: "B", label: "Blackout", name: "blackout", value: toggle, on: (value) => value },
];

export class Hands {
  constructor(link, toast) {
    this.link = link;
    this.toast = toast;
    this.place = document.querySelector("#hands");
    this.hands = [];
    this.values = {};
    link.on("about", (about) => this.build(about));
    link.on("values", ({ values }) => this.update(values));
  }

  build(about) {
    this.hands = HANDS.filter((hand) => hand.name in about.hands).map((hand) => ({ ...hand, targets: about.hands[hand.name] }));
    for (const hand of this.hands) {
      hand.button = el("button", { class: hand.big ? "tap" : "", title: hand.targets.join(", ") },
        hand.label, " ", el("kbd", {}, hand.cap));
      // On the way down, because a tap is a point in time.
      hand.button.onpointerdown = (event) => this.act(hand, event.timeStamp);
      hand.button.onclick = (event) => event.detail === 0 && this.act(hand, event.timeStamp);
    }
    this.place.replaceChildren(...this.hands.map((hand) => hand.button));
    this.update(Object.fromEntries([...about.nodes, ...about.sinks].flatMap((n) => n.params.map((p) => [`${n.id}.${p.name}`, p.value]))));
  }

  update(values) {
    this.values = values;
    for (const hand of this.hands) {
      if (!hand.on) continue;
      const on = this.lit(hand);
      hand.button.classList.toggle("on", on);
      hand.button.setAttribute("aria-pressed", on);
    }
  }

  lit(hand) {
    return hand.targets.some((target) => hand.on(this.values[target]));
  }

  // All targets get the same value: what a hand puts out is out everywhere. It counts at once, before the
  // news of it has come back, so that a second stroke in the same instant takes it back.
  act(hand, at) {
    const now = this.link.now(at);
    const value = hand.value(now, hand.on && this.lit(hand));
    for (const target of hand.targets) {
      if (now === null || !this.link.do({ do: "set", target, value })) this.toast("no connection");
      else if (hand.on) this.update({ ...this.values, [target]: value });
    }
    hand.button.animate([{ background: "#ffb547" }, {}], 250);
  }

  // True if the key belongs to a hand.
  press(event) {
    const hand = this.hands.find((one) => one.code.toLowerCase() === event.key.toLowerCase());
    if (!hand || (event.key === " " && event.target.matches?.("button, a"))) return false;
    this.act(hand, event.timeStamp);
    return true;
  }

  help(views) {
    const dialog = document.querySelector("#help");
    const rows = [...views.map((view, n) => [`${n + 1}`, view]), ...this.hands.map((hand) => [hand.cap, hand.label]),
      ["Z", "undo"], ["Y", "redo"], ["F", "full screen"], ["?", "this help"], ["Esc", "close"]];
    dialog.replaceChildren(el("h2", {}, "Keys"), table(["key", ""], rows.map(([key, what]) => [el("kbd", {}, key), what])));
    dialog.showModal();
  }
}
