// The search palette: one input over everything that has a name. The list follows the typing, the keys follow the list.
import { showLocalTimes } from "./local-times.js";

const NAME = "rt-recent";
const KEPT = 8;
const HEADS = {
  recent: "Recent",
  screen: "Screens",
  release: "Releases",
  module: "Modules",
  run: "Runs",
  build: "Builds",
  test: "Tests",
  bug: "Bugs",
  failure: "Failure texts",
};
const find = (id) => document.getElementById(id);
let request = null; // the AbortController of the running search
let waiting = null;
let pasted = false;
let hurried = false; // Enter came before the answer did

const recent = () => {
  try {
    return JSON.parse(localStorage.getItem(NAME)) || [];
  } catch {
    return [];
  }
};

function remember(hit) {
  const others = recent().filter((other) => other.kind !== hit.kind || other.id !== hit.id);
  try {
    localStorage.setItem(NAME, JSON.stringify([hit, ...others].slice(0, KEPT)));
  } catch {
    // without storage the search still works
  }
}

/** The address of a hit; `as_of` is kept, the scope of another release is not. */
function address({ kind, id, release }) {
  const query = new URLSearchParams();
  const past = new URLSearchParams(location.search).get("as_of");
  if (kind === "release" || kind === "module") query.set("release", release);
  if (kind === "module") query.set("module", id);
  if (past) query.set("as_of", past);
  const path = { run: "/runs/", build: "/builds/", test: "/tests/", bug: "/bugs/", failure: "/failures/" }[kind];
  const text = query.toString();
  return (kind === "screen" ? id : path ? path + encodeURIComponent(id) : "/runs/latest") + (text ? `?${text}` : "");
}

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function glyph(state) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", `i i-${state}`);
  icon.setAttribute("aria-hidden", "true");
  icon.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  icon.firstChild.setAttribute("href", `#i-${state}`);
  return element("span", { class: `state s-${state}` }, icon, element("span", { class: "sr" }, state));
}

/** The text with what was typed marked in it. */
function marked(text, words) {
  const title = element("span", { class: "palette-title" });
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = escaped.length ? text.split(new RegExp(`(${escaped.join("|")})`, "i")) : [text];
  title.append(...parts.map((part, index) => (index % 2 ? element("mark", {}, part) : part)));
  return title;
}

function option(hit, index, words) {
  const facts = element("span", { class: "palette-detail" });
  if (hit.release && hit.kind !== "run" && hit.kind !== "release") facts.append(element("span", {}, hit.release));
  if (hit.detail) facts.append(element("span", {}, hit.detail));
  if (hit.at) facts.append(element("span", {}, element("time", { datetime: hit.at, "data-time": "ago" })));
  const node = element(
    "a",
    {
      role: "option",
      id: `palette-${index}`,
      href: address(hit),
      tabindex: -1,
      "aria-selected": "false",
      class: "palette-hit",
    },
    hit.state ? glyph(hit.state) : element("span", {}),
    marked(hit.title, words),
    facts,
  );
  node.addEventListener("click", () => {
    remember(hit);
    find("palette").close();
    find("palette-input").value = "";
  });
  return node;
}

function render(groups, words, status) {
  const list = find("palette-list");
  let index = 0;
  const sections = groups
    .filter(([, hits]) => hits.length)
    .map(([name, hits]) => {
      const head = element(
        "div",
        { class: "palette-head", id: `palette-of-${name}`, role: "presentation" },
        HEADS[name],
      );
      const options = hits.map((hit) => option(hit, index++, words));
      return element("div", { role: "group", "aria-labelledby": head.id }, head, ...options);
    });
  list.replaceChildren(...sections);
  showLocalTimes(list);
  find("palette-input").setAttribute("aria-expanded", String(index > 0));
  find("palette-status").textContent = status;
  choose(0);
}

const options = () => [...find("palette-list").querySelectorAll("[role=option]")];

function choose(index) {
  const all = options();
  const at = all.length ? (index + all.length) % all.length : -1;
  for (const [index, hit] of all.entries()) hit.setAttribute("aria-selected", String(index === at));
  if (at < 0) find("palette-input").removeAttribute("aria-activedescendant");
  else {
    find("palette-input").setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
  }
}

const chosen = () => options().findIndex((hit) => hit.getAttribute("aria-selected") === "true");

function screens(words) {
  const links = words.length ? [...document.querySelectorAll("a[data-nav]")] : [];
  return links
    .filter((link) => words.every((word) => link.textContent.toLowerCase().includes(word)))
    .map((link) => ({ kind: "screen", id: link.getAttribute("data-nav"), title: link.textContent, detail: "" }));
}

async function ask() {
  const text = find("palette-input").value.trim();
  const words = text
    .toLowerCase()
    .split(/\s+|::/)
    .filter(Boolean);
  if (request) request.abort();
  waiting = request = null;
  if (!text) {
    const known = recent();
    render([["recent", known]], [], known.length ? "" : "Type part of a name; all words must match.");
    return;
  }
  request = new AbortController();
  const query = new URLSearchParams({ q: text.slice(0, 500) });
  const past = new URLSearchParams(location.search).get("as_of");
  if (past) query.set("as_of", past);
  try {
    const answer = await fetch(`/api/v1/search?${query}`, { signal: request.signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const hits = (await answer.json()).items;
    const direct = pasted && hits.length && hits[0].exact;
    const kinds = [...new Set(hits.map((hit) => hit.kind))];
    const groups = [
      ["screen", screens(words)],
      ...kinds.map((kind) => [kind, hits.filter((hit) => hit.kind === kind)]),
    ];
    render(groups, words, hits.length ? `${hits.length} found` : "No matches.");
    request = null;
    if ((direct || hurried) && options().length) options()[0].click();
  } catch (error) {
    if (error.name === "AbortError") return;
    render([], [], "The server does not answer.");
  }
  pasted = hurried = false;
}

const KEYS = {
  ArrowDown: () => choose(chosen() + 1),
  ArrowUp: () => choose(chosen() - 1),
  PageDown: () => choose(Math.min(chosen() + 8, options().length - 1)),
  PageUp: () => choose(Math.max(chosen() - 8, 0)),
  Enter: () => {
    hurried = Boolean(waiting || request);
    const hit = options()[chosen()];
    if (!hurried && hit) hit.click();
  },
};

document.addEventListener("DOMContentLoaded", () => {
  const input = find("palette-input");
  find("palette").addEventListener("rt:opened", () => {
    input.select();
    ask();
  });
  input.addEventListener("paste", () => (pasted = true));
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, pasted ? 0 : 60);
  });
  input.addEventListener("keydown", (event) => {
    const action = KEYS[event.key];
    if (!action || event.isComposing) return;
    event.preventDefault();
    action();
  });
});
