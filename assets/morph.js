// Lays new markup over what is shown: standing nodes stay, so scroll, focus, open rows and selections survive.
(function () {
  "use strict";
  const rt = (window.rt = window.rt || {});
  const shown = {}; // sink -> {at, snapshot} of what it shows

  const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") || node.id : "") || "";

  function attributes(from, to) {
    // What the user opened or closed stays so.
    const kept = (name) => name === "open" && from.tagName === "DETAILS";
    for (const { name, value } of [...to.attributes]) {
      if (from.getAttribute(name) !== value && !kept(name)) from.setAttribute(name, value);
    }
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !kept(name)) from.removeAttribute(name);
    }
    const own = from.hasAttribute("data-own"); // what stands in it is the user's alone
    if (from.tagName === "INPUT" && from !== document.activeElement && !own) from.value = to.value;
    if (from.tagName === "SELECT" && from !== document.activeElement) {
      const chosen = [...to.options].find((option) => option.hasAttribute("selected"));
      if (chosen) queueMicrotask(() => (from.value = chosen.value));
    }
  }

  function morph(from, to, live) {
    const keyed = new Map();
    for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    let place = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const key = keyOf(wanted);
      let match = key ? keyed.get(key) : place;
      while (!key && match && keyOf(match)) match = match.nextSibling;
      if (match && (match.nodeType !== wanted.nodeType || match.nodeName !== wanted.nodeName)) match = null;
      if (!match) {
        from.insertBefore(wanted, place);
        continue;
      }
      if (match !== place) from.insertBefore(match, place);
      else place = place.nextSibling;
      if (match.nodeType === 1) {
        const before = live && match.hasAttribute("data-live") ? match.textContent : null;
        attributes(match, wanted);
        morph(match, wanted, live);
        if (before !== null && before !== match.textContent) {
          match.classList.remove("fresh-value");
          void match.offsetWidth; // restarts the animation
          match.classList.add("fresh-value");
        }
      } else if (match.data !== wanted.data) {
        match.data = wanted.data;
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  /** Show an answer {html, at, snapshot} in the sink of a store "<sink>-html", unless it shows a newer one already. */
  rt.lay = function (answer, storeId) {
    if (!answer) return;
    const name = storeId.replace(/-html$/, "");
    const target = document.getElementById(name);
    if (!target) return;
    const last = shown[name];
    const same = last && last.at === answer.at && target.firstChild;
    if (same && answer.snapshot !== null && last.snapshot !== null && answer.snapshot < last.snapshot) return;
    shown[name] = { at: answer.at, snapshot: answer.snapshot };
    const template = document.createElement("template");
    template.innerHTML = answer.html;
    rt.times(template.content);
    morph(target, template.content, Boolean(same));
    const titled = target.querySelector("[data-title]");
    if (titled) document.title = titled.getAttribute("data-title") + " · Regression Tracker";
    document.dispatchEvent(new CustomEvent("rt:laid", { detail: { name, same: Boolean(same) } }));
  };

  const clientside = (window.dash_clientside = window.dash_clientside || {});
  clientside.rt = clientside.rt || {};
  clientside.rt.lay = (answer, id) => rt.lay(answer, id);
})();
