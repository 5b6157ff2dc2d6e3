// Times: the data is UTC, the reader is not. Local time in the text, UTC in the title; "12 min ago" stays true.

const full = new Intl.DateTimeFormat([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const dated = new Intl.DateTimeFormat([], { day: "numeric", month: "short", year: "numeric" });

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });

function ago(moment) {
  const seconds = (Date.now() - moment) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 60 * 86400) return `${Math.floor(seconds / 86400)} days ago`;
  return dated.format(moment);
}

/** Put local time into the time elements below `root`. */
export function showLocalTimes(root) {
  for (const element of root.querySelectorAll("time[data-time]")) {
    const moment = new Date(element.getAttribute("datetime"));
    const old = Date.now() - moment > 300 * 86400e3;
    const local = old ? dated.format(moment) : full.format(moment);
    const style = element.getAttribute("data-time");
    const text = style === "ago" ? ago(moment) : style === "clock" ? clock.format(moment) : local;
    if (element.textContent !== text) element.textContent = text;
    element.title = `${moment.toLocaleString()}\n${moment.toISOString().replace("T", " ").slice(0, 19)} UTC`;
  }
}

setInterval(() => showLocalTimes(document), 20000);
