// Polls the store's snapshot id every two seconds and wakes the callbacks only when it has changed; and asks less often
// whether new data arrives, which the dot and a bar show on every screen.
import { ageTexts } from "./age-texts.js";
import { noUpdate } from "./dash.js";
import { heard } from "./offline.js";

let etag = null;
let asking = false;
let failures = 0;
let newest = null;
let lastRequest = Date.now(); // when the screen was last requested
const MINUTE = 60000;
const AGE_MS = 10000; // between two questions about the age of the data
let lastAge = Number.NEGATIVE_INFINITY; // when it was last asked
let committed = null; // when the newest snapshot was

/** Whether the screen shows remaining times or stale releases, which change without a commit, and is a minute old. */
function aged() {
  const follows = location.pathname === "/" || location.pathname.startsWith("/runs/");
  if (!follows || Date.now() - lastRequest < MINUTE) return false;
  lastRequest = Date.now();
  return true;
}

/** The snapshot that this page follows: the newest that is known, or the one that the address asks for. */
export const shownSnapshot = () => new URLSearchParams(location.search).get("as_of") || newest;

function setReachable(reachable) {
  failures = reachable ? 0 : failures + 1;
  if (reachable) heard();
  const lost = failures > 1; // a single failed poll is not shown
  const banner = document.getElementById("offline");
  if (banner) {
    const text = lost ? "The server cannot be reached. The data may be old; this page reconnects by itself." : "";
    if (banner.textContent !== text) banner.textContent = text;
  }
  document.documentElement.toggleAttribute("data-offline", lost);
}

async function age() {
  if (Date.now() - lastAge < AGE_MS) return;
  lastAge = Date.now();
  const answer = await fetch("/api/v1/health/freshness", { cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (!answer.ok) return;
  const found = await answer.json();
  const texts = ageTexts(found);
  document.documentElement.setAttribute("data-age", found.state);
  const bar = document.getElementById("age");
  if (bar && bar.textContent !== texts.bar) bar.textContent = texts.bar;
  date(texts.dot);
}

function date(words) {
  const text = document.getElementById("live-text");
  if (!text || !committed) return;
  const moment = new Date(committed);
  const clock = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (text.textContent !== (words || clock)) text.textContent = words || clock;
  text.title = `View an earlier time. Latest data: ${moment.toLocaleString()} (${moment.toISOString()})`;
}

/** For Dash: the newest snapshot, or nothing if it is the one seen. */
export async function poll(_beat, seen) {
  if (asking || document.hidden) return noUpdate();
  asking = true;
  try {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch("/api/v1/snapshot", { headers, cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (answer.status === 304) {
      setReachable(true);
      await age();
      return aged() ? seen : noUpdate();
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const body = await answer.json();
    setReachable(true);
    etag = answer.headers.get("ETag");
    newest = body.snapshot;
    committed = body.committed_at;
    await age();
    lastRequest = Date.now();
    return body.snapshot === seen ? noUpdate() : body.snapshot;
  } catch {
    setReachable(false);
    return noUpdate();
  } finally {
    asking = false;
  }
}
