// The SQL console: calls the API itself, so that closing the connection cancels a query. The address keeps query and
// chart behind the '#'.
import { draw } from "./charts.js";
import { setProps } from "./dash.js";
import { axes, figure, hex, isId, isNumber, LINKS, parse, sortedRows } from "./sql-answer.js";

const API = "/api/v1/sql";
let answer = null; // what is shown: {sql, columns, rows, truncated, seconds}
let running = null; // the AbortController of the query that runs
let sorted = null; // {column, down}
let opened = null; // the address that was last read
let savedStatus = ""; // the text beside the form that saves a query

const $ = (id) => document.getElementById(id);
const here = () => $("sql-text");
const addressParams = () => new URLSearchParams(location.hash.slice(1));

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Put the query and its display into the address; a new query is a new entry of the history. */
function remember(changes) {
  const wanted = addressParams();
  const before = wanted.get("sql");
  for (const [name, value] of Object.entries(changes)) {
    if (value) wanted.set(name, value);
    else wanted.delete(name);
  }
  const address = `${location.pathname + location.search}#${wanted}`;
  opened = `#${wanted}`;
  if (wanted.get("sql") === before) history.replaceState(history.state, "", address);
  else history.pushState({}, "", address);
}

function showStatus(...children) {
  $("sql-answer").replaceChildren(element("p", { class: "sql-status", role: "status" }, ...children));
  $("sql-chart-frame").hidden = true;
}

function showSavedStatus(text) {
  savedStatus = text;
  $("sql-save-status").textContent = text;
}

function wait(on) {
  $("sql-cancel").hidden = !on;
  $("sql-run").disabled = on;
  for (const button of document.querySelectorAll("[data-sql-file]")) button.disabled = on;
}

/** What to do when a limit is hit. */
function advice(status, detail) {
  if (status === 408) return "Filter by release and started_at, aggregate before joining, or select fewer columns.";
  if (status === 429) return "Another query is running. Try again in a moment.";
  if (/memory/i.test(detail)) return "Filter or aggregate earlier: sorts and joins must fit into memory.";
  if (status === 503) return "Run `regtracker check` on the server.";
  return "";
}

function fail(problem, sql) {
  answer = null;
  const parts = [element("p", { class: "notice sql-failed", role: "alert" }, problem.detail || String(problem))];
  if (problem.position !== undefined) {
    const line = sql.slice(0, problem.position).split("\n");
    const text = sql.split("\n")[line.length - 1];
    const column = line[line.length - 1].length;
    const word = /^(\w+|.?)/s.exec(text.slice(column))[0] || " ";
    parts.push(
      element(
        "pre",
        { class: "log" },
        text.slice(0, column),
        element("mark", {}, word),
        text.slice(column + word.length),
      ),
    );
    here().focus();
    here().setSelectionRange(problem.position, problem.position + word.trim().length);
  }
  const help = advice(problem.status, problem.detail || "");
  if (help) parts.push(element("p", { class: "quiet" }, help));
  $("sql-answer").replaceChildren(...parts);
  $("sql-chart-frame").hidden = true;
}

async function ask(sql, accept, limit) {
  if (running) running.abort();
  const mine = new AbortController();
  running = mine;
  wait(true);
  const began = Date.now();
  const clock = setInterval(() => showStatus(`Running, ${Math.round((Date.now() - began) / 1000)} s ...`), 1000);
  showStatus("Running ...");
  try {
    const response = await fetch(API, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: accept },
      body: JSON.stringify({ sql, limit }),
      signal: mine.signal,
    });
    if (!response.ok) {
      fail(await response.json(), sql);
      return null;
    }
    if (accept === "application/json") return parse(await response.text());
    return { blob: await response.blob(), cut: response.headers.has("Regtracker-Truncated") };
  } catch (error) {
    if (error.name === "AbortError") {
      if (running === mine) showStatus("Cancelled.");
    } else fail({ detail: `The server cannot be reached: ${error.message}` }, sql);
    return null;
  } finally {
    clearInterval(clock);
    if (running === mine) {
      running = null;
      wait(false);
    }
  }
}

async function run() {
  const sql = here().value.trim();
  if (!sql) return showStatus("Write a query, or choose an example.");
  if (sql !== addressParams().get("sql")) remember({ sql, view: "", x: "", y: "", series: "" });
  const found = await ask(sql, "application/json", Number($("sql-rows").value));
  if (!found || !$("sql-answer")) return;
  answer = { sql, ...found };
  sorted = null;
  show();
}

const FILES = { csv: ["text/csv", "csv"], parquet: ["application/vnd.apache.parquet", "parquet"] };
async function download(form) {
  const sql = here().value.trim();
  if (!sql) return showStatus("Write a query, or choose an example.");
  const [accept, suffix] = FILES[form];
  const found = await ask(sql, accept, 1);
  if (!found) return;
  const url = URL.createObjectURL(found.blob);
  element("a", { href: url, download: `query.${suffix}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  if (answer && answer.sql === sql) show();
  else showStatus(`Saved as query.${suffix}.`);
  if (found.cut) showSavedStatus("The file was cut at its limit. Select fewer columns or rows.");
}

function cell(value, column) {
  if (value === null) return element("td", { class: "none" }, "NULL");
  if (isId(column))
    return element("td", {}, element("a", { href: `/${LINKS[column.name]}/${hex(value)}` }, hex(value)));
  const text =
    typeof value === "object"
      ? JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner))
      : String(value);
  return element("td", { class: isNumber(column) ? "num" : "", title: text.length > 60 ? text : null }, text);
}

function table() {
  const heads = answer.columns.map((column, index) => {
    const now = sorted && sorted.column === index ? (sorted.down ? "descending" : "ascending") : null;
    const sort = () => {
      sorted = { column: index, down: now === "ascending" };
      show();
    };
    const button = element(
      "button",
      { class: "sql-sort", type: "button", onclick: sort, title: column.type },
      column.name,
    );
    return element(
      "th",
      { scope: "col", "aria-sort": now, class: isNumber(column) && !isId(column) ? "num" : "" },
      button,
    );
  });
  const rows = sortedRows(answer.rows, sorted).map((row) =>
    element("tr", {}, ...row.map((value, index) => cell(value, answer.columns[index]))),
  );
  return element(
    "div",
    { class: "scroll-x sql-scroll", tabindex: "0", role: "region", "aria-label": "Result rows" },
    element(
      "table",
      { class: "grid-table sql-rows" },
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...rows),
    ),
  );
}

function choices(chosen) {
  const select = (name, label, values, value) =>
    element(
      "label",
      { class: "quiet" },
      `${label} `,
      element(
        "select",
        {
          class: "control form-select",
          "data-sql-axis": name,
          onchange: (event) => {
            remember({ [name]: event.target.value });
            show();
          },
        },
        ...values.map(([word, text]) => element("option", { value: word, selected: word === value }, text)),
      ),
    );
  const names = answer.columns.map((column) => [column.name, column.name]);
  const numbers = answer.columns.filter((column) => isNumber(column)).map((column) => [column.name, column.name]);
  return [
    select("x", "across", names, chosen.x),
    select("y", "up", numbers.length ? numbers : names, chosen.y),
    select("series", "one series per", [["", "(all in one)"], ...names], chosen.series),
  ];
}

function show() {
  const view = addressParams().get("view") || "table";
  const tab = (name, text) =>
    element(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-pressed": String(view === name),
        onclick: () => {
          remember({ view: name === "table" ? "" : name });
          show();
        },
      },
      text,
    );
  const count = answer.rows.length.toLocaleString("en").replace(/,/g, "\u202f");
  const facts = `${count} ${answer.rows.length === 1 ? "row" : "rows"} in ${answer.seconds.toFixed(2)} s`;
  const head = element(
    "div",
    { class: "sql-head" },
    element("span", { role: "status" }, facts),
    element(
      "span",
      { class: "segment", role: "group", "aria-label": "Shown as" },
      tab("table", "table"),
      tab("bar", "bars"),
      tab("line", "lines"),
    ),
  );
  const parts = [head];
  if (answer.truncated)
    parts.push(
      element(
        "p",
        { class: "notice" },
        "Not all rows are shown. Add LIMIT or GROUP BY, show more rows, or download the CSV, which has all rows up to its own limit.",
      ),
    );
  const drawn = view !== "table" && answer.rows.length > 0;
  if (drawn) {
    const chosen = axes(answer, addressParams());
    head.append(...choices(chosen));
    const { figure: shown, left } = figure(answer, chosen);
    if (left)
      parts.push(element("p", { class: "quiet" }, `${left} more series are not drawn: select fewer with WHERE.`));
    $("sql-chart-frame").hidden = false;
    draw("sql-chart", shown);
  } else if (answer.rows.length) parts.push(table());
  else parts.push(element("p", { class: "quiet" }, "No rows."));
  $("sql-chart-frame").hidden = !drawn;
  $("sql-answer").replaceChildren(...parts);
}

// saved queries

async function keep(form) {
  const sql = here().value.trim();
  if (!sql) return showSavedStatus("There is no query to save.");
  const { name, author } = Object.fromEntries(new FormData(form));
  const body = JSON.stringify({ name, sql, ...(author.trim() ? { author } : {}) });
  const response = await fetch(`${API}/saved`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  showSavedStatus(response.ok ? "Saved." : (await response.json()).detail);
  if (response.ok) form.elements.name.value = "";
  fresh();
}

async function forget(id) {
  const response = await fetch(`${API}/saved/${id}`, { method: "DELETE" });
  showSavedStatus(response.ok ? "Deleted." : (await response.json()).detail);
  fresh();
}

/** Update the list of saved queries now, without waiting for the next poll. */
async function fresh() {
  const response = await fetch("/api/v1/snapshot", { cache: "no-store" });
  if (response.ok) setProps("snapshot", { data: (await response.json()).snapshot });
}

// events

/** Show the query of the address, unless this page has just written it. */
function open() {
  if (!here() || location.hash === opened) return;
  opened = location.hash;
  const sql = addressParams().get("sql");
  if (sql === null) {
    here().value = "";
    answer = null;
    $("sql-answer").replaceChildren();
    $("sql-chart-frame").hidden = true;
  } else if (answer && answer.sql === sql) {
    here().value = sql;
    show();
  } else {
    here().value = sql;
    run();
  }
}

function insert(text) {
  const field = here();
  const before = field.value.slice(0, field.selectionStart);
  field.setRangeText((/[\s(,.]$|^$/.test(before) ? "" : " ") + text, field.selectionStart, field.selectionEnd, "end");
  field.focus();
}

document.addEventListener("rt:rendered", ({ detail }) => {
  if (detail.name !== "sql") return;
  if (!detail.same) {
    opened = null;
    savedStatus = "";
    $("sql-rows").value = $("sql-rows").dataset.usual;
  }
  wait(Boolean(running));
  showSavedStatus(savedStatus);
  open();
});
const recolour = new MutationObserver(() => answer && $("sql-answer") && show());
recolour.observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
addEventListener("hashchange", open);
addEventListener("popstate", open);
document.addEventListener("submit", (event) => {
  if (event.target.id === "sql-form") run();
  if (event.target.id === "sql-save") keep(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.target.id === "sql-text" && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button.id === "sql-cancel" && running) running.abort();
  else if (button.id === "sql-copy") {
    if (here().value.trim() !== addressParams().get("sql")) remember({ sql: here().value.trim() });
    // Browsers allow the clipboard only over https and on localhost.
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(() => showSavedStatus("Link copied."));
    else showSavedStatus("Copy the link from the browser's address bar.");
  } else if (button.dataset.sqlInsert) insert(button.dataset.sqlInsert);
  else if (button.dataset.sqlForget) forget(button.dataset.sqlForget);
  else if (button.dataset.sqlFile) download(button.dataset.sqlFile);
});
