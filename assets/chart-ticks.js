// Which runs of a chart get a label on its time axis.

const DAY = { day: "numeric", month: "short" };
const HOUR = { hour: "2-digit", minute: "2-digit" };

/**
 * Plotly's tick settings for runs side by side: at most about `most` labels, the day where a new one begins, hours
 * within a long day. `moments` are ISO times, oldest first.
 */
export function chartTicks(moments, most) {
  const labels = (form) => moments.map((iso) => new Date(iso).toLocaleString([], form));
  const days = labels(DAY);
  const hours = labels(HOUR);
  const step = Math.max(moments.length / most, 1);
  const [tickvals, ticktext] = [[], []];
  moments.forEach((_, index) => {
    const begins = days[index] !== days[index - 1];
    const since = tickvals.length ? index - tickvals[tickvals.length - 1] : Infinity;
    if (since < (begins ? step : 2 * step)) return;
    tickvals.push(index);
    ticktext.push(begins ? days[index] : hours[index]);
  });
  // The newest day always has a label, even if that removes its neighbours.
  const start = days.indexOf(days[days.length - 1]);
  if (moments.length && !tickvals.includes(start)) {
    const far = tickvals
      .map((value, index) => [value, ticktext[index]])
      .filter(([value]) => Math.abs(value - start) >= step);
    const all = [...far, [start, days[start]]].sort((one, other) => one[0] - other[0]);
    return {
      tickmode: "array",
      tickvals: all.map(([value]) => value),
      ticktext: all.map(([, text]) => text),
      tickangle: 0,
    };
  }
  return { tickmode: "array", tickvals, ticktext, tickangle: 0 };
}
