// Forms that ask the server for something hand their fields to a Store; a callback carries them out and answers.
(function () {
  "use strict";
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-ask]");
    if (!form) return;
    const asked = Object.fromEntries(new FormData(form));
    window.dash_clientside.set_props(form.getAttribute("data-ask"), { data: asked });
    for (const field of form.querySelectorAll("input:not([type=hidden])")) field.value = "";
  });
})();
