// Copying and exporting what is shown. The server says which API call answers this screen; the rest is the browser's.
import { withParams } from "./address.js";
import { printed } from "./charts.js";
import { setProps } from "./dash.js";
import { shownSnapshot } from "./live.js";

const find = (id) => document.getElementById(id);
const LARGE = { width: 1200, height: 500, scale: 2 };
const TITLE = 44; // px at the head of a picture
let call = "";

const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`;
const posted = (sql) =>
  `curl -s ${location.origin}/api/v1/sql -H 'Content-Type: application/json' -d ${quoted(JSON.stringify({ sql }))}`;
const TEXTS = {
  link: () => location.href,
  pinned: () => location.origin + withParams({ as_of: shownSnapshot() }),
  call: () => call,
};

async function copy(name) {
  const text = TEXTS[name]();
  try {
    await navigator.clipboard.writeText(text);
    find("share-status").textContent = "Copied.";
  } catch {
    // without a secure context there is no clipboard: the text is shown and selected, ready for Ctrl C
    find("share-call").textContent = text;
    getSelection().selectAllChildren(find("share-call"));
    find("share-status").textContent = "The browser does not allow copying here: press Ctrl C.";
  }
}

// a frame that is hidden holds no chart yet
const charts = () =>
  [...document.querySelectorAll("#page .js-plotly-plot")].filter((plot) => !plot.closest("[hidden]"));

function titleOf(plot) {
  const section = plot.closest("section");
  return section ? section.querySelector("h2").textContent : "Chart";
}

function offerCharts() {
  const rows = charts().flatMap((plot, index) => {
    const name = titleOf(plot);
    return ["png", "svg"].map((form) => {
      const button = document.createElement("button");
      button.className = "act";
      button.textContent = `${name} as ${form.toUpperCase()}`;
      button.addEventListener("click", () => download(index, name, form));
      return button;
    });
  });
  find("share-charts").replaceChildren(...rows);
  for (const row of document.querySelectorAll("[data-charts]")) row.hidden = !rows.length;
}

/** How tall the legend becomes at the width of the picture, in px: as many rows as its names take. */
async function legendHeight(figure) {
  const aside = document.createElement("div");
  aside.style.cssText = "position:fixed;left:-9999px";
  document.body.append(aside);
  await window.Plotly.newPlot(aside, figure.data, figure.layout, { staticPlot: true });
  const drawn = aside.querySelector(".legend");
  const height = drawn ? Math.ceil(drawn.getBoundingClientRect().height) : 0;
  window.Plotly.purge(aside);
  aside.remove();
  return height;
}

/** A chart as a file: in the light theme, on white, with a title, whatever the screen looks like. */
async function download(index, name, form) {
  const plot = charts()[index];
  const figure = printed(plot.id);
  const title = [document.querySelector("#page h1").textContent, name].join(" · ");
  const height = Math.max(plot.clientHeight + 60, LARGE.height);
  figure.layout = { ...figure.layout, autosize: false, width: LARGE.width, height };
  const legend = await legendHeight(figure);
  const { margin = {}, legend: known = {} } = figure.layout;
  // the title, then the legend with as many rows as it needs, then the plot
  Object.assign(figure.layout, {
    height: height + legend,
    margin: { ...margin, t: TITLE + legend + 28 },
    legend: {
      ...known,
      x: 0.01,
      xref: "container",
      y: 1 - TITLE / (height + legend),
      yref: "container",
      yanchor: "top",
    },
    title: {
      text: title.replace(/&/g, "&amp;").replace(/</g, "&lt;"),
      font: { size: 15 },
      x: 0.01,
      xref: "container",
      y: 1 - 14 / (height + legend),
      yref: "container",
      yanchor: "top",
    },
  });
  const filename = title.replace(/[^\p{L}\p{N}]+/gu, "-");
  await window.Plotly.downloadImage(figure, { format: form, ...LARGE, height: height + legend, filename });
  find("share-status").textContent = `${filename}.${form} was saved.`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button.getAttribute("data-copy"));
});

document.addEventListener("DOMContentLoaded", () => {
  find("share").addEventListener("rt:opened", () => {
    find("share-status").textContent = "";
    find("share-call").textContent = "…";
    offerCharts();
    setProps("share-request", { data: Date.now() });
  });
});

/** For Dash: show the API call that answers this screen. */
export function shared(answer) {
  if (!answer) return;
  const url = answer.path ? location.origin + answer.path : "";
  const sql = location.pathname === "/sql" && new URLSearchParams(location.hash.slice(1)).get("sql");
  call = url ? `curl -s ${quoted(url)}` : sql ? posted(sql) : "";
  find("share-call").textContent = call || "This screen has no API call.";
  find("share").querySelector("[data-copy=call]").hidden = !call;
  for (const row of document.querySelectorAll("[data-files]")) row.hidden = !answer.files;
  for (const link of document.querySelectorAll("a[data-file]"))
    link.href = `${url + (url.includes("?") ? "&" : "?")}format=${link.getAttribute("data-file")}`;
}
