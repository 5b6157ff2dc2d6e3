// Paints the grid: one string of markup with the names of all rows, laid at once; a row's cells are one canvas, drawn when
// the row comes near to sight, for two hundred thousand elements take seconds and forty drawings do not.
(function () {
  "use strict";
  const rt = (window.rt = window.rt || {});
  const clientside = (window.dash_clientside = window.dash_clientside || {});
  clientside.rt = clientside.rt || {};
  const MEANINGS = { P: "passed", F: "failed", K: "passed after a failed attempt", S: "skipped", "-": "did not run" };
  const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  const ROW = 21; // px, with its line
  const TALL = 20;
  const [LEAST, MOST] = [11, 64]; // width of a cell
  const LETTER = 5.6; // px of a label's letter, about
  const [TEST, NAME, KEY, NOTE, KINDS, APART] = [0, 1, 2, 3, 4, 5]; // of a row of the answer
  let shown = null; // the answer that is painted
  let painted = "";
  let focus = { row: 0, column: 0 };
  let cell = LEAST; // px, with its gap
  let width = ""; // the widths that it is painted with, as a style
  let looks = null; // letter -> [[colour, top, height]] of what is drawn for it

  const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => ESCAPES[letter]);
  const day = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });
  const rows = () => document.querySelectorAll("#grid [data-row]");

  /** One line of the head: columns side by side with the same value share one label, or the part of it that has room. */
  function groups(values, short) {
    const fits = (text, size) => text.length * LETTER <= size * cell - 5;
    const words = (value, size) => [value, short(value), ""].find((text) => fits(text, size));
    const found = [];
    for (const value of values) {
      const last = found[found.length - 1];
      if (last && last.value === value) last.size += 1;
      else found.push({ value, size: 1 });
    }
    return `<span class="cells-groups">${found.map(({ value, size }) => `<b style="--span:${size}" title="${escape(value)}">${escape(words(value, size))}</b>`).join("")}</span>`;
  }

  function markup(data) {
    const head = data.runs
      .map(
        ([id, number, started, environment, version, state]) =>
          `<a tabindex="-1" class="s-${escape(state)}" href="${escape(link(id))}" title="${escape(["#" + number, environment, version, new Date(started).toLocaleString(), state].filter(Boolean).join(" · "))}">${escape(number)}</a>`,
      )
      .join("");
    const names = data.tests.map((test, row) => {
      const marks = test[KINDS].map((kind) => `<svg class="i k-${escape(kind)}" aria-hidden="true"><use href="#i-${escape(kind)}"/></svg>`).join("");
      const apart = test[APART] && `<small>${escape(test[APART])}</small>`;
      return `<div class="cells-row" data-row="${row}"><a class="cells-name" tabindex="-1" href="${escape(rt.withParams({ case: test[TEST] }))}" title="${escape([test[NAME], test[KEY], test[NOTE]].join("\n"))}">${marks}<span>${escape(test[NAME])}</span>${apart}</a><span class="cells"></span></div>`;
    });
    const environments = data.runs.map((run) => run[3] || "no environment");
    const facts = [
      groups(data.runs.map((run) => day.format(new Date(run[2]))), (text) => text.replace(/\D/g, "")),
      new Set(environments).size > 1 ? groups(environments, (text) => text[0]) : "",
      groups(data.runs.map((run) => run[4] || "no version"), (text) => text.split(".").pop()),
    ];
    return `<div class="cells-grid${cell >= 24 ? " roomy" : ""}" style="${width}" tabindex="0" role="application" aria-label="Tests by runs: arrow keys move, Enter opens" aria-describedby="grid-says">
<div class="cells-row cells-head"><span class="cells-name">Test</span><span class="cells-stack">${facts.join("")}<span class="cells">${head}</span></span></div>${names.join("")}</div>
<p class="sr" id="grid-says" aria-live="polite"></p><p class="grid-tip" id="grid-tip" aria-hidden="true"></p>`;
  }

  function link(run) {
    const kept = new URLSearchParams(location.search);
    for (const name of ["runs", "kind", "order", "q", "offset", "case", "topology", "priority"]) kept.delete(name);
    return "/runs/" + encodeURIComponent(run) + (kept.toString() ? "?" + kept : "");
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
      K: [[token("--flaky-fill"), 1, 9], [pass, 10, 9]],
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
        for (let at = letters.indexOf(letter); at >= 0; at = letters.indexOf(letter, at + 1)) pen.fillRect(at * cell, top, cell - 2, tall);
      }
    holder.prepend(canvas);
  }

  let watch = null;
  function drawInSight(grid) {
    if (watch) watch.disconnect();
    watch = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && draw(one.target)), {
      root: grid,
      rootMargin: "600px 0px",
    });
    const first = Math.max(Math.floor(grid.scrollTop / ROW) - 2, 0);
    const ahead = Math.ceil(innerHeight / ROW); // at once, before the first paint
    rows().forEach((line, row) => (row >= first && row < first + ahead ? draw(line) : watch.observe(line)));
  }

  function drawAnew() {
    const grid = document.querySelector("#grid .cells-grid");
    if (!grid || !shown) return;
    look();
    for (const canvas of grid.querySelectorAll("canvas")) canvas.remove();
    drawInSight(grid);
    if (grid.querySelector(".at")) point("at", focus.row, focus.column);
  }
  document.addEventListener("rt:themed", drawAnew);
  const resized = new ResizeObserver(([{ target }]) => {
    const grid = target.querySelector(".cells-grid");
    if (!grid) return;
    if (fit(target, shown.runs.length) !== width) paint(target);
  });

  clientside.rt.grid = function (data, id) {
    const target = document.getElementById(id);
    if (!target) return;
    shown = data && data.tests.length ? data : null;
    const whole = shown ? JSON.stringify(data) + rt.withParams({ case: "" }) : ""; // the links hold the address
    if (whole !== painted || !target.firstChild) {
      painted = whole;
      histories.clear();
      paint(target);
    }
    const typed = document.activeElement;
    narrow(typed && typed.matches(FILTER) ? typed.value : "");
  };

  function paint(target) {
    const old = target.querySelector(".cells-grid");
    const place = old ? [old.scrollLeft, old.scrollTop, old === document.activeElement] : null;
    const marked = old && old.querySelector(".at");
    if (!shown) return target.replaceChildren();
    width = fit(target, shown.runs.length); // what is asked of the page's style is asked before it is made anew
    look();
    target.innerHTML = markup(shown);
    const grid = target.querySelector(".cells-grid");
    resized.observe(target);
    if (place) grid.scrollTo(place[0], place[1]);
    drawInSight(grid);
    if (marked) point("at", focus.row, focus.column);
    if (place && place[2]) grid.focus({ preventScroll: true });
    const open = (new URLSearchParams(location.search).get("case") || "").split(/[.@]/)[0];
    const row = shown.tests.findIndex((test) => test[TEST] === open);
    if (open && row >= 0 && row !== focus.row) focus = { row, column: Math.max(shown.cells[row].indexOf("F"), 0) };
  }

  const FILTER = "#grid-head input[type=search]";
  /** The rows that have a text in their key, at once; the server's answer then brings all that there are. */
  function narrow(text) {
    if (!shown) return;
    const wanted = text.trim().toLowerCase();
    rows().forEach((line, row) => {
      const out = !shown.tests[row][KEY].toLowerCase().includes(wanted);
      if (line.hidden !== out) line.hidden = out;
    });
    document.dispatchEvent(new CustomEvent("rt:painted"));
  }
  document.addEventListener("input", (event) => {
    if (event.target.matches(FILTER)) narrow(event.target.value);
  });

  function say(row, column) {
    const [, number, , environment] = shown.runs[column];
    return `${shown.tests[row][NAME]} in run #${number}${environment ? " " + environment : ""}: ${MEANINGS[shown.cells[row][column]]}`;
  }

  /** Outline a cell: "at", where the keys are, or "over", where the pointer is. */
  function point(name, row, column) {
    const old = document.querySelector("#grid .cells > i." + name);
    if (row === null) return old && old.remove();
    const line = document.querySelector(`#grid [data-row="${row}"]`);
    if (!line) return null;
    draw(line);
    const mark = old || document.createElement("i");
    mark.className = name;
    mark.style.left = column * cell + "px";
    line.lastElementChild.append(mark);
    return mark;
  }

  function mark(row, column) {
    focus = { row, column };
    const found = point("at", row, column);
    if (!found) return;
    found.scrollIntoView({ block: "nearest", inline: "nearest" });
    document.getElementById("grid-says").textContent = say(row, column);
    tell(row, column);
  }

  const histories = new Map(); // "test lane" -> its results, so that hovering along a row asks once

  /** The results of a cell: of its test in its run. */
  async function results(row, column) {
    const test = shown.tests[row][TEST];
    const [run, , , environment] = shown.runs[column];
    const query = new URLSearchParams({ release: shown.release, environment, limit: 1000, fields: "run,build,topology,status,message" });
    const key = test + " " + query;
    if (!histories.has(key)) {
      if (histories.size > 200) histories.clear();
      const asked = fetch(`/api/v1/tests/${encodeURIComponent(test)}/history?${query}`);
      histories.set(key, asked.then((answer) => (answer.ok ? answer.json() : { items: [] })).catch(() => ({ items: [] })));
    }
    return (await histories.get(key)).items.filter((result) => result.run === run);
  }

  let told = ""; // the cell that the tip is for

  /** The tip at the foot of the screen: what the cell is, and of a failure its message as soon as it is known. */
  async function tell(row, column) {
    const tip = document.getElementById("grid-tip");
    const cellOf = (told = row + " " + column);
    tip.textContent = say(row, column);
    if (shown.cells[row][column] !== "F") return;
    const failed = (await results(row, column)).find((result) => result.status === "failed" && result.message);
    if (failed && told === cellOf) tip.textContent = say(row, column) + "\n" + failed.message.split("\n", 1)[0].slice(0, 300);
  }

  let opened = 0; // how many cells were asked for: what comes late opens nothing
  let waiting = false; // for the text of the last of them

  /** Open a cell's text: its result in that run's build, or the test where the run has none. */
  async function open(row, column, replace) {
    const asked = (opened += 1);
    waiting = true;
    let chosen = shown.tests[row][TEST];
    if (shown.cells[row][column] !== "-") {
      const found = await results(row, column);
      const result = found.find((one) => one.status === "failed") || found[0];
      if (result) chosen = [chosen, result.build, result.topology].join(".");
    }
    if (asked !== opened) return;
    waiting = false;
    rt.go(rt.withParams({ case: chosen }), { replace });
  }

  /** Go to the next (1) or previous (-1) test that failed in the run of the chosen cell; an open text follows. */
  rt.stepGrid = function (by) {
    if (!shown || !document.querySelector("#grid .cells-grid")) return;
    const opens = waiting || new URLSearchParams(location.search).has("case");
    const lines = rows();
    const { column } = focus;
    let row = document.querySelector("#grid .at") || opens ? focus.row + by : 0;
    while (lines[row] && (lines[row].hidden || shown.cells[row][column] !== "F")) row += by;
    if (!lines[row]) return;
    mark(row, column);
    if (opens) open(row, column, true);
  };

  /** The cell under the pointer. */
  function under(event) {
    if (!shown || !event.target.matches || !event.target.matches("#grid canvas")) return null;
    const row = Number(event.target.closest("[data-row]").dataset.row);
    return [row, Math.min(Math.max(Math.floor(event.offsetX / cell), 0), shown.runs.length - 1)];
  }
  document.addEventListener("click", (event) => {
    const name = event.target.closest && event.target.closest("#grid a.cells-name");
    const row = name ? Number(name.parentElement.dataset.row) : -1;
    if (name) focus = { row, column: Math.max(shown.cells[row].indexOf("F"), 0) };
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
      resting = setTimeout(() => tell(...found), 60); // not for what the pointer only passes over
      return;
    }
    point("over", null);
    const tip = document.getElementById("grid-tip");
    if (tip) told = tip.textContent = "";
  });

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0] };
  document.addEventListener("keydown", (event) => {
    if (!shown || !event.target.closest("#grid .cells-grid") || event.ctrlKey || event.metaKey || event.altKey) return;
    const keep = (value, count) => Math.min(Math.max(value, 0), count - 1);
    const step = STEPS[event.key];
    if (step) {
      const lines = rows();
      let row = keep(focus.row + step[0], lines.length);
      while (lines[row] && lines[row].hidden) row += Math.sign(step[0]) || 1;
      if (lines[row]) mark(row, keep(focus.column + step[1], shown.runs.length));
    }
    else if (event.key === "Home") mark(focus.row, 0);
    else if (event.key === "End") mark(focus.row, shown.runs.length - 1);
    else if (event.key === "Enter" && event.target.matches(".cells-grid")) open(keep(focus.row, shown.tests.length), keep(focus.column, shown.runs.length));
    else return;
    event.preventDefault();
  });
})();
