// Paints the grid: one string of markup with the names of all rows, shown at once; a row's cells are one canvas, drawn when
// the row is about to scroll into view: two hundred thousand elements take seconds, forty drawings do not.
import { withParams } from "./address.js";
import { gridHeads, gridMarkup, gridName } from "./grid-markup.js";
import { cellResult, forgetResults } from "./grid-result.js";
import { notice } from "./morph.js";
import { go } from "./navigate.js";

const MEANINGS = { P: "passed", F: "failed", K: "passed on a rerun", S: "skipped", "-": "did not run" };
const ROW = 21; // px, with its line
const TALL = 20;
const [LEAST, MOST] = [11, 64]; // width of a cell
const [TEST, NAME, KEY] = [0, 1, 2]; // of a row of the answer
let shown = null; // the answer that is painted
let held = null; // a newer one, which waits while the rows of this one are read
let focus = { test: null, run: null, row: 0, column: 0 }; // of the keyboard; row and column: its last position
let cell = LEAST; // px, with its gap
let width = ""; // the widths that it is painted with, as a style
let looks = null; // letter -> [[colour, top, height]] of what is drawn for it

const rows = () => document.querySelectorAll("#grid [data-row]");
const rowOf = (test) => shown.tests.findIndex((one) => one[TEST] === test);
const columnOf = (run) => shown.runs.findIndex((one) => one[0] === run);
const keep = (value, count) => Math.min(Math.max(value, 0), count - 1);

function setFocus(row, column) {
  focus = { test: shown.tests[row][TEST], run: shown.runs[column][0], row, column };
}

/** [row, column] of the cell under the cursor: its test and run may have moved, or be gone. */
function focused() {
  const [row, column] = [rowOf(focus.test), columnOf(focus.run)];
  return [
    row < 0 ? keep(focus.row, shown.tests.length) : row,
    column < 0 ? keep(focus.column, shown.runs.length) : column,
  ];
}

/** The widths of names and cells that fill the frame. */
function fit(frame, runs) {
  const room = frame.clientWidth;
  const least = innerWidth <= 720 ? Math.round(room * 0.46) : Math.min(Math.max(Math.round(room * 0.24), 240), 480);
  cell = Math.max(LEAST, Math.min(MOST, Math.floor((room - least - 14) / runs)));
  const name = cell < MOST ? Math.max(least, room - 14 - cell * runs) : least;
  return `--columns:${runs};--name:${name}px;--cell:${cell}px`;
}

function look() {
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  const pass = token("--pass-fill");
  looks = {
    F: [[token("--fail-fill"), 1, 18]],
    P: [[pass, 5, 10]],
    K: [
      [token("--flaky-fill"), 1, 9],
      [pass, 10, 9],
    ],
    S: [[token("--skip-fill"), 9, 3]],
    "-": [[token("--line-strong"), 10, 1]],
  };
}

function draw(line) {
  const holder = line.lastElementChild;
  if (holder.querySelector("canvas")) return;
  const letters = shown.cells[Number(line.dataset.row)];
  const canvas = document.createElement("canvas");
  const sharp = devicePixelRatio || 1;
  canvas.width = Math.round(letters.length * cell * sharp);
  canvas.height = Math.round(TALL * sharp);
  const pen = canvas.getContext("2d", { willReadFrequently: true }); // drawn once and small: not worth the graphics card
  pen.scale(sharp, sharp);
  for (const letter of Object.keys(looks))
    for (const [colour, top, tall] of looks[letter]) {
      pen.fillStyle = colour;
      for (let at = letters.indexOf(letter); at >= 0; at = letters.indexOf(letter, at + 1))
        pen.fillRect(at * cell, top, cell - 2, tall);
    }
  holder.prepend(canvas);
}

let watch = null;
function drawInSight(grid) {
  if (watch) watch.disconnect();
  const drawVisible = (entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  };
  watch = new IntersectionObserver(drawVisible, { root: grid, rootMargin: "600px 0px" });
  const first = Math.max(Math.floor(grid.scrollTop / ROW) - 2, 0);
  const ahead = Math.ceil(innerHeight / ROW); // at once, before the first paint
  for (const [row, line] of [...rows()].entries()) {
    if (row >= first && row < first + ahead) draw(line);
    else watch.observe(line);
  }
}

function redraw() {
  const grid = document.querySelector("#grid .cells-grid");
  if (!grid || !shown) return;
  look();
  for (const canvas of grid.querySelectorAll("canvas")) canvas.remove();
  drawInSight(grid);
  if (grid.querySelector(".at")) point("at", ...focused());
}
document.addEventListener("rt:themed", redraw);
const resized = new ResizeObserver(([{ target }]) => {
  const grid = target.querySelector(".cells-grid");
  if (!grid) return;
  if (fit(target, shown.runs.length) !== width) paint(target);
});

/** For Dash: show an answer in the element with this id. */
export function grid(data, id) {
  const target = document.getElementById(id);
  if (!target) return;
  forgetResults();
  const next = data?.tests.length ? data : null;
  const live = next && shown && next.at === shown.at && target.querySelector(".cells-grid"); // not requested by the user
  if (live && isRead(live)) follow(live, next);
  else show(target, next);
  narrowAgain();
}

function show(target, data) {
  const same = shown && target.firstChild && JSON.stringify(data) === JSON.stringify(shown);
  if (held) notice(null);
  held = null;
  shown = data;
  if (!same) paint(target);
}

/** Whether the grid is being read: the pointer, the focus or an open text is in it, or it is scrolled. */
function isRead(grid) {
  const box = grid.getBoundingClientRect();
  const used =
    grid.matches(":hover") || grid.contains(document.activeElement) || new URLSearchParams(location.search).has("case");
  return used || grid.scrollTop > 0 || grid.scrollLeft > 0 || (box.top < 0 && box.bottom > 0);
}

/** Puts the values of a newer answer into the existing rows and columns; what would move or be added waits. */
function follow(grid, next) {
  const places = new Map(next.tests.map((test, row) => [test[TEST], row]));
  const columns = new Map(next.runs.map((run, column) => [run[0], column]));
  const before = shown;
  const runs = before.runs.map((run) => (columns.has(run[0]) ? next.runs[columns.get(run[0])] : run));
  const tests = before.tests.map((test) => (places.has(test[TEST]) ? next.tests[places.get(test[TEST])] : test));
  const cells = before.cells.map((letters, row) => {
    const line = next.cells[places.get(before.tests[row][TEST])];
    return line
      ? [...letters].map((letter, column) => line[columns.get(before.runs[column][0])] || letter).join("")
      : letters;
  });
  shown = { ...next, runs, tests, cells };
  if (JSON.stringify(runs) !== JSON.stringify(before.runs))
    grid.querySelector(".cells-stack").innerHTML = gridHeads(shown, cell);
  rows().forEach((line, row) => {
    if (JSON.stringify(tests[row]) !== JSON.stringify(before.tests[row]))
      line.firstElementChild.outerHTML = gridName(tests[row]);
    const canvas = cells[row] !== before.cells[row] && line.querySelector("canvas");
    if (!canvas) return;
    canvas.remove();
    draw(line);
  });
  const moved = (one, other) => one.length !== other.length || one.some((item, index) => item[0] !== other[index][0]);
  held = moved(runs, next.runs) || moved(tests, next.tests) ? next : null;
  offer();
}

/** The notice of what waits: new runs, else new tests, else another order. */
function offer() {
  const target = document.getElementById("grid");
  if (!held || !target?.firstChild) return;
  const known = new Set([...shown.runs, ...shown.tests].map((one) => one[0]));
  const fresh = (list) => list.filter((one) => !known.has(one[0])).length;
  const runs = fresh(held.runs);
  notice({ rows: runs || fresh(held.tests), noun: runs ? "run" : "test" }, () => {
    show(target, held);
    narrowAgain();
    target.querySelector(".cells-grid").focus({ preventScroll: true });
  });
}
document.addEventListener("rt:rendered", ({ detail }) => detail.name === "grid-head" && offer());

function paint(target) {
  const old = target.querySelector(".cells-grid");
  const scroll = old ? [old.scrollLeft, old.scrollTop, old === document.activeElement] : null;
  const marked = old?.querySelector(".at");
  if (!shown) return target.replaceChildren();
  width = fit(target, shown.runs.length); // reads the page's style, before the markup is replaced
  look();
  target.innerHTML = gridMarkup(shown, cell, width);
  const grid = target.querySelector(".cells-grid");
  resized.observe(target);
  if (scroll) grid.scrollTo(scroll[0], scroll[1]);
  drawInSight(grid);
  if (marked && rowOf(focus.test) >= 0 && columnOf(focus.run) >= 0) point("at", ...focused());
  if (scroll?.[2]) grid.focus({ preventScroll: true });
  const open = (new URLSearchParams(location.search).get("case") || "").split(/[.@]/)[0];
  const row = shown.tests.findIndex((test) => test[TEST] === open);
  if (open && row >= 0 && open !== focus.test) setFocus(row, Math.max(shown.cells[row].indexOf("F"), 0));
}

const FILTER = "#grid-head input[type=search]";
/** Filters the rows by a text in their key immediately; the server's answer then brings all that match. */
function narrow(text) {
  if (!shown) return;
  const wanted = text.trim().toLowerCase();
  rows().forEach((line, row) => {
    const out = !shown.tests[row][KEY].toLowerCase().includes(wanted);
    if (line.hidden !== out) line.hidden = out;
  });
  document.dispatchEvent(new CustomEvent("rt:painted"));
}
function narrowAgain() {
  const typed = document.activeElement;
  narrow(typed?.matches(FILTER) ? typed.value : "");
}
document.addEventListener("input", (event) => {
  if (event.target.matches(FILTER)) narrow(event.target.value);
});

function describe(row, column) {
  const [, , , environment, , , name] = shown.runs[column];
  return `${shown.tests[row][NAME]} in run ${name}${environment ? ` ${environment}` : ""}: ${MEANINGS[shown.cells[row][column]]}`;
}

/** Outline a cell: "at", where the keys are, or "over", where the pointer is. */
function point(name, row, column) {
  const old = document.querySelector(`#grid .cells > i.${name}`);
  if (row === null) return old?.remove();
  const line = document.querySelector(`#grid [data-row="${row}"]`);
  if (!line) return null;
  draw(line);
  const mark = old || document.createElement("i");
  mark.className = name;
  mark.style.left = `${column * cell}px`;
  line.lastElementChild.append(mark);
  return mark;
}

function mark(row, column) {
  setFocus(row, column);
  const found = point("at", row, column);
  if (!found) return;
  found.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.getElementById("grid-status").textContent = describe(row, column);
  showTip(row, column);
}

/** The result that a cell shows. */
function result(row, column) {
  const test = shown.tests[row];
  return cellResult({ id: test[TEST], key: test[KEY] }, shown.runs[column][0], shown.cells[row][column]);
}

let tipCell = ""; // "row column" of the cell that the tip describes

/** The tip at the bottom of the screen: what the cell is, and the message of a failure as soon as it is known. */
async function showTip(row, column) {
  const tip = document.getElementById("grid-tip");
  const cell = `${row} ${column}`;
  const description = describe(row, column);
  tipCell = cell;
  tip.textContent = description;
  if (shown.cells[row][column] !== "F") return;
  const failed = await result(row, column);
  if (failed?.message && tipCell === cell)
    tip.textContent = `${description}\n${failed.message.split("\n", 1)[0].slice(0, 300)}`;
}

let opened = 0; // how many cells were opened: a late answer opens nothing
let waiting = false; // for the text of the last of them

/** Open a cell's text: its result in that run's build, or the test where the run has none. */
async function open(row, column, replace) {
  opened += 1;
  const request = opened;
  waiting = true;
  let chosen = shown.tests[row][TEST];
  if (shown.cells[row][column] !== "-") {
    const found = await result(row, column);
    if (found) chosen = [chosen, found.build, found.topology].join(".");
  }
  if (request !== opened) return;
  waiting = false;
  go(withParams({ case: chosen }), { replace });
}

/** Go to the next (1) or previous (-1) test that failed in the run of the chosen cell; an open text follows. */
export function stepGrid(by) {
  if (!shown || !document.querySelector("#grid .cells-grid")) return;
  const opens = waiting || new URLSearchParams(location.search).has("case");
  const lines = rows();
  const [at, column] = focused();
  let row = document.querySelector("#grid .at") || opens ? at + by : 0;
  while (lines[row] && (lines[row].hidden || shown.cells[row][column] !== "F")) row += by;
  if (!lines[row]) return;
  mark(row, column);
  if (opens) open(row, column, true);
}

/** The cell under the pointer. */
function under(event) {
  if (!shown || !event.target.matches?.("#grid canvas")) return null;
  const row = Number(event.target.closest("[data-row]").dataset.row);
  return [row, Math.min(Math.max(Math.floor(event.offsetX / cell), 0), shown.runs.length - 1)];
}
document.addEventListener("click", (event) => {
  const name = event.target.closest?.("#grid a.cells-name");
  const row = name ? Number(name.parentElement.dataset.row) : -1;
  if (name) setFocus(row, Math.max(shown.cells[row].indexOf("F"), 0));
  const found = under(event);
  if (!found) return;
  mark(...found);
  open(...found);
});
let resting = null;
let over = ""; // the cell under the pointer
document.addEventListener("mousemove", (event) => {
  const found = under(event);
  const now = found ? found.join(" ") : "";
  if (now === over) return;
  over = now;
  clearTimeout(resting);
  if (found) {
    point("over", ...found);
    resting = setTimeout(() => showTip(...found), 60); // not for what the pointer only passes over
    return;
  }
  point("over", null);
  const tip = document.getElementById("grid-tip");
  tipCell = "";
  if (tip) tip.textContent = "";
});

const STEPS = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-20, 0],
  PageDown: [20, 0],
};
document.addEventListener("keydown", (event) => {
  if (!shown || !event.target.closest("#grid .cells-grid") || event.ctrlKey || event.metaKey || event.altKey) return;
  const [at, column] = focused();
  const step = STEPS[event.key];
  if (step) {
    const lines = rows();
    let row = keep(at + step[0], lines.length);
    while (lines[row]?.hidden) row += Math.sign(step[0]) || 1;
    if (lines[row]) mark(row, keep(column + step[1], shown.runs.length));
  } else if (event.key === "Home") mark(at, 0);
  else if (event.key === "End") mark(at, shown.runs.length - 1);
  else if (event.key === "Enter" && event.target.matches(".cells-grid")) open(at, column);
  else return;
  event.preventDefault();
});
