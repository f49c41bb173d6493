// What pages do beside showing: maps, filters without loading anew, live runs, numbers as the reader writes them.
// Whatever comes from data is put in as text; HTML comes from this server's templates alone, which escape it.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

async function ask(address) {
  const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" } });
  if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.text()).replace(/<[^>]*>/g, " ").slice(0, 200)}`);
  return answer;
}

// Numbers and times ----------------------------------------------------------------------------------------

// Made once: making one takes longer than a hundred uses of it.
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const formats = new Map();
function told(value, digits) {
  if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  return formats.get(digits).format(value);
}

function localise(within) {
  for (const data of $$("data[value][data-digits]", within)) {
    const value = Number(data.value);
    if (Number.isFinite(value)) data.textContent = told(value, Number(data.dataset.digits));
  }
  for (const time of $$("time[datetime]", within)) {
    const value = new Date(time.dateTime);
    if (!Number.isNaN(value.getTime())) time.textContent = moments.format(value);
  }
}

// Colours ------------------------------------------------------------------------------------------------

function theme() {
  const button = $("#theme");
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  button.hidden = false;
  button.setAttribute("aria-pressed", String(dark()));
  button.addEventListener("click", () => {
    const chosen = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    try { localStorage.setItem("theme", chosen); } catch (error) { console.warn("the choice of colours cannot be kept here", error); }
    button.setAttribute("aria-pressed", String(dark()));
    for (const map of maps) map.draw();
  });
}

// Maps ---------------------------------------------------------------------------------------------------

const maps = [];

class StoreMap {
  constructor(figure) {
    this.figure = figure;
    this.canvas = $("canvas", figure);
    this.tip = $(".tip", figure);
    this.said = $(".told", figure);
    this.shown = null;
    this.at = -1;
    this.colouring = null;
    this.look = { x: 0, y: 0, scale: 1 };
  }

  async load() {
    const waiting = $(".waiting", this.figure);
    try {
      this.data = await (await ask(this.figure.dataset.map)).json();
    } catch (error) {
      waiting.textContent = `The map cannot be loaded: ${error.message}`;
      return;
    }
    if (!this.data) { waiting.textContent = "No store has coordinates."; return; }
    waiting.remove();
    this.outlines = new Path2D(this.data.outlines);
    this.place = new Map(this.data.id.map((id, at) => [id, at]));
    this.colouring = Object.keys(this.data.groups)[0];
    const canvas = this.canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointermove", (event) => this.hover(event));
    canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1.25 : 0.8, this.point(event)); }, { passive: false });
    this.drag();
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("click", (event) => this.click(event));
    for (const button of $$("[data-do]", this.figure)) button.addEventListener("click", () => this.tool(button.dataset.do));
    this.legend();
    this.draw();
    this.figure.dataset.ready = "yes";
    if (this.data.missing) this.said.textContent = `${told(this.data.missing, 0)} stores have no coordinates and are in the table alone.`;
  }

  fit() { return Math.min(this.canvas.clientWidth / this.data.width, this.canvas.clientHeight / this.data.height); }

  // From the map's units to the canvas's pixels.
  transform() {
    const scale = this.fit() * this.look.scale;
    return {
      scale,
      dx: (this.canvas.clientWidth - this.data.width * scale) / 2 + this.look.x,
      dy: (this.canvas.clientHeight - this.data.height * scale) / 2 + this.look.y,
    };
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  zoom(by, at) {
    const before = this.transform();
    this.look.scale = Math.min(200, Math.max(1, this.look.scale * by));
    const now = this.transform();
    this.look.x += at.x - ((at.x - before.dx) / before.scale * now.scale + now.dx);
    this.look.y += at.y - ((at.y - before.dy) / before.scale * now.scale + now.dy);
    if (this.look.scale === 1) this.look = { x: 0, y: 0, scale: 1 };
    this.draw();
  }

  tool(what) {
    const middle = { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 };
    if (what === "whole") { this.look = { x: 0, y: 0, scale: 1 }; this.draw(); } else this.zoom(what === "in" ? 1.6 : 0.625, middle);
  }

  drag() {
    const fingers = new Map();
    let moved = 0;
    this.canvas.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, this.point(event)); moved = 0; this.canvas.setPointerCapture(event.pointerId); });
    const end = (event) => { fingers.delete(event.pointerId); this.dragged = moved > 4; };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
    this.canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = this.point(event);
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const far = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
        this.zoom(far(now) / far(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
      } else if (this.look.scale > 1) {
        this.look.x += now.x - before.x;
        this.look.y += now.y - before.y;
        this.draw();
      }
      moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
      fingers.set(event.pointerId, now);
    });
  }

  key(event) {
    const step = 60;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) { this.look.x += moves[event.key][0]; this.look.y += moves[event.key][1]; this.draw(); }
    else if (event.key === "+" || event.key === "=") this.tool("in");
    else if (event.key === "-") this.tool("out");
    else if (event.key === "0") this.tool("whole");
    else if (event.key === "n" || event.key === "p") this.step(event.key === "n" ? 1 : -1);
    else if (event.key === "Enter" && this.at >= 0) this.open(this.at);
    else return;
    event.preventDefault();
  }

  step(by) {
    const order = this.visible();
    if (!order.length) return;
    const now = order.indexOf(this.at);
    this.at = order[(now + by + order.length) % order.length];
    this.said.textContent = this.facts(this.at).join("; ");
    this.draw();
    this.show(this.at);
  }

  visible() { return this.shown === null ? this.data.id.map((_, at) => at) : this.shown; }

  facts(at) {
    const data = this.data;
    const lines = [`${data.id[at]} ${data.name[at]}`.trim(), `segment ${data.segment[at]} ${data.segment_name[at]}`.trim()];
    if (data.sales[at] !== null) lines.push(`sales ${told(data.sales[at], 0)}`);
    if (data.confidence[at] !== null) lines.push(`${told(100 * data.confidence[at], 0)} % sure`);
    if (data.remarks[at]) lines.push(data.remarks[at]);
    if (data.more) lines.push(data.more[at]);
    return lines.filter(Boolean);
  }

  nearest(point) {
    const { scale, dx, dy } = this.transform();
    let best = -1, least = 12 * 12;
    for (const at of this.visible()) {
      const x = this.data.x[at] * scale + dx - point.x, y = this.data.y[at] * scale + dy - point.y;
      if (x * x + y * y < least) { least = x * x + y * y; best = at; }
    }
    return best;
  }

  hover(event) {
    const at = this.nearest(this.point(event));
    if (at !== this.at) { this.at = at; this.draw(); }
    if (at < 0) { this.tip.hidden = true; return; }
    this.show(at);
  }

  show(at) {
    const [first, ...rest] = this.facts(at);
    const bold = document.createElement("b");
    bold.textContent = first;
    this.tip.replaceChildren(bold, ...rest.map((text) => { const line = document.createElement("div"); line.textContent = text; return line; }));
    this.tip.hidden = false;
    const { scale, dx, dy } = this.transform();
    const x = this.data.x[at] * scale + dx, y = this.data.y[at] * scale + dy;
    const wide = this.tip.offsetWidth, high = this.tip.offsetHeight;
    this.tip.style.left = `${Math.max(4, Math.min(x + 12, this.canvas.clientWidth - wide - 4))}px`;
    this.tip.style.top = `${Math.max(4, y + 12 + high > this.canvas.clientHeight ? y - high - 12 : y + 12)}px`;
  }

  click(event) {
    if (this.dragged) { this.dragged = false; return; }
    const at = this.nearest(this.point(event));
    if (at >= 0) this.open(at);
  }

  open(at) { location.assign(`/stores?id=${encodeURIComponent(this.data.id[at])}`); }

  only(ids) {
    if (!this.data) return;
    this.shown = ids === null ? null : ids.map((id) => this.place.get(id)).filter((at) => at !== undefined);
    this.at = -1;
    this.tip.hidden = true;
    this.draw();
  }

  legend() {
    const box = $(".legend", this.figure);
    const group = this.data.groups[this.colouring];
    const counts = new Map();
    for (const number of group.of) counts.set(number, (counts.get(number) || 0) + 1);
    const words = document.createElement("span");
    words.textContent = `${group.words}:`;
    box.replaceChildren(words, ...Object.entries(group.marks).map(([number, [colour, shape]]) => {
      const entry = document.createElement("span");
      const swatch = document.createElement("canvas");
      swatch.width = swatch.height = 24;
      swatch.className = "swatch";
      swatch.setAttribute("aria-hidden", "true");
      const pen = swatch.getContext("2d");
      pen.scale(2, 2);
      dot(pen, 6, 6, 5, colour, shape);
      entry.append(swatch, ` ${number} (${told(counts.get(Number(number)) || 0, 0)})`);
      return entry;
    }));
  }

  draw() {
    if (!this.data) return;
    const canvas = this.canvas, ratio = devicePixelRatio || 1;
    const wide = canvas.clientWidth, high = canvas.clientHeight;
    if (!wide || !high) return;
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
    }
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const { scale, dx, dy } = this.transform();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, high);
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * dx, ratio * dy);
    pen.strokeStyle = style.getPropertyValue("--border");
    pen.lineWidth = 1 / scale;
    pen.stroke(this.outlines);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const group = this.data.groups[this.colouring];
    const radius = Math.min(6, Math.max(2.2, 60 / Math.sqrt(this.data.id.length)) * Math.min(1.8, Math.sqrt(this.look.scale)));
    const pale = style.getPropertyValue("--track");
    const all = this.visible();
    const place = (at) => [this.data.x[at] * scale + dx, this.data.y[at] * scale + dy];
    if (this.shown !== null || group.of.includes(0)) {
      pen.fillStyle = pale;
      for (let at = 0; at < this.data.id.length; at++) {
        if (this.shown === null && group.of[at] !== 0) continue;
        const [x, y] = place(at);
        pen.beginPath(); pen.arc(x, y, radius * 0.8, 0, 7); pen.fill();
      }
    }
    for (const at of all) {
      const mark = group.marks[group.of[at]];
      if (!mark) continue;
      const [x, y] = place(at);
      if (x < -9 || y < -9 || x > wide + 9 || y > high + 9) continue;
      dot(pen, x, y, radius, mark[0], mark[1]);
    }
    if (this.at >= 0) {
      const [x, y] = place(this.at);
      pen.strokeStyle = style.getPropertyValue("--ink");
      pen.lineWidth = 2;
      pen.beginPath(); pen.arc(x, y, radius + 4, 0, 7); pen.stroke();
    }
  }
}

function dot(pen, x, y, radius, colour, shape) {
  pen.beginPath();
  if (shape === "square") { pen.fillStyle = colour; pen.fillRect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8); return; }
  if (shape === "ring") { pen.arc(x, y, radius * 0.75, 0, 7); pen.strokeStyle = colour; pen.lineWidth = Math.max(1.2, radius * 0.5); pen.stroke(); return; }
  pen.arc(x, y, radius, 0, 7); pen.fillStyle = colour; pen.fill();
}

// The filter of stores: the table and the map change, the page stays --------------------------------------

function filters() {
  const form = $("#filters");
  if (!form) return;
  const table = $("#stores");
  let asked = 0;
  const load = async (query) => {
    const mine = ++asked;
    const began = performance.now();
    try {
      const found = await (await ask(`${form.dataset.filtered}?${query}`)).json();
      if (mine !== asked) return;
      table.innerHTML = found.html;
      localise(table);
      for (const map of maps) map.only(found.ids);
      history.replaceState(null, "", `?${query}`);
      form.dataset.took = String(Math.round(performance.now() - began));
    } catch (error) {
      if (mine === asked) table.prepend(fault(error));
    }
  };
  const query = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  let waiting = 0;
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-loads]")) { location.assign(`?${new URLSearchParams({ [event.target.name]: event.target.value })}`); return; }
    if (event.target.id === "colouring") { for (const map of maps) { map.colouring = event.target.value; map.legend(); map.draw(); } return; }
    if (event.target.name === "column") suggest();
    load(query());
  });
  form.addEventListener("input", (event) => {
    if (!event.target.matches("input")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => load(query()), 150);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); load(query()); });
  table.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-part]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    load(new URL(link.href).searchParams);
  });
  // The values of the chosen column.
  const suggest = () => {
    const column = form.elements.column?.value;
    const source = column ? $$("datalist[data-column]", form).find((list) => list.dataset.column === column) : null;
    $("#values")?.replaceChildren(...(source ? [...source.children].map((option) => option.cloneNode()) : []));
  };
  suggest();
  if ([...new URLSearchParams(location.search).keys()].some((name) => name !== "category" && name !== "done")) form.dataset.filter = "yes";
  return () => { if (form.dataset.filter) load(query()); };
}

function fault(error) {
  const box = document.createElement("div");
  box.className = "box fault";
  box.setAttribute("role", "alert");
  box.textContent = `This cannot be loaded: ${error.message}`;
  return box;
}

// Parts that take a while, and parts that change ----------------------------------------------------------

async function fill(part) {
  try {
    const answer = await ask(part.dataset.load);
    // What a reader has opened, or writes at the moment, stays.
    const open = $$("details[open][id]", part).map((one) => one.id);
    part.innerHTML = await answer.text();
    for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
    localise(part);
    colourStages(part);
  } catch (error) {
    part.replaceChildren(fault(error));
  }
  part.setAttribute("aria-busy", "false");
}

function live() {
  for (const part of $$("[data-load]")) {
    let busy = false;
    const again = async () => {
      await fill(part);
      const state = $("[data-again]", part);
      if (!state) return;
      // What a run may have changed is loaded anew when it has ended.
      if (busy && state.dataset.busy === "no") for (const other of $$("[data-refresh]")) fill(other);
      busy = state.dataset.busy === "yes";
      setTimeout(again, Number(state.dataset.again));
    };
    if (part.dataset.every === undefined) again();
  }
}

// What a part says of stages is put on the graph.
function colourStages(part) {
  for (const found of $$("[data-stage-state]", part)) {
    for (const node of $$(`[data-stage="${CSS.escape(found.dataset.stage)}"]`)) {
      if (node === found) continue;
      if (found.dataset.stageState) { node.classList.remove("made", "stale", "running", "failed", "absent"); node.classList.add(found.dataset.stageState); }
      const title = $("title", node);
      if (title) title.textContent = `${found.dataset.stage}: ${found.dataset.told || found.dataset.stageState}`;
    }
  }
}

function graph() {
  for (const node of $$("svg.graph a[data-stage]")) {
    const near = (on) => { for (const edge of $$(`.edge[data-from="${CSS.escape(node.dataset.stage)}"], .edge[data-to="${CSS.escape(node.dataset.stage)}"]`)) edge.classList.toggle("near", on); };
    for (const [name, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) node.addEventListener(name, () => near(on));
  }
  const opened = () => { const found = document.getElementById(decodeURIComponent(location.hash.slice(1))); if (found?.matches("details")) { found.open = true; found.scrollIntoView({ block: "center" }); } };
  addEventListener("hashchange", opened);
  opened();
  for (const form of $$("form[data-sure]")) form.addEventListener("submit", (event) => { if (!confirm(form.dataset.sure)) event.preventDefault(); });
  // A form is sent once.
  for (const form of $$('form[method="post"]')) form.addEventListener("submit", (event) => { if (!event.defaultPrevented) setTimeout(() => { for (const button of $$("button", form)) button.disabled = true; }); });
  // The value that a parameter has now.
  const key = $("#parameter"), value = $("#value");
  if (key && value) key.addEventListener("change", () => {
    const option = $$(`#${CSS.escape(key.getAttribute("list"))} option`).find((one) => one.value === key.value);
    if (option) { value.placeholder = `now: ${option.dataset.now}`; }
  });
  for (const select of $$("select[data-go]")) select.addEventListener("change", () => select.form.requestSubmit());
}

localise(document);
theme();
for (const figure of $$("[data-map]")) maps.push(new StoreMap(figure));
const filtered = filters();
Promise.all(maps.map((map) => map.load())).then(() => filtered?.());
live();
graph();
