// Paints the grid: one string of markup with the names of all rows, laid at once; a row's cells are made when it comes
// near to sight, for two hundred thousand elements take seconds and sixty rows of them do not.
(function () {
  "use strict";
  const rt = (window.rt = window.rt || {});
  const clientside = (window.dash_clientside = window.dash_clientside || {});
  clientside.rt = clientside.rt || {};
  const MEANINGS = { P: "passed", F: "failed", K: "passed after a failed attempt", S: "skipped", "-": "did not run" };
  const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  let shown = null; // the answer that is painted
  let painted = "";
  let focus = { row: 0, column: 0 };

  const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => ESCAPES[letter]);

  const day = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });

  /** One line of the head: columns side by side with the same value share one label. */
  function groups(values) {
    const found = [];
    for (const value of values) {
      const last = found[found.length - 1];
      if (last && last.value === value) last.size += 1;
      else found.push({ value, size: 1 });
    }
    return `<span class="cells-groups">${found.map(({ value, size }) => `<b style="--span:${size}" title="${escape(value)}">${escape(value)}</b>`).join("")}</span>`;
  }

  function markup(data) {
    const head = data.runs
      .map(([id, number, ...facts]) => `<a tabindex="-1" href="${escape(link(id))}" title="${escape(["#" + number, ...facts].join(" "))}">${escape(number)}</a>`)
      .join("");
    const rows = data.tests.map(([test, name, where, kinds], row) => {
      const marks = kinds.map((kind) => `<svg class="i k-${escape(kind)}" aria-hidden="true"><use href="#i-${escape(kind)}"/></svg>`).join("");
      return `<div class="cells-row" data-row="${row}"><a class="cells-name" tabindex="-1" href="${escape(rt.withParams({ case: test }))}" title="${escape(name + "\n" + where)}">${marks}${escape(name)}</a><span class="cells"></span></div>`;
    });
    return `<div class="cells-grid" style="--columns:${data.runs.length}" tabindex="0" role="application" aria-label="Tests by runs: arrow keys move, Enter opens" aria-describedby="grid-says">
<div class="cells-row cells-head"><span class="cells-name">Test</span><span class="cells-stack">${groups(data.runs.map((run) => day.format(new Date(run[2]))))}${groups(data.runs.map((run) => run[4] || "no version"))}<span class="cells">${head}</span></span></div>${rows.join("")}</div>
<p class="sr" id="grid-says" aria-live="polite"></p><p class="grid-tip" id="grid-tip" aria-hidden="true"></p>`;
  }

  function link(run) {
    const kept = new URLSearchParams(location.search);
    for (const name of ["runs", "kind", "order", "q", "offset", "case", "topology", "priority"]) kept.delete(name);
    return "/runs/" + encodeURIComponent(run) + (kept.toString() ? "?" + kept : "");
  }

  const AHEAD = 60; // rows made at once, before the first paint
  let watch = null;

  function fill(line) {
    const cells = line.lastElementChild;
    if (cells.firstChild) return;
    cells.innerHTML = [...shown.cells[Number(line.dataset.row)]].map((letter) => `<i class="c${letter}"></i>`).join("");
  }

  function fillInSight(grid) {
    if (watch) watch.disconnect();
    watch = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && fill(one.target)), {
      root: grid,
      rootMargin: "900px 0px",
    });
    const lines = grid.querySelectorAll("[data-row]");
    const first = Math.max(Math.floor(grid.scrollTop / 21) - 20, 0);
    lines.forEach((line, row) => (row >= first && row < first + AHEAD ? fill(line) : watch.observe(line)));
  }

  clientside.rt.grid = function (data, id) {
    const target = document.getElementById(id);
    if (!target) return;
    shown = data && data.tests.length ? data : null;
    const text = shown ? markup(shown) : "";
    const whole = text + (shown ? shown.cells.join() : "");
    if (whole === painted && target.firstChild) return;
    painted = whole;
    histories.clear();
    const old = target.querySelector(".cells-grid");
    const place = old ? [old.scrollLeft, old.scrollTop, old === document.activeElement] : null;
    target.innerHTML = text;
    const grid = target.querySelector(".cells-grid");
    if (!grid) return;
    if (place) grid.scrollTo(place[0], place[1]);
    fillInSight(grid);
    if (place && place[2]) grid.focus({ preventScroll: true });
  };

  function cell(row, column) {
    const line = document.querySelector(`#grid [data-row="${row}"]`);
    if (line) fill(line);
    return line && line.lastElementChild.children[column];
  }

  function say(row, column) {
    const [, name] = shown.tests[row];
    return `${name} in run #${shown.runs[column][1]}: ${MEANINGS[shown.cells[row][column]]}`;
  }

  function mark(row, column) {
    focus = { row, column };
    for (const old of document.querySelectorAll("#grid i.at")) old.classList.remove("at");
    const found = cell(row, column);
    if (!found) return;
    found.classList.add("at");
    found.scrollIntoView({ block: "nearest", inline: "nearest" });
    document.getElementById("grid-says").textContent = say(row, column);
    tell(row, column);
  }

  const histories = new Map(); // "test lane" -> its results, so that hovering along a row asks once

  /** The results of a cell: of its test in its run. */
  async function results(row, column) {
    const test = shown.tests[row][0];
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

  /** Open a cell's text: its result in that run's build, or the test where the run has none. */
  async function open(row, column) {
    let chosen = shown.tests[row][0];
    if (shown.cells[row][column] !== "-") {
      const rows = await results(row, column);
      const found = rows.find((result) => result.status === "failed") || rows[0];
      if (found) chosen = [chosen, found.build, found.topology].join(".");
    }
    rt.go(rt.withParams({ case: chosen }));
  }

  const at = (element) => {
    const row = element.closest("[data-row]");
    return row && [Number(row.dataset.row), [...element.parentElement.children].indexOf(element)];
  };
  document.addEventListener("click", (event) => {
    const found = shown && event.target.matches && event.target.matches("#grid .cells > i") && at(event.target);
    if (!found) return;
    mark(...found);
    open(...found);
  });
  let resting = null;
  document.addEventListener("mouseover", (event) => {
    const over = shown && event.target.matches && event.target.matches("#grid .cells > i");
    const tip = shown && document.getElementById("grid-tip");
    clearTimeout(resting);
    if (over) resting = setTimeout(() => tell(...at(event.target)), 60); // not for what the pointer only passes over
    else if (tip) {
      told = tip.textContent = "";
    }
  });

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0] };
  document.addEventListener("keydown", (event) => {
    if (!shown || !event.target.closest("#grid .cells-grid") || event.ctrlKey || event.metaKey || event.altKey) return;
    const keep = (value, count) => Math.min(Math.max(value, 0), count - 1);
    const step = STEPS[event.key];
    if (step) mark(keep(focus.row + step[0], shown.tests.length), keep(focus.column + step[1], shown.runs.length));
    else if (event.key === "Home") mark(focus.row, 0);
    else if (event.key === "End") mark(focus.row, shown.runs.length - 1);
    else if (event.key === "Enter" && event.target.matches(".cells-grid")) open(keep(focus.row, shown.tests.length), keep(focus.column, shown.runs.length));
    else return;
    event.preventDefault();
  });
})();
