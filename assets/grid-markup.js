// The markup of the grid: its head (rows of days, environments, versions and runs) and the names of its tests.
import { inScope, withParams } from "./address.js";

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const LETTER = 5.6; // px of a label's letter, about
const [TEST, NAME, KEY, NOTE, KINDS, APART] = [0, 1, 2, 3, 4, 5]; // of a row of the answer
const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => ESCAPES[letter]);
const day = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });

/** One line of the head: adjacent columns with the same value share one label, cut to the space that there is. */
function groups(values, cell, short) {
  const room = (size) => Math.floor((size * cell - 5) / LETTER); // letters
  const words = (value, size) => (value.length <= room(size) ? value : short(value, room(size)));
  const found = [];
  for (const value of values) {
    const last = found[found.length - 1];
    if (last && last.value === value) last.size += 1;
    else found.push({ value, size: 1 });
  }
  return `<span class="cells-groups">${found.map(({ value, size }) => `<b style="--span:${size}" title="${escaped(value)}">${escaped(words(value, size))}</b>`).join("")}</span>`;
}

/** The end of a version, from one of its dots on, as long as fits. */
function tail(version, room) {
  const dots = [...version.matchAll(/\./g)].map((dot) => version.slice(dot.index));
  return dots.find((end) => end.length <= room) || "";
}

export function gridMarkup(data, cell, width) {
  const names = data.tests.map(
    (test, row) => `<div class="cells-row" data-row="${row}">${gridName(test)}<span class="cells"></span></div>`,
  );
  return `<div class="cells-grid${cell >= 24 ? " roomy" : ""}" style="${width}" tabindex="0" role="application" aria-label="Tests by runs: arrow keys move, Enter opens" aria-describedby="grid-status">
<div class="cells-row cells-head"><span class="cells-name">Test</span><span class="cells-stack">${gridHeads(data, cell)}</span></div>${names.join("")}</div>
<p class="sr" id="grid-status" aria-live="polite"></p><p class="grid-tip" id="grid-tip" aria-hidden="true"></p>`;
}

export function gridName(test) {
  const marks = test[KINDS]
    .map((kind) => `<svg class="i k-${escaped(kind)}" aria-hidden="true"><use href="#i-${escaped(kind)}"/></svg>`)
    .join("");
  const apart = test[APART] && `<small>${escaped(test[APART])}</small>`;
  return `<a class="cells-name" tabindex="-1" href="${escaped(withParams({ case: test[TEST] }))}" title="${escaped([test[NAME], test[KEY], test[NOTE]].join("\n"))}">${marks}<span>${escaped(test[NAME])}</span>${apart}</a>`;
}

export function gridHeads(data, cell) {
  const head = data.runs
    .map(
      ([id, number, started, environment, version, state, name]) =>
        `<a tabindex="-1" class="s-${escaped(state)}" href="${escaped(inScope(`/runs/${encodeURIComponent(id)}`, ["topology", "priority"]))}" title="${escaped([name, environment, version, new Date(started).toLocaleString(), state].filter(Boolean).join(" · "))}">${escaped(number)}</a>`,
    )
    .join("");
  const environments = data.runs.map((run) => run[3] || "no environment");
  const facts = [
    groups(
      data.runs.map((run) => day.format(new Date(run[2]))),
      cell,
      (text, room) => text.replace(/\D/g, "").slice(0, Math.max(room, 0)),
    ),
    new Set(environments).size > 1 ? groups(environments, cell, (text, room) => text.slice(0, Math.max(room, 1))) : "",
    groups(
      data.runs.map((run) => run[4] || "no version"),
      cell,
      tail,
    ),
  ];
  return `${facts.join("")}<span class="cells">${head}</span>`;
}
