// Paints the grid: one string of markup, laid at once; the rows out of sight are neither laid out nor painted.
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

  function markup(data) {
    const head = data.runs
      .map(([id, number, ...facts]) => `<a tabindex="-1" href="${escape(link(id))}" title="${escape(["#" + number, ...facts].join(" "))}">${escape(number)}</a>`)
      .join("");
    const rows = data.tests.map(([test, name, where, kinds], row) => {
      const cells = [...data.cells[row]].map((letter) => `<i class="c${letter}"></i>`).join("");
      const marks = kinds.map((kind) => `<svg class="i k-${escape(kind)}" aria-hidden="true"><use href="#i-${escape(kind)}"/></svg>`).join("");
      return `<div class="cells-row" data-row="${row}"><a class="cells-name" tabindex="-1" href="${escape(rt.withParams({ case: test }))}" title="${escape(name + "\n" + where)}">${marks}${escape(name)}</a><span class="cells">${cells}</span></div>`;
    });
    return `<div class="cells-grid" style="--columns:${data.runs.length}" tabindex="0" role="application" aria-label="Tests by runs: arrow keys move, Enter opens" aria-describedby="grid-says">
<div class="cells-row cells-head"><span class="cells-name">Test</span><span class="cells">${head}</span></div>${rows.join("")}</div>
<p class="sr" id="grid-says" aria-live="polite"></p>`;
  }

  function link(run) {
    const kept = new URLSearchParams(location.search);
    for (const name of ["runs", "kind", "order", "q", "offset", "case"]) kept.delete(name);
    return "/runs/" + encodeURIComponent(run) + (kept.toString() ? "?" + kept : "");
  }

  clientside.rt.grid = function (data, id) {
    const target = document.getElementById(id);
    if (!target) return;
    shown = data && data.tests.length ? data : null;
    const text = shown ? markup(shown) : "";
    if (text === painted && target.firstChild) return;
    painted = text;
    const old = target.querySelector(".cells-grid");
    const place = old ? [old.scrollLeft, old.scrollTop, old === document.activeElement] : null;
    target.innerHTML = text;
    const grid = target.querySelector(".cells-grid");
    if (!grid || !place) return;
    grid.scrollTo(place[0], place[1]);
    if (place[2]) grid.focus({ preventScroll: true });
  };

  const cell = (row, column) => document.querySelectorAll(`#grid [data-row="${row}"] .cells > i`)[column];

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
  }

  /** Open a cell's text: its result in that run's build, or the test where the run has none. */
  async function open(row, column) {
    const test = shown.tests[row][0];
    const [run, , , environment, version] = shown.runs[column];
    let chosen = test;
    if (shown.cells[row][column] !== "-") {
      const query = new URLSearchParams({ release: shown.release, environment, limit: 200 });
      if (version) query.set("version", version);
      const answer = await fetch(`/api/v1/tests/${encodeURIComponent(test)}/history?${query}`);
      const rows = answer.ok ? (await answer.json()).items.filter((result) => result.run === run) : [];
      const found = rows.find((result) => result.status === "failed") || rows[0];
      if (found) chosen = [test, found.build, found.topology].join(".");
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
  document.addEventListener("mouseover", (event) => {
    if (!shown || !event.target.matches("#grid .cells > i") || event.target.title) return;
    event.target.title = say(...at(event.target));
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
