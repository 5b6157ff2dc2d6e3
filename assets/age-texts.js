// How old the data is, in words.

/** An age, rounded down as by local-times.js. */
const span = (seconds) =>
  seconds < 3600
    ? `${Math.max(1, Math.floor(seconds / 60))} min`
    : seconds < 48 * 3600
      ? `${Math.floor(seconds / 3600)} h`
      : `${Math.floor(seconds / 86400)} days`;

/** What the dot and the bar say of an answer of /api/v1/health/freshness: {dot, bar}; "" for nothing. */
export function ageTexts({ state, behind_s: behind }) {
  const never = behind === null;
  if (state === "stopped") {
    const since = never ? "No data yet" : `No new data for ${span(behind)}`;
    return { dot: "stopped", bar: `${since}: ingestion is not running.` };
  }
  if (state !== "late") return { dot: state === "live" ? "live" : "", bar: "" };
  return { dot: never ? "not polled yet" : `${span(behind)} behind`, bar: "" };
}
