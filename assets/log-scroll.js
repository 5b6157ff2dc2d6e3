// Scrolls a log to the line that says what went wrong, once.

document.addEventListener("rt:rendered", () => {
  for (const mark of document.querySelectorAll(".log .failing-line")) {
    const log = mark.closest(".log");
    if (log.led === mark.textContent) continue;
    log.led = mark.textContent; // a property: the markup of a live update would take an attribute away
    log.scrollTop = mark.offsetTop - log.clientHeight / 3;
  }
});
