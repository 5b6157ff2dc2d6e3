// What changed since you last looked: the newest run of each release is remembered in this browser only.
import { withParams } from "./address.js";

const NAME = "rt-seen";
const NAMED = 5; // tests that are named
const PAUSE = 60000; // a shorter absence does not count
const NARROWED = /[?&](as_of|environment|module|topology|priority)=/; // shows other runs than the newest
let before = read();
let left = false;

function read() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) || { runs: {} };
  } catch {
    return { runs: {} };
  }
}

function remember() {
  const tiles = document.querySelectorAll("#overview [data-seen]");
  if (!tiles.length || NARROWED.test(location.search)) return;
  const of = (name) => Object.fromEntries([...tiles].map((tile) => [tile.dataset.seen, tile.dataset[name]]));
  try {
    const runs = { ...before.runs, ...of("run") };
    const started = { ...before.started, ...of("started") };
    localStorage.setItem(
      NAME,
      JSON.stringify({ at: Date.now(), runs, started, broken: { ...before.broken, ...of("broken") } }),
    );
  } catch {
    // without storage there is no last visit to compare with
  }
}

/** How many more or fewer of its tests are newly broken, as text. */
function moved(tile) {
  const known = before.broken?.[tile.dataset.seen];
  const by = known === undefined ? 0 : tile.dataset.broken - known;
  return by ? ` (${Math.abs(by)} ${by > 0 ? "more" : "fewer"} broken)` : "";
}

/** Names the tests that broke in these releases since, the worst first; a click opens the failure. */
async function name(line, releases) {
  const broke = await Promise.all(
    releases
      .filter((release) => before.started?.[release])
      .map(async (release) => {
        const query = new URLSearchParams({
          release,
          kind: "regression,new_failure",
          limit: 200,
          fields: "test,name,release,environment,first_bad",
        });
        const answer = await fetch(`/api/v1/verdicts?${query}`).catch(() => null);
        const items = answer?.ok ? (await answer.json()).items : [];
        return items.filter((one) => one.first_bad && one.first_bad.started_at > before.started[release]);
      }),
  );
  const found = broke.flat();
  if (!found.length || !line.isConnected || line.hidden) return;
  const links = found.slice(0, NAMED).map((one) => {
    const link = document.createElement("a");
    link.href = withParams({ case: `${one.test}@${one.release}/${one.environment || ""}` });
    link.textContent = one.name;
    return link;
  });
  const rest = found.length - links.length;
  line.append(
    " Newly broken: ",
    ...links.flatMap((link, index) => (index ? [", ", link] : [link])),
    rest ? ` and ${rest} more.` : ".",
  );
}

function showNews() {
  const line = document.getElementById("since");
  if (!line || !before.at || NARROWED.test(location.search)) return;
  const [fresh, came] = [[], []]; // texts, and the releases
  for (const tile of document.querySelectorAll("#overview [data-seen]")) {
    const known = before.runs[tile.dataset.seen];
    if (known === tile.dataset.run) continue;
    fresh.push(tile.dataset.seen + moved(tile));
    came.push(tile.dataset.seen);
    const mark = document.createElement("span");
    mark.className = "new-mark";
    mark.textContent = "new run";
    tile.querySelector("header .state").after(mark);
  }
  line.hidden = !fresh.length;
  if (fresh.length) {
    const at = new Date(before.at).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
    line.textContent = `New since your last visit (${at}): ${fresh.join(", ")}.`;
    name(line, came);
  }
}

document.addEventListener("rt:rendered", ({ detail }) => {
  if (detail.name !== "overview") return;
  if (left) before = read();
  left = false;
  showNews();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) remember();
  else if (Date.now() - (read().at || 0) > PAUSE) left = true;
});
addEventListener("pagehide", remember);
