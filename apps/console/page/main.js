// The console's page: connects, shows one view at a time, listens to the keyboard.

import { Controls } from "./controls.js";
import { Engine } from "./engine.js";
import { Graph } from "./graph.js";
import { Hands } from "./hands.js";
import { Link } from "./link.js";
import { Monitor } from "./monitor.js";
import { Music } from "./music.js";
import { Show } from "./show.js";

const VIEWS = ["monitor", "stage", "controls", "graph", "engine"];

const link = new Link();
const music = new Music(link);
const show = new Show(link, music);
const monitor = new Monitor(link, music);
const hands = new Hands(link, toast);
new Controls(link);
new Engine(link);
new Graph(link);

let view = "monitor";

function choose() {
  const wanted = location.hash.slice(1);
  view = VIEWS.includes(wanted) ? wanted : "monitor";
  for (const name of VIEWS) document.querySelector(`#view-${name}`).hidden = name !== view;
  for (const anchor of document.querySelectorAll("nav a")) {
    if (anchor.hash === `#${view}`) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  monitor.watch();
}

function draw() {
  requestAnimationFrame(draw);
  const now = link.now();
  if (now === null || document.hidden) return;
  show.draw(now);
  if (view === "monitor") monitor.draw(now);
}

// One word on how it goes, at the top of every view.
let connected = false, telemetry = null;
function pill() {
  const place = document.querySelector("#pill");
  const trouble = !connected ? "no connection"
    : !telemetry ? "starting"
    : telemetry.state !== "running" ? telemetry.state
    : telemetry.overload.state !== "ok" ? `overload: ${telemetry.overload.state}`
    : Object.values(telemetry.sinks).some((sink) => sink.status === "retrying") ? "an output is down" : "";
  place.textContent = trouble || "running";
  place.className = `pill ${trouble ? "bad" : "good"}`;
}
link.on("connection", (open) => { connected = open; telemetry = null; pill(); });
link.on("telemetry", (message) => { telemetry = message; pill(); });
link.on("error", ({ text }) => toast(text));
link.on("status", ({ what, state, reason, at }) => {
  if (at !== null && (what === "preset" || what === "command" || what === "device" || what === "control")) toast(`${what}: ${state} ${reason}`);
});

let toastTimer = 0;
function toast(text) {
  const place = document.querySelector("#toast");
  place.textContent = text;
  place.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => place.classList.remove("on"), 4000);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea")) return;
  const key = event.key.toLowerCase();
  const number = VIEWS[Number(key) - 1];
  if (number) location.hash = number;
  else if (key === "z") link.do({ do: "undo" });
  else if (key === "y") link.do({ do: "redo" });
  else if (key === "f") document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  else if (key === "?") hands.help(VIEWS);
  else if (!hands.press(event)) return;
  event.preventDefault();
});
addEventListener("hashchange", choose);
document.addEventListener("visibilitychange", () => monitor.watch());
choose();
draw();

// For tests: what the page knows.
window.followspot = { link, music, monitor, hands };
