// What the server gives the scripts (dashboard/shell.py).
let given = null;

/** {kept: parameters that links to other screens keep, selectors: those with a selector, plotly: the address of Plotly} */
export function forScripts() {
  given ??= JSON.parse(document.getElementById("for-scripts").textContent);
  return given;
}
