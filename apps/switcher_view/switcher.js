// The switcher's page: a row for every recording, all at the same place in the music.

import { el } from "/page/dom.js";
import { Player } from "/switcher/player.js";

const at = (id) => document.getElementById(id);
const about = await (await fetch("/switcher/about")).json();
const player = new Player(about);

const rows = about.recordings.map((recording, index) => {
  const place = el("small");
  const canvas = el("canvas", { "aria-label": `places in ${recording.name}` });
  const button = el("button", { title: `switch to ${recording.name}`, onclick: () => player.switchTo(index) },
    el("b", {}, String(index + 1)), el("span", {}, recording.name), place);
  canvas.onclick = (event) => player.seek((event.offsetX / canvas.clientWidth) * recording.seconds, index);
  const row = el("div", { class: "recording" }, button, canvas);
  at("rows").append(row);
  return { recording, place, canvas, row, outline: null };
});

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

// The outline once per size, in two colours: to come, and played.
function outlines(one) {
  const { clientWidth: width, clientHeight: height } = one.canvas;
  const ratio = devicePixelRatio;
  if (one.outline?.[0].width === Math.round(width * ratio) && one.outline[0].height === Math.round(height * ratio)) return one.outline;
  const style = getComputedStyle(document.body);
  one.outline = ["--soft", "--music"].map((colour) => {
    const picture = new OffscreenCanvas(Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio)));
    const brush = picture.getContext("2d");
    brush.fillStyle = style.getPropertyValue(colour);
    const { outline } = one.recording;
    for (let x = 0; x < picture.width; x += 1) {
      const from = Math.floor((x * outline.length) / picture.width);
      const to = Math.max(from + 1, Math.floor(((x + 1) * outline.length) / picture.width));
      const size = Math.max(1, Math.max(...outline.slice(from, to), 0) * (picture.height - 4));
      brush.fillRect(x, (picture.height - size) / 2, 1, size);
    }
    return picture;
  });
  [one.canvas.width, one.canvas.height] = [one.outline[0].width, one.outline[0].height];
  return one.outline;
}

function draw() {
  requestAnimationFrame(draw);
  if (document.hidden) return;
  rows.forEach((one, index) => {
    const seconds = player.positionIn(index), current = index === player.current;
    one.row.classList.toggle("on", current);
    const text = `${clock(seconds)} of ${clock(one.recording.seconds)}`;
    if (one.place.textContent !== text) one.place.textContent = text;
    const [coming, played] = outlines(one);
    const brush = one.canvas.getContext("2d");
    const { width, height } = one.canvas;
    const x = (seconds / one.recording.seconds) * width;
    brush.clearRect(0, 0, width, height);
    brush.drawImage(coming, 0, 0);
    if (current && x >= 1) brush.drawImage(played, 0, 0, x, height, 0, 0, x, height);
    brush.fillStyle = current ? "#e8eaed" : "#6cb8ff";
    brush.fillRect(Math.round(x) - 1, 0, 3, height);
  });
  const word = player.plays ? "playing" : "paused";
  if (at("pill").textContent !== word) {
    at("pill").textContent = word;
    at("pill").className = `pill ${player.plays ? "good" : ""}`;
  }
}

const toggle = () => (player.plays ? player.pause() : player.play());
const by = (seconds) => player.seek(player.position() + seconds);
at("play").onclick = (event) => { toggle(); event.currentTarget.blur(); };
at("back").onclick = () => by(-5);
at("on").onclick = () => by(5);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const number = Number(event.key);
  if (event.key === " ") toggle();
  else if (event.key === "ArrowLeft") by(-5);
  else if (event.key === "ArrowRight") by(5);
  else if (number >= 1 && number <= rows.length) player.switchTo(number - 1);
  else return;
  event.preventDefault();
});

// Commands from OSC and MIDI, by way of the server.
function listen() {
  const socket = new WebSocket(`ws://${location.host}/switcher/ws`);
  socket.onmessage = ({ data }) => {
    const command = JSON.parse(data);
    if (command.do === "switch") player.switchTo(command.to - 1);
    else if (command.do === "play") player.play();
    else if (command.do === "pause") player.pause();
    else if (command.do === "seek") player.seek(command.seconds);
  };
  socket.onclose = () => setTimeout(listen, 1000);
}
listen();
draw();

// For tests: what the page knows.
window.followspot = { player };
