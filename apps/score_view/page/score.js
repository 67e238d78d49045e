// The score's page: where the performer is, in the score's own time.

import { Link } from "/page/link.js";
import { Engraved } from "/score/engraved.js";
import { Performer } from "/score/performer.js";
import { Roll } from "/score/roll.js";
import { Timeline } from "/score/timeline.js";

const at = (id) => document.getElementById(id);
const link = new Link();
let connected = false, engine = "starting";
link.on("connection", (open) => { connected = open; });
link.on("telemetry", ({ state }) => { engine = state; });
const performer = new Performer(link);
const timeline = new Timeline(await (await fetch("/score/timeline")).json());
const view = timeline.kind === "engraved" ? new Engraved(at("sheet"), timeline) : new Roll(at("sheet"), timeline);
let follows = true;

at("name").textContent = timeline.name;
document.title = `${timeline.name} – Followspot`;

function draw() {
  requestAnimationFrame(draw);
  if (document.hidden) return;
  const seconds = performer.position() ?? 0;
  if (follows && performer.last) view.turn(seconds, performer.speed);
  view.draw(seconds, performer.state);
  const { shown } = view;
  write("leaf", shown.length ? `${shown.length > 1 ? "pages" : "page"} ${[...shown].sort((a, b) => a - b).join("–")} of ${view.pages}` : "");
}

function write(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

// Figures a few times a second: nobody reads faster.
setInterval(() => {
  const last = performer.last;
  write("bar", last ? `${last.bar || timeline.barAt(last.seconds) || "–"}` : "–");
  const bpm = last ? last.bpm ?? last.tempo : null;
  write("bpm", typeof bpm === "number" && bpm > 0 ? bpm.toFixed(0) : "–");
  write("time", last ? clock(last.seconds) : "–");
  at("confidence").style.transform = `scaleX(${last?.confidence ?? 0})`;
  at("confidence").classList.toggle("weak", (last?.confidence ?? 0) < 0.3);
}, 120);

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function pill() {
  const word = !connected ? "no connection" : performer.last ? performer.state : engine === "running" ? "waiting" : engine;
  write("pill", word);
  at("pill").className = `pill ${word === "tracking" ? "good" : word === "lost" || !connected ? "bad" : ""}`;
}
setInterval(pill, 200);

function setFollow(on) {
  follows = on;
  at("follow").classList.toggle("on", on);
}

// To another page by hand: the performer is not followed until asked for.
function leaf(page) {
  setFollow(false);
  view.open(Math.min(view.pages, Math.max(1, page)));
}

const spread = () => Math.max(1, view.shown.length);
const acts = {
  arrowleft: () => leaf(view.asked - spread()),
  pageup: () => leaf(view.asked - spread()),
  arrowright: () => leaf(view.asked + spread()),
  pagedown: () => leaf(view.asked + spread()),
  home: () => leaf(1),
  end: () => leaf(view.pages),
  f: () => setFollow(true),
  "+": () => view.zoom(1.15),
  "=": () => view.zoom(1.15),
  "-": () => view.zoom(1 / 1.15),
  p: () => {
    const paper = document.body.classList.toggle("paper");
    at("paper").classList.toggle("on", paper);
    localStorage.setItem("score-paper", paper ? "1" : "");
  },
  "?": () => at("help").showModal(),
};
if (localStorage.getItem("score-paper")) acts.p();

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = acts[event.key.toLowerCase()];
  if (!act) return;
  act();
  event.preventDefault();
});
for (const [id, key] of Object.entries({ back: "arrowleft", on: "arrowright", follow: "f", smaller: "-", larger: "+", paper: "p" }))
  at(id).onclick = acts[key];

draw();

// For tests: what the page knows.
window.followspot = { link, performer, timeline, view };
