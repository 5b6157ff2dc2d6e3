// A fragment leads to its heading once the page that has it is laid, and again whenever it changes.
(() => {
  let asked = false;

  function lead() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.tabIndex = -1;
    target.scrollIntoView({ block: "start" });
    target.focus({ preventScroll: true });
  }

  document.addEventListener("rt:rendered", ({ detail }) => {
    if (detail.name !== "docs") return;
    if (asked || !detail.same) lead();
    asked = false;
  });
  addEventListener("hashchange", () => {
    asked = true;
    lead();
  });
})();
