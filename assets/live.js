// Polls the store's snapshot id every two seconds and wakes the callbacks only when it has changed.
(() => {
  const clientside = window.dash_clientside;
  let etag = null;
  let asking = false;
  let failures = 0;
  let newest = null;
  let lastRequest = Date.now(); // when the screen was last requested
  const MINUTE = 60000;

  /** Whether the screen shows remaining times or stale releases, which change without a commit, and is a minute old. */
  function aged() {
    const follows = location.pathname === "/" || location.pathname.startsWith("/runs/");
    if (!follows || Date.now() - lastRequest < MINUTE) return false;
    lastRequest = Date.now();
    return true;
  }

  /** The snapshot that this page follows: the newest that is known, or the one that the address asks for. */
  window.rt.snapshot = () => new URLSearchParams(location.search).get("as_of") || newest;

  function setReachable(reachable) {
    failures = reachable ? 0 : failures + 1;
    if (reachable) window.rt.heard();
    const lost = failures > 1; // a single failed poll is not shown
    const banner = document.getElementById("offline");
    if (banner) {
      const text = lost ? "The server cannot be reached. The data may be old; this page reconnects by itself." : "";
      if (banner.textContent !== text) banner.textContent = text;
    }
    document.documentElement.toggleAttribute("data-offline", lost);
  }

  function date(committed) {
    const text = document.getElementById("live-text");
    if (!text || !committed) return;
    const moment = new Date(committed);
    text.textContent = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    text.title = `View an earlier time. Latest data: ${moment.toLocaleString()} (${moment.toISOString()})`;
  }

  clientside.rt.poll = async (_beat, seen) => {
    const { no_update } = window.dash_clientside;
    if (asking || document.hidden) return no_update;
    asking = true;
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch("/api/v1/snapshot", { headers, cache: "no-store", signal: AbortSignal.timeout(8000) });
      if (answer.status === 304) {
        setReachable(true);
        return aged() ? seen : no_update;
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const body = await answer.json();
      setReachable(true);
      etag = answer.headers.get("ETag");
      newest = body.snapshot;
      date(body.committed_at);
      lastRequest = Date.now();
      return body.snapshot === seen ? no_update : body.snapshot;
    } catch {
      setReachable(false);
      return no_update;
    } finally {
      asking = false;
    }
  };
})();
