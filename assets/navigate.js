// The URL is the state: links and controls change the address, Dash's Location reports it, callbacks follow.
import { inScope, withParams } from "./address.js";
import { addressChanged } from "./dash.js";
import { forScripts } from "./for-scripts.js";

let restore = null; // where to scroll once the page from the history is laid out

history.scrollRestoration = "manual";

/** Go to an address of this origin without a reload. */
export function go(href, { replace = false, keep = false } = {}) {
  const url = new URL(href, location.href);
  if (url.href === location.href) return;
  const moved = url.pathname !== location.pathname;
  if (replace) history.replaceState(history.state, "", url);
  else {
    history.replaceState({ y: scrollY }, "");
    history.pushState(null, "", url);
  }
  addressChanged();
  if (moved && !keep) restore = { y: 0, focus: true };
}

addEventListener("popstate", () => {
  restore = { y: history.state?.y || 0, focus: false };
});

document.addEventListener("rt:rendered", ({ detail }) => {
  if (!restore || detail.name === "drawer") return;
  scrollTo(0, restore.y);
  const heading = restore.focus && document.querySelector("#page h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  restore = null;
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (
    !link ||
    event.defaultPrevented ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const url = new URL(link.href.baseVal === undefined ? link.href : link.href.baseVal, location.href);
  if (link.target || link.hasAttribute("download") || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/api/") || url.pathname === "/metrics") return;
  if (url.hash && url.pathname === location.pathname && url.search === location.search) return;
  event.preventDefault();
  go(url.href);
});

// A control with data-param sets that parameter; with data-go it opens the address in its value.
let typing = null;
function changed(control, replace) {
  const name = control.getAttribute("data-param");
  const value = control.type === "checkbox" ? (control.checked ? "1" : "") : control.value;
  if (name) go(withParams({ [name]: value, offset: "", case: "" }), { replace });
  else if (control.hasAttribute("data-go")) go(value);
}
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-param], select[data-go], input[type=checkbox][data-param]"))
    changed(event.target, false);
});
document.addEventListener("input", (event) => {
  if (!event.target.matches("input[type=search][data-param]")) return;
  clearTimeout(typing);
  typing = setTimeout(() => changed(event.target, true), 150);
});
document.addEventListener("submit", (event) => event.preventDefault());

// What stays below the top bar (the drawer, sticky heads) needs its height; on a phone the bar scrolls away.
const measured = new ResizeObserver(([{ target }]) => {
  const tall = getComputedStyle(target).position === "sticky" ? target.offsetHeight : 0;
  document.documentElement.style.setProperty("--shell", `${tall}px`);
});

/** For Dash: marks the screen that is shown, and gives the navigation's links the scope. */
export function navigation() {
  measured.observe(document.querySelector(".shell"));
  for (const link of document.querySelectorAll("a[data-nav]")) {
    const path = link.getAttribute("data-nav");
    link.href = inScope(path);
    if (path === location.pathname) {
      link.setAttribute("aria-current", "page");
      link.parentElement.scrollLeft =
        link.offsetLeft - link.parentElement.offsetLeft - link.parentElement.clientWidth / 3;
    } else link.removeAttribute("aria-current");
  }
}

// On a phone the selectors are folded into one line that says what they are set to.
export function foldScope(folded) {
  const button = document.getElementById("scope-fold");
  if (!button?.checkVisibility()) return;
  button.setAttribute("aria-expanded", String(!folded));
}
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#scope-fold");
  if (button) foldScope(button.getAttribute("aria-expanded") === "true");
});

/** For Dash: say in the folded line what the selectors are set to. */
export function scoped(values) {
  const chosen = (values || []).filter((value) => value !== "*");
  document.getElementById("scope-count").textContent = chosen.length ? `Filters (${chosen.length})` : "Filters";
  document.getElementById("scope-text").textContent = chosen.join(" · ") || "everything";
}

/** For Dash: a selector that differs from what the server set was changed by the user. */
export function scope(values, shown) {
  const index = shown ? values.findIndex((value, i) => value !== shown[i]) : -1;
  if (index < 0) return;
  values = values.map((value) => (value === "*" ? "" : value));
  const { selectors } = forScripts();
  const selector = selectors[index];
  const changes = { offset: "", case: "", [selector]: values[index] };
  if (selector === "release") changes.version = "";
  const onRun = /^\/(runs|builds)\//.test(location.pathname);
  if (onRun && selector !== "module") {
    for (const [i, name] of selectors.entries()) if (name !== "module" && !(name in changes)) changes[name] = values[i];
    if (selector === "environment") changes.version = "";
    for (const name of ["group", "status", "host", "attempts"]) changes[name] = "";
    go(withParams(changes, "/runs/latest"));
  } else go(withParams(changes));
}
