// Applies new markup to the nodes that are shown: they stay, so scroll, focus, open rows and selections survive.
import { showLocalTimes } from "./local-times.js";

let noticed = null; // the slot for which a notice was shown last
const shown = {}; // slot -> {at, snapshot} of what it shows

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") || node.id : "") || "";

function attributes(from, to) {
  // What the user opened or closed stays that way.
  const kept = (name) => name === "open" && from.tagName === "DETAILS";
  for (const { name, value } of [...to.attributes]) {
    if (from.getAttribute(name) !== value && !kept(name)) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !kept(name)) from.removeAttribute(name);
  }
  const own = from.hasAttribute("data-own"); // only the user changes its value
  if (from.tagName === "INPUT" && from !== document.activeElement && !own) from.value = to.value;
  if (from.tagName === "SELECT" && from !== document.activeElement) {
    const chosen = [...to.options].find((option) => option.hasAttribute("selected"));
    if (chosen) queueMicrotask(() => (from.value = chosen.value));
  }
}

function morph(from, to, live) {
  const keyed = new Map();
  for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  let current = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = keyOf(wanted);
    let match = key ? keyed.get(key) : current;
    while (!key && match && keyOf(match)) match = match.nextSibling;
    if (match && (match.nodeType !== wanted.nodeType || match.nodeName !== wanted.nodeName)) match = null;
    if (!match) {
      from.insertBefore(wanted, current);
      continue;
    }
    if (match !== current) from.insertBefore(match, current);
    else current = current.nextSibling;
    if (match.nodeType === 1) {
      const before = live && match.hasAttribute("data-live") ? match.textContent : null;
      attributes(match, wanted);
      morph(match, wanted, live);
      if (before !== null && before !== match.textContent) {
        match.classList.remove("fresh-value");
        void match.offsetWidth; // restarts the animation
        match.classList.add("fresh-value");
      }
    } else if (match.data !== wanted.data) {
      match.data = wanted.data;
    }
  }
  while (current) {
    const next = current.nextSibling;
    current.remove();
    current = next;
  }
}

const keyed = (list) => [...list.children].filter((child) => child.hasAttribute("data-key"));

/** Whether the user reads this list: the pointer or the focus is in it, or its head is scrolled out of sight. */
function isRead(list) {
  const box = list.getBoundingClientRect();
  return list.matches(":hover") || list.contains(document.activeElement) || (box.top < 0 && box.bottom > 0);
}

/**
 * Keeps the rows of lists that are read where they are: in `to` they get the order of `from`, so that only their
 * values change. Returns what waits: {rows: new ones, noun}, or null if no row would move or be added.
 */
function hold(from, to) {
  const waits = { rows: 0, noun: "row" };
  const lists = (root) => [...root.querySelectorAll("tbody, ol, .wall")].filter((list) => keyed(list).length);
  const later = lists(to);
  lists(from).forEach((list) => {
    const old = keyed(list);
    const first = (other) => keyed(other).some((row) => old.some((known) => keyOf(known) === keyOf(row)));
    const next = later.find(first);
    if (!next || !isRead(list)) return;
    const rows = new Map(keyed(next).map((row) => [keyOf(row), row]));
    if (old.length === rows.size && [...rows.keys()].every((key, index) => key === keyOf(old[index]))) return;
    const known = new Set(old.map(keyOf));
    waits.rows += [...rows.keys()].filter((key) => !known.has(key)).length;
    waits.held = true;
    waits.noun = (list.closest("[data-noun]") || list).getAttribute("data-noun") || waits.noun;
    for (const row of rows.values()) row.remove();
    next.append(...old.map((row) => rows.get(keyOf(row)) || row.cloneNode(true)));
  });
  return waits.held ? waits : null;
}

/** Offer the rows that wait ({rows, noun}; null: none); `show` is called when the user wants them. */
export function notice(waits, show) {
  const slot = document.getElementById("held");
  if (!waits) return slot.replaceChildren();
  const button = document.createElement("button");
  const label = waits.rows ? `${waits.rows} new ${waits.noun}${waits.rows === 1 ? "" : "s"}` : "New order";
  button.textContent = `${label} – show`;
  button.addEventListener("click", () => {
    show();
    const heading = document.querySelector("#page h1");
    if (heading && document.activeElement === document.body) heading.focus({ preventScroll: true });
  });
  const shownText = slot.textContent;
  if (shownText !== button.textContent) slot.replaceChildren(button);
  else slot.firstChild.replaceWith(button);
}

/** Label the cells of tables that become cards on a phone with the head of their column. */
function label(root) {
  for (const table of root.querySelectorAll("table.cards")) {
    const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.replace(/[↑↓]/, "").trim());
    for (const row of table.tBodies[0].rows)
      for (const [at, cell] of [...row.cells].entries()) if (heads[at]) cell.setAttribute("data-label", heads[at]);
  }
}

/** Show an answer {html, at, snapshot} in the slot of a store "<slot>-html", unless it shows a newer one already;
 * `whole`: also where rows that are being read would move. */
export function apply(answer, storeId, whole) {
  if (!answer) return;
  const name = storeId.replace(/-html$/, "");
  const target = document.getElementById(name);
  if (!target) return;
  const last = shown[name];
  const same = last && last.at === answer.at && target.firstChild;
  if (same && answer.snapshot !== null && last.snapshot !== null && answer.snapshot < last.snapshot) return;
  shown[name] = { at: answer.at, snapshot: answer.snapshot };
  const template = document.createElement("template");
  template.innerHTML = answer.html;
  showLocalTimes(template.content);
  label(template.content);
  // An answer to the user's own request is shown whole; a live update does not move rows that are being read.
  const waits = same && !whole && name !== "drawer" ? hold(target, template.content) : null;
  if (waits || noticed === name || (!same && name !== "drawer")) notice(waits, () => apply(answer, storeId, true));
  if (waits) noticed = name;
  morph(target, template.content, Boolean(same));
  const titled = target.querySelector("[data-title]");
  if (titled) document.title = `${titled.getAttribute("data-title")} · Regression Tracker`;
  document.dispatchEvent(new CustomEvent("rt:rendered", { detail: { name, same: Boolean(same), at: answer.at } }));
}
