// The line that says what went wrong is in view as soon as its text is laid; from then on the reader scrolls.
(() => {
  document.addEventListener("rt:rendered", () => {
    for (const mark of document.querySelectorAll(".log .failing-line")) {
      const log = mark.closest(".log");
      if (log.led === mark.textContent) continue;
      log.led = mark.textContent; // a property: the markup of a live update would take an attribute away
      log.scrollTop = mark.offsetTop - log.clientHeight / 3;
    }
  });
})();
