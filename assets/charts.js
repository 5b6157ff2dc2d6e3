// Figures come with token names and UTC times; here they get the theme's colours, one template and local time, and are
// drawn.
import { inScope, withParams } from "./address.js";
import { chartTicks } from "./chart-ticks.js";
import { forScripts } from "./for-scripts.js";
import { go } from "./navigate.js";

function template(token) {
  const axis = {
    gridcolor: token("--line"),
    linecolor: token("--line-strong"),
    zeroline: false,
    ticks: "outside",
    ticklen: 4,
    tickcolor: token("--line-strong"),
    automargin: true,
    title: { standoff: 8 },
  };
  return {
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 52, r: 12, t: 24, b: 32 },
      font: { family: token("--font"), size: 12, color: token("--ink-2") },
      xaxis: { ...axis, showgrid: false },
      yaxis: { ...axis, showline: false, ticks: "" },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: token("--ink") } },
      hoverlabel: {
        bgcolor: token("--raised"),
        bordercolor: token("--line-strong"),
        align: "left",
        font: { family: token("--font"), size: 12, color: token("--ink") },
      },
      dragmode: "zoom",
    },
  };
}

function resolve(value, token) {
  if (typeof value === "string") return value.startsWith("var(--") ? token(value.slice(4, -1)) : value;
  if (Array.isArray(value)) return value;
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner, token)]));
  return value;
}

/** The figure as Plotly draws it in the current theme. */
function themed(figure) {
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  const data = figure.data.map((trace) => resolve(trace, token));
  const layout = resolve(figure.layout, token);
  layout.annotations = (figure.layout.annotations || []).map((note) => resolve(note, token));
  const narrow = matchMedia("(max-width: 720px)").matches;
  if (narrow) layout.margin = { ...layout.margin, l: 44, r: 4 };
  if (layout.meta?.moments) {
    const under = chartTicks(layout.meta.moments, narrow ? 4 : 12);
    for (const name of Object.keys(layout)) if (name.startsWith("xaxis")) Object.assign(layout[name], under);
  }
  return { data, layout: { ...layout, template: template(token) } };
}

// Plotly's own buttons are never offered: one of them uploads the figure to a cloud.
const CONFIG = { displayModeBar: false, responsive: true };
const drawn = {}; // chart -> its figure, as received
const places = {}; // chart -> the element that Plotly drew in
let loading = null;
let turn = Promise.resolve();

/** Plotly, fetched when the first chart is drawn. */
function plotly() {
  loading =
    loading ||
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = forScripts().plotly;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => {
        loading = null;
        reject(new Error("Plotly was not loaded"));
      };
      document.head.append(script);
    });
  return loading;
}

/** Draw a figure in the element with this id, after earlier ones; the figure is kept as received, for printing. */
export function draw(chart, figure) {
  drawn[chart] = figure;
  turn = turn
    .then(() => put(chart, figure))
    .catch(() => {
      const target = document.getElementById(chart);
      if (target && !target.firstChild)
        target.textContent = "The chart could not be drawn. Reload the page, or use the table.";
    });
}

async function put(chart, figure) {
  const Plotly = await plotly();
  const target = document.getElementById(chart);
  if (places[chart] && places[chart] !== target) Plotly.purge(places[chart]);
  if (!target || drawn[chart] !== figure) return;
  const { data, layout } = themed(figure);
  await Plotly.react(target, data, layout, CONFIG);
  if (places[chart] !== target) {
    target.on("plotly_click", clicked);
    target.on("plotly_relayout", brushed.bind(target));
  }
  places[chart] = target;
  await new Promise((done) => setTimeout(done)); // let the browser paint before the next one
}

document.addEventListener("rt:themed", () => {
  for (const [chart, target] of Object.entries(places)) if (target.isConnected) draw(chart, drawn[chart]);
});

/** For Dash: draw the figure of a store "<chart>-figure". */
export function chart(figure, store) {
  if (figure) draw(store.replace(/-figure$/, ""), figure);
}

/** A chart's figure for paper: the light theme on white, whatever the screen shows. */
export function printed(chart) {
  const root = document.documentElement;
  const theme = root.getAttribute("data-bs-theme");
  root.setAttribute("data-bs-theme", "light"); // read and set back before anything is painted
  const figure = themed(drawn[chart]);
  root.setAttribute("data-bs-theme", theme);
  return { ...figure, layout: { ...figure.layout, paper_bgcolor: "#fff", plot_bgcolor: "#fff" } };
}

/** A range dragged over a chart becomes the page's range; a double click removes it. */
function brushed(change) {
  if (location.pathname !== "/trends") return;
  if (change["xaxis.autorange"] && new URLSearchParams(location.search).has("since"))
    go(withParams({ since: "", until: "" }));
  const ends = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
  if (ends.includes(undefined)) return;
  const range = typeof ends[0] === "number" ? ofRuns(this.layout.meta.moments, ends) : ofDays(ends);
  if (range) go(withParams({ since: range[0], until: range[1] }));
}

function ofRuns(moments, ends) {
  const last = moments.length - 1;
  const [first, end] = [Math.max(Math.ceil(ends[0]), 0), Math.min(Math.floor(ends[1]), last)];
  if (first > end || (first === 0 && end === last)) return null;
  const chosen = moments.slice(first, end + 1).sort(); // a clock may have gone back between two runs
  return [chosen[0], chosen.at(-1)];
}

/** Days are UTC; a day is in the range if its midnight is. */
function ofDays(ends) {
  const [from, to] = ends.map((end) => (end.length > 10 ? end.slice(0, 19).replace(" ", "T") : `${end}T00:00:00`));
  const day = (text, later) =>
    `${new Date(Date.parse(`${text.slice(0, 10)}T00:00Z`) + later).toISOString().slice(0, 19)}Z`;
  return [day(from, from.slice(11, 19) > "00:00:00" ? 86400e3 : 0), day(to, 86400e3 - 1000)];
}

/** A click on a point opens its run. */
function clicked(click) {
  const run = click.points[0]?.customdata;
  if (!run) return;
  go(inScope(`/runs/${encodeURIComponent(run)}`));
}
