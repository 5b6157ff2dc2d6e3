// Keys, and where the focus goes when the drawer opens and closes. The sheet of keys is dashboard/dialogs.py's.
import { openDialog } from "./dialogs.js";
import { stepGrid } from "./grid.js";
import { foldScope, go } from "./navigate.js";

let open = null; // the case that the drawer shows

const cases = () => [...document.querySelectorAll("#page .case-link")];

/** What j and k move over: the tests of a list; where there are none, tiles and the rows of tables, each by its first
 * link. */
function stops() {
  const found = cases();
  if (found.length) return found;
  const rows = [...document.querySelectorAll("#page :is(.tile, tbody tr, .host-group summary)")];
  const links = rows.map((row) => (row.matches("summary") ? row : row.querySelector("a[href]")));
  return links.filter((link) => link?.checkVisibility());
}
const openCase = () => new URLSearchParams(location.search).get("case");

/** The link of the list that leads to a case: to this very result, or at least to its test. */
function linkOf(wanted) {
  const named = cases().map((link) => [new URL(link.href).searchParams.get("case"), link]);
  const test = (name) => name.split(/[.@~]/)[0];
  return (named.find(([name]) => name === wanted) || named.find(([name]) => test(name) === test(wanted)) || [])[1];
}

/** Go to the next (1) or previous (-1) stop; with the drawer open, or about to, its text follows. */
function step(by) {
  if (document.querySelector("#grid .cells-grid")) return stepGrid(by);
  const links = stops();
  if (!links.length) return;
  const current = links.indexOf(openCase() ? linkOf(openCase()) : document.activeElement);
  const link = links[Math.min(Math.max(current + by, 0), links.length - 1)];
  link.scrollIntoView({ block: "nearest" });
  if (openCase() && link.matches(".case-link")) go(link.href, { replace: true });
  else link.focus({ focusVisible: true });
}

/** Follow the first of these links that exists. */
const follow = (...selectors) => {
  const target = selectors.map((selector) => document.querySelector(selector)).find(Boolean);
  if (target) go(target.href);
};
const ACTIONS = {
  j: () => step(1),
  k: () => step(-1),
  "[": () => follow("a[data-step=previous]", "#page a[rel=prev]:not([aria-disabled])"),
  "]": () => follow("a[data-step=next]", "#page a[rel=next]:not([aria-disabled])"),
  Escape: () => follow("#drawer-close"),
  "/": () => openDialog("palette"),
  "?": () => openDialog("keys"),
  y: () => openDialog("share"),
  f: () => {
    foldScope(false);
    const shown = (selector) => [...document.querySelectorAll(selector)].find((control) => control.checkVisibility());
    const filter = FILTERS.map(shown).find(Boolean);
    if (filter) filter.focus();
  },
  g: () => {
    going = Date.now();
  },
};
const FILTERS = ["#page .filters :is(input, select, a)", "#page select", ".scope select"];
const PAUSE = 1500; // ms; after a longer pause, `g` does not belong to the letter
let going = 0;

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openDialog("palette");
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return; // it has keys of its own
  const typing = event.target.closest("input, select, textarea");
  if (typing && event.key !== "Escape") return;
  const led = Date.now() - going < PAUSE && document.querySelector(`a[data-letter="${CSS.escape(event.key)}"]`);
  going = 0;
  const action = led ? () => go(led.href) : ACTIONS[event.key];
  if (!action) return;
  if (event.key !== "Escape") event.preventDefault();
  action();
});

document.addEventListener("rt:rendered", ({ detail }) => {
  if (detail.name !== "drawer") return;
  const body = document.querySelector(".drawer-body");
  const shown = body ? openCase() : null;
  if (shown && !open) body.focus({ preventScroll: true });
  if (!shown && open) {
    const back = linkOf(open) || document.querySelector("#grid .cells-grid");
    if (back) back.focus({ preventScroll: true });
  }
  open = shown;
});
