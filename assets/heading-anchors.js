// Scrolls to the heading that the fragment names when a documentation page is shown, and when the fragment changes.
import "./navigate.js"; // scrolls a new page to its top: that listener must run first

let fragmentChanged = false;

function scrollToHeading() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.tabIndex = -1;
  target.scrollIntoView({ block: "start" });
  target.focus({ preventScroll: true });
}

document.addEventListener("rt:rendered", ({ detail }) => {
  if (detail.name !== "docs") return;
  if (fragmentChanged || !detail.same) scrollToHeading();
  fragmentChanged = false;
});
addEventListener("hashchange", () => {
  fragmentChanged = true;
  scrollToHeading();
});
