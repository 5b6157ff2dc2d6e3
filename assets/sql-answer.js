// What the SQL console computes from an answer {columns: [{name, type}], rows}: order of rows, axes and figure of the chart.

const SERIES = 12; // more lines or groups of bars cannot be distinguished
export const LINKS = { test: "tests", build: "builds", run: "runs", signature: "failures" }; // column -> the screens of its ids

export const hex = (value) => BigInt(value).toString(16).padStart(16, "0");
export const isNumber = (column) => /INT|DOUBLE|FLOAT|DECIMAL|REAL/.test(column.type);
export const isId = (column) => column.type === "BIGINT" && column.name in LINKS;

const isTime = (column) => /^(DATE|TIMESTAMP)/.test(column.type);

/** JSON with whole numbers that JavaScript cannot hold kept as BigInt: ids have 63 bits. */
export function parse(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && context && /^-?\d+$/.test(context.source)
      ? BigInt(context.source)
      : value,
  );
}

/** The rows in the order of one column ({column: its index, down}); null values come last. */
export function sortedRows(rows, order) {
  if (!order) return rows;
  const { column, down } = order;
  const compare = (a, b) => {
    if (a[column] === null || b[column] === null) return (a[column] === null) - (b[column] === null);
    const less = a[column] < b[column] ? -1 : a[column] > b[column] ? 1 : 0;
    return down ? -less : less;
  };
  return [...rows].sort(compare);
}

/** {kind, x, y, series} of the chart: what the parameters name, else the first column against the first number. */
export function axes(answer, wanted) {
  const names = answer.columns.map((column) => column.name);
  const numbers = answer.columns.filter((column) => isNumber(column) && !isId(column)).map((column) => column.name);
  const pick = (name, otherwise) => (names.includes(wanted.get(name)) ? wanted.get(name) : otherwise);
  const x = pick("x", names.find((name) => !numbers.includes(name)) || names[0]);
  const y = pick("y", numbers.find((name) => name !== x) || names[names.length - 1]);
  return { kind: wanted.get("view") === "line" ? "line" : "bar", x, y, series: pick("series", "") };
}

const tagless = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** A Plotly figure of the answer's rows, and how many series are left out. */
export function figure(answer, { kind, x, y, series }) {
  const at = (name) => answer.columns.findIndex((column) => column.name === name);
  const time = isTime(answer.columns[at(x)]);
  const lines = new Map();
  for (const row of time ? [...answer.rows].sort((a, b) => (a[at(x)] < b[at(x)] ? -1 : 1)) : answer.rows) {
    const name = series ? String(row[at(series)]) : y;
    if (!lines.has(name)) lines.set(name, { x: [], y: [] });
    const value = isId(answer.columns[at(x)]) ? hex(row[at(x)]) : row[at(x)];
    lines.get(name).x.push(value === null ? "NULL" : typeof value === "number" && !time ? value : String(value));
    lines.get(name).y.push(row[at(y)] === null ? null : Number(row[at(y)]));
  }
  const data = [...lines].slice(0, SERIES).map(([name, points], index) => ({
    ...points,
    x: points.x.map((value) => (typeof value === "string" && !time ? tagless(value) : value)),
    name: tagless(name),
    type: kind === "line" ? "scatter" : "bar",
    mode: "lines+markers",
    marker: {
      color: `var(--s${(index % 8) + 1}c)`,
      symbol: index,
      pattern: { shape: ["", "/", "x", "."][Math.floor(index / 8)] },
    },
    line: { color: `var(--s${(index % 8) + 1}c)`, width: 1.8, dash: ["solid", "dash"][Math.floor(index / 8)] },
    hovertemplate: "%{x}<br>%{y:,}<extra>%{fullData.name}</extra>",
  }));
  const numeric = isNumber(answer.columns[at(x)]) && !isId(answer.columns[at(x)]);
  const layout = {
    height: 420,
    barmode: "group",
    hovermode: "closest",
    showlegend: data.length > 1,
    xaxis: { title: { text: tagless(x) }, type: time ? "date" : numeric ? "linear" : "category" },
    yaxis: { title: { text: tagless(y) }, rangemode: kind === "bar" ? "tozero" : "normal" },
  };
  return { figure: { data, layout }, left: Math.max(lines.size - SERIES, 0) };
}
