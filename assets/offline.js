// Navigation while the server is away: the old page must not be shown under the new address, and the new page is loaded
// when the server answers. Dash requests once and gives up; its requests are watched here and repeated.
import { setProps, watchRequests } from "./dash.js";

let lost = false; // a request has failed since the server last answered
let renderedPage = ""; // the address whose page is shown

/** A page's address without the order of its parameters and without the open text, which is not another page. */
function page(href) {
  const url = new URL(href, location.href);
  const query = [...url.searchParams].filter(([name, value]) => value && name !== "case").sort();
  return `${url.pathname}?${new URLSearchParams(query)}`;
}

function show() {
  const slot = document.getElementById("unloaded");
  if (!slot) return;
  const away = lost && page(location.href) !== renderedPage;
  if (document.documentElement.toggleAttribute("data-unloaded", away) === Boolean(slot.firstChild)) return;
  if (!away) return slot.replaceChildren();
  const [heading, paragraph] = [document.createElement("h1"), document.createElement("p")];
  heading.textContent = "This page could not be loaded";
  paragraph.textContent = "The server does not answer. This page retries every two seconds.";
  slot.replaceChildren(heading, paragraph);
}

watchRequests(miss);

function miss() {
  lost = true;
  show();
}

/** The server answered: repeat the request that failed. */
export function heard() {
  if (!lost) return;
  lost = false;
  setProps("url", { pathname: location.pathname, href: location.href });
}

document.addEventListener("rt:rendered", ({ detail }) => {
  if (detail.name === "drawer") return;
  renderedPage = page(detail.at);
  show();
});
addEventListener("popstate", show);
