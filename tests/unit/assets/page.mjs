// What a page gives the scripts, as far as those that compute addresses read it.

/** Set the page's address, and the scope that the server prints into it. */
export function page(path, kept = ["release", "topology", "as_of"]) {
  globalThis.location = new URL(path, "http://tracker.example:8050");
  const element = { textContent: JSON.stringify({ kept }) };
  globalThis.document = { getElementById: (id) => (id === "for-scripts" ? element : null) };
}
