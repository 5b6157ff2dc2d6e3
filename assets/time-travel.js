// Time travel: `as_of` in the address sends every question to an earlier snapshot. This finds one, and says so.
(() => {
  const rt = window.rt;
  const clientside = window.dash_clientside;
  const find = (id) => document.getElementById(id);
  const now = () => rt.go(rt.withParams({ as_of: "" }));
  const asked = () => new URLSearchParams(location.search).get("as_of");

  const told = (moment) => moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

  async function snapshot(moment) {
    const answer = await fetch(`/api/v1/snapshot?as_of=${encodeURIComponent(moment)}`);
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail || `status ${answer.status}`);
    return body;
  }

  let begins = null; // the earliest moment that can be shown
  let known = null; // when it has been asked for

  /** What is offered: only moments that the store knows. */
  async function offer() {
    const dialog = find("past");
    const answer = await fetch("/api/v1/health").catch(() => null);
    begins = answer?.ok ? new Date(Date.parse((await answer.json()).store.oldest_at) + 1000) : null;
    for (const jump of dialog.querySelectorAll("[data-ago]")) {
      jump.disabled = begins && ago(jump) < begins;
      jump.title = jump.disabled ? "The store is younger than that." : "";
    }
    find("past-begins").textContent = begins ? `The store begins at ${told(begins)}.` : "";
  }
  const ago = (jump) => new Date(Date.now() - jump.getAttribute("data-ago") * 3600e3);

  function refused(moment) {
    if (Number.isNaN(moment.getTime())) return "Choose a moment first.";
    if (moment > new Date()) return `${told(moment)} is still to come: choose a moment that has passed.`;
    if (begins && moment < begins)
      return `The store begins at ${told(begins)}: it cannot say how it stood at ${told(moment)}.`;
    return "";
  }

  async function travel(moment) {
    await known;
    find("past-status").textContent = refused(moment);
    if (refused(moment)) return;
    const utc = `${moment.toISOString().slice(0, 19)}Z`;
    try {
      const { snapshot: id } = await snapshot(utc);
      find("past").close();
      rt.go(rt.withParams({ as_of: id, offset: "" }));
    } catch (error) {
      find("past-status").textContent = String(error.message).replace(utc, told(moment));
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    find("past").addEventListener("rt:opened", () => {
      find("past-status").textContent = "";
      find("past").querySelector("[data-now]").hidden = !asked();
      known = offer();
    });
    find("past-form").addEventListener("submit", () => travel(new Date(find("past-time").value)));
    find("past").addEventListener("click", ({ target }) => {
      if (target.hasAttribute("data-ago")) travel(ago(target));
      if (!target.hasAttribute("data-now")) return;
      find("past").close();
      now();
    });
  });

  /** The banner of a screen that does not show now. */
  clientside.rt.past = async () => {
    const banner = find("then");
    const id = asked();
    document.documentElement.toggleAttribute("data-past", Boolean(id));
    if (!id) return banner.replaceChildren();
    let said = `snapshot ${id}`;
    try {
      said = told(new Date((await snapshot(id)).committed_at));
    } catch {
      // the page says what is wrong with it
    }
    if (asked() !== id) return;
    const back = document.createElement("button");
    back.className = "act";
    back.textContent = "Back to now";
    back.addEventListener("click", now);
    banner.replaceChildren(`This is how it stood at ${said}. `, back);
  };
})();
