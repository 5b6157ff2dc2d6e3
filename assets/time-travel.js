// Time travel: `as_of` in the address shows an earlier snapshot. This dialog chooses one; a banner says that it is shown.
import { withParams } from "./address.js";
import { go } from "./navigate.js";

const find = (id) => document.getElementById(id);
const now = () => go(withParams({ as_of: "" }));
const requestedSnapshot = () => new URLSearchParams(location.search).get("as_of");

const format = (moment) => moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

async function snapshot(moment) {
  const answer = await fetch(`/api/v1/snapshot?as_of=${encodeURIComponent(moment)}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || `status ${answer.status}`);
  return body;
}

let begins = null; // the earliest moment that can be shown
let offered = null; // a promise: done when `begins` is known

/** Disable the jumps to times before the first snapshot. */
async function offer() {
  const dialog = find("past");
  const answer = await fetch("/api/v1/health").catch(() => null);
  begins = answer?.ok ? new Date(Date.parse((await answer.json()).store.oldest_at) + 1000) : null;
  for (const jump of dialog.querySelectorAll("[data-ago]")) {
    jump.disabled = begins && ago(jump) < begins;
    jump.title = jump.disabled ? "The store has no data that old." : "";
  }
  find("past-begins").textContent = begins ? `The store begins at ${format(begins)}.` : "";
}
const ago = (jump) => new Date(Date.now() - jump.getAttribute("data-ago") * 3600e3);

function refusal(moment) {
  if (Number.isNaN(moment.getTime())) return "Choose a time first.";
  if (moment > new Date()) return `${format(moment)} is in the future: choose an earlier time.`;
  if (begins && moment < begins) return `The store begins at ${format(begins)}; it has no data for ${format(moment)}.`;
  return "";
}

async function travel(moment) {
  await offered;
  find("past-status").textContent = refusal(moment);
  if (refusal(moment)) return;
  const utc = `${moment.toISOString().slice(0, 19)}Z`;
  try {
    const { snapshot: id } = await snapshot(utc);
    find("past").close();
    go(withParams({ as_of: id, offset: "" }));
  } catch (error) {
    find("past-status").textContent = String(error.message).replace(utc, format(moment));
  }
}

document.addEventListener("DOMContentLoaded", () => {
  find("past").addEventListener("rt:opened", () => {
    find("past-status").textContent = "";
    find("past").querySelector("[data-now]").hidden = !requestedSnapshot();
    offered = offer();
  });
  find("past-form").addEventListener("submit", () => travel(new Date(find("past-time").value)));
  find("past").addEventListener("click", ({ target }) => {
    if (target.hasAttribute("data-ago")) travel(ago(target));
    if (!target.hasAttribute("data-now")) return;
    find("past").close();
    now();
  });
});

/** For Dash: the banner of a screen that shows an earlier snapshot. */
export async function past() {
  const banner = find("then");
  const id = requestedSnapshot();
  document.documentElement.toggleAttribute("data-past", Boolean(id));
  if (!id) return banner.replaceChildren();
  let label = `snapshot ${id}`;
  try {
    label = format(new Date((await snapshot(id)).committed_at));
  } catch {
    // the page shows the error
  }
  if (requestedSnapshot() !== id) return;
  const back = document.createElement("button");
  back.className = "act";
  back.textContent = "Back to now";
  back.addEventListener("click", now);
  banner.replaceChildren(`You are looking at ${label}. `, back);
}
