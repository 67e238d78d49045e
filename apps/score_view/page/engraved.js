// The engraved score: one page, or two side by side where there is room, turned before they are needed.

import { el } from "/page/dom.js";

const EARLY = 1.2; // seconds before its first note that a page is turned at the latest
const SETTLED = 2.5; // seconds on a page after which the one beside it makes room for the next
const WIDE = 1000; // pixels from which two pages stand side by side

export class Engraved {
  constructor(sheet, timeline) {
    Object.assign(this, { sheet, timeline });
    this.pages = 0;
    this.pageOf = [];
    this.slots = [];
    this.svgs = new Map(); // page -> promise of its picture
    this.lit = new Set();
    this.scale = Number(localStorage.getItem("score-scale")) || 0;
    this.generation = 0;
    this.entered = 0;
    this.here = 0;
    new ResizeObserver(() => this.resize()).observe(sheet);
  }

  resize() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.layOut(), this.pages ? 250 : 0);
  }

  zoom(by) {
    this.scale = Math.min(110, Math.max(22, Math.round((this.scale || this.usualScale()) * by)));
    localStorage.setItem("score-scale", this.scale);
    return this.layOut();
  }

  usualScale() {
    return this.sheet.clientWidth < 700 ? 34 : 42;
  }

  async layOut() {
    const { clientWidth: width, clientHeight: height } = this.sheet;
    if (!width || !height) return;
    const count = width >= WIDE && width > 1.1 * height ? 2 : 1;
    const size = new URLSearchParams({ width: Math.floor(width / count), height, scale: this.scale || this.usualScale() });
    if (`${size}` === this.wanted) return;
    this.wanted = `${size}`;
    const generation = (this.generation += 1);
    if (!this.pages) this.sheet.replaceChildren(el("p", { class: "busy" }, "engraving …"));
    const answer = await fetch(`/score/layout?${size}`);
    if (generation !== this.generation || !answer.ok) return;
    const { pages, page_of: pageOf } = await answer.json();
    if (generation !== this.generation) return;
    Object.assign(this, { pages, pageOf, size });
    this.svgs.clear();
    this.lit.clear();
    this.cursor = el("div", { class: "cursor", hidden: true });
    this.slots = Array.from({ length: count }, () => ({ leaf: el("div", { class: "leaf" }), page: 0, places: null }));
    this.sheet.replaceChildren(...this.slots.map(({ leaf }) => leaf), this.cursor);
    this.here = 0;
    await this.open(this.asked || 1);
  }

  // Pages that are shown, left to right.
  get shown() {
    return this.slots.map(({ page }) => page).filter(Boolean);
  }

  slotOf(page) {
    return this.slots[(page - 1) % this.slots.length];
  }

  // Show a page, and the one beside it.
  async open(page) {
    this.asked = page;
    const first = page - ((page - 1) % this.slots.length);
    await Promise.all(this.slots.map((slot, at) => this.put(slot, first + at <= this.pages ? first + at : 0)));
  }

  async put(slot, page) {
    if (!slot || slot.page === page) return;
    Object.assign(slot, { page, places: null });
    const { generation } = this;
    const picture = page ? await this.fetchPage(page) : null;
    if (generation !== this.generation || slot.page !== page) return;
    slot.leaf.replaceChildren(...(picture ? [picture] : []));
    slot.leaf.dataset.page = page;
    this.lit.clear();
    for (const element of slot.leaf.querySelectorAll(".playing")) element.classList.remove("playing");
    if (page && page < this.pages) this.fetchPage(page + 1); // so that turning is instant
  }

  fetchPage(page) {
    if (!this.svgs.has(page))
      this.svgs.set(page, fetch(`/score/page?${this.size}&number=${page}`).then((answer) => answer.text()).then((text) => {
        const picture = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
        picture.setAttribute("width", this.size.get("width") - (this.size.get("width") % 20));
        picture.setAttribute("height", this.size.get("height") - (this.size.get("height") % 20));
        return picture;
      }));
    return this.svgs.get(page);
  }

  pageAt(seconds) {
    return this.pageOf[this.timeline.onsets[this.timeline.onsetAt(seconds)].first] || this.here || 1;
  }

  // The page that is played after this one, repeats and all; 0 if none.
  pageAfter(seconds) {
    const here = this.pageAt(seconds);
    for (let at = this.timeline.onsetAt(seconds) + 1; at < this.timeline.onsets.length; at += 1) {
      const page = this.pageOf[this.timeline.onsets[at].first];
      if (page && page !== here) return page;
    }
    return 0;
  }

  // Turn pages for a performer at `seconds` of the score, who plays `speed` of them a second.
  turn(seconds, speed) {
    if (!this.pages) return;
    const page = this.pageAt(seconds);
    if (page !== this.here) {
      this.here = page;
      this.entered = performance.now();
    }
    const next = this.pageAfter(seconds);
    const soon = this.pageAt(seconds + EARLY * Math.max(0.3, speed));
    if (soon !== page && this.slotOf(soon) === this.slotOf(page)) {
      this.asked = soon;
      this.put(this.slotOf(soon), soon);
      return;
    }
    this.asked = page;
    this.put(this.slotOf(page), page);
    const beside = next && this.slotOf(next) !== this.slotOf(page) ? next : 0;
    const settled = performance.now() - this.entered > 1000 * SETTLED || soon !== page;
    const slot = this.slots.find((one) => one !== this.slotOf(page));
    if (slot && beside && (settled || !slot.page)) this.put(slot, beside);
    for (const one of this.slots) one.leaf.classList.toggle("ahead", one.page !== page);
  }

  // Light the notes that sound and put the cursor there.
  draw(seconds, state) {
    if (!this.pages) return;
    const wanted = new Set();
    if (state !== "waiting" && state !== "finished")
      for (const index of this.timeline.sounding(seconds)) wanted.add(this.timeline.notes[index].id);
    for (const id of this.lit) if (!wanted.has(id)) document.getElementById(id)?.classList.remove("playing");
    for (const id of wanted) if (!this.lit.has(id)) document.getElementById(id)?.classList.add("playing");
    this.lit = wanted;
    const place = this.placeAt(seconds);
    this.cursor.hidden = !place;
    if (!place) return;
    this.cursor.classList.toggle("lost", state === "lost");
    this.cursor.style.height = `${place.height}px`;
    this.cursor.style.transform = `translate(${place.x}px, ${place.top}px)`;
  }

  // Pixels of the cursor on the sheet; null if its page is not shown.
  placeAt(seconds) {
    const at = this.timeline.onsetAt(seconds);
    const from = this.place(at);
    if (!from) return null;
    const onset = this.timeline.onsets[at], following = this.timeline.onsets[at + 1];
    if (!following || seconds <= onset.time) return from;
    const to = this.place(at + 1);
    const goal = to && to.system === from.system && to.x > from.x ? to.x : from.right;
    const share = Math.min(1, (seconds - onset.time) / (following.time - onset.time));
    return { ...from, x: from.x + share * (goal - from.x) };
  }

  // Where an onset stands: its left-most note head, and the system from top to bottom.
  place(at) {
    const page = this.pageOf[this.timeline.onsets[at].first];
    const slot = page && this.slots.find((one) => one.page === page);
    if (!slot || !slot.leaf.firstChild) return null;
    slot.places ??= new Map();
    if (slot.places.has(at)) return slot.places.get(at);
    const sheet = this.sheet.getBoundingClientRect();
    const last = this.timeline.onsets[at + 1]?.first ?? this.timeline.notes.length;
    let found = null;
    for (let index = this.timeline.onsets[at].first; index < last; index += 1) {
      const note = document.getElementById(this.timeline.notes[index].id);
      const head = (note?.querySelector(".notehead") ?? note)?.getBoundingClientRect();
      const system = note?.closest(".system");
      if (!head?.width || !system || (found && head.left + head.width / 2 - sheet.left >= found.x)) continue;
      const box = this.staves(system);
      found = { x: head.left + head.width / 2 - sheet.left, system, top: box.top - sheet.top - 6,
        height: box.bottom - box.top + 12, right: box.right - sheet.left };
    }
    slot.places.set(at, found);
    return found;
  }

  // The staff lines of a system: what sticks out above and below is left out.
  staves(system) {
    const lines = [...system.querySelectorAll(".staff")].map((staff) => staff.querySelector("path")?.getBoundingClientRect()).filter(Boolean);
    const last = [...system.querySelectorAll(".measure:last-of-type .staff > path")].map((line) => line.getBoundingClientRect());
    return {
      top: Math.min(...lines.map((box) => box.top)),
      bottom: Math.max(...last.map((box) => box.bottom), ...lines.map((box) => box.bottom)),
      right: Math.max(...lines.map((box) => box.right)),
    };
  }
}
