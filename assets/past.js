// Time travel: `as_of` in the address sends every question to an earlier snapshot. This finds one, and says so.
(function () {
  "use strict";
  const rt = (window.rt = window.rt || {});
  const clientside = (window.dash_clientside = window.dash_clientside || {});
  clientside.rt = clientside.rt || {};
  const find = (id) => document.getElementById(id);
  const now = () => rt.go(rt.withParams({ as_of: "" }));
  const asked = () => new URLSearchParams(location.search).get("as_of");

  const told = (moment) => moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

  async function snapshot(moment) {
    const answer = await fetch("/api/v1/snapshot?as_of=" + encodeURIComponent(moment));
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail || "status " + answer.status);
    return body;
  }

  async function travel(moment) {
    const utc = moment.toISOString().slice(0, 19) + "Z";
    try {
      const { snapshot: id } = await snapshot(utc);
      find("past").close();
      rt.go(rt.withParams({ as_of: id, offset: "" }));
    } catch (error) {
      find("past-says").textContent = String(error.message).replace(utc, told(moment));
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    find("past").addEventListener("rt:opened", () => {
      find("past-says").textContent = "";
      find("past").querySelector("[data-now]").hidden = !asked();
    });
    find("past-form").addEventListener("submit", () => travel(new Date(find("past-time").value)));
    find("past").addEventListener("click", ({ target }) => {
      if (target.hasAttribute("data-ago")) travel(new Date(Date.now() - target.getAttribute("data-ago") * 3600e3));
      if (!target.hasAttribute("data-now")) return;
      find("past").close();
      now();
    });
  });

  /** The banner of a screen that does not show now. */
  clientside.rt.past = async function () {
    const banner = find("then");
    const id = asked();
    document.documentElement.toggleAttribute("data-past", Boolean(id));
    if (!id) return banner.replaceChildren();
    let said = "snapshot " + id;
    try {
      said = told(new Date((await snapshot(id)).committed_at));
    } catch (error) {
      // the page says what is wrong with it
    }
    if (asked() !== id) return;
    const back = document.createElement("button");
    back.className = "act";
    back.textContent = "Back to now";
    back.addEventListener("click", now);
    banner.replaceChildren("This is how it stood at " + said + ". ", back);
  };
})();
