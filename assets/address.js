// Addresses of screens.
import { forScripts } from "./for-scripts.js";

/** Path and query of an address with parameters changed; an empty value removes one. `path` replaces the path. */
export function changedAddress(href, changes, path) {
  const url = new URL(href);
  if (path) url.pathname = path;
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url.pathname + url.search;
}

/** The current address with parameters changed; see changedAddress. */
export const withParams = (changes, path) => changedAddress(location.href, changes, path);

/** The address of another screen in the scope of this one; parameters in `without` are not kept. */
export function inScope(path, without = []) {
  const { kept } = forScripts();
  const parameters = [...new URLSearchParams(location.search)];
  const query = new URLSearchParams(parameters.filter(([name]) => kept.includes(name) && !without.includes(name)));
  return path + (query.size ? `?${query}` : "");
}
