// Hands on the music: buttons and keys for what the preset's nodes let a hand do.

import { el, table } from "./dom.js";

// A control exists where a node has a live parameter of this name. `value(param, now, values)` is what is set.
const toggle = (param, now, value) => !value;
const moment = (param, now) => (param.kind === "bool" ? true : now);
const choice = (word) => (param, now, value) => (value === word ? "heard" : word);
const HANDS = [
  { code: " ", cap: "Space", label: "Tap", name: "tap", value: moment, big: true },
  { code: "o", cap: "O", label: "This is one", name: "one", value: moment },
  { code: "ArrowLeft", cap: "←", label: "Earlier", name: "nudge", value: () => -10 },
  { code: "ArrowRight", cap: "→", label: "Later", name: "nudge", value: () => 10 },
  { code: "h", cap: "H", label: "Half", name: "octave", value: choice("half"), on: (value) => value === "half" },
  { code: "d", cap: "D", label: "Double", name: "octave", value: choice("double"), on: (value) => value === "double" },
  { code: "l", cap: "L", label: "Lock", name: "lock", value: toggle, on: (value) => value },
  { code: "p", cap: "P", label: "Hold", name: "freeze", value: toggle, on: (value) => value },
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
    const found = (name) =>
      [...about.nodes, ...about.sinks].flatMap((node) =>
        node.params.filter((p) => p.live && p.name === name).map((param) => ({ param, target: `${node.id}.${param.name}` })));
    this.hands = HANDS.map((hand) => ({ ...hand, targets: found(hand.name) })).filter((hand) => hand.targets.length);
    for (const hand of this.hands) {
      hand.button = el("button", { class: hand.big ? "tap" : "", title: hand.targets.map((t) => t.target).join(", ") },
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
      const on = hand.targets.some(({ target }) => hand.on(values[target]));
      hand.button.classList.toggle("on", on);
      hand.button.setAttribute("aria-pressed", on);
    }
  }

  act(hand, at) {
    const now = this.link.now(at);
    for (const { param, target } of hand.targets)
      if (!this.link.do({ do: "set", target, value: hand.value(param, now, this.values[target]) })) this.toast("no connection");
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
