// Dark and light: an attribute on <html>, kept by the browser; charts read the same tokens as the style sheet.
(function () {
  "use strict";
  const clientside = (window.dash_clientside = window.dash_clientside || {});
  clientside.rt = clientside.rt || {};

  clientside.rt.theme = function (clicks) {
    const root = document.documentElement;
    if (clicks) {
      const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
      root.setAttribute("data-bs-theme", next);
      try {
        localStorage.setItem("rt-theme", next);
      } catch (error) {
        // a browser that keeps nothing still shows the theme
      }
    }
    return root.getAttribute("data-bs-theme");
  };
})();
