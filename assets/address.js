// Addresses as text.
(() => {
  /** Path and query of an address with parameters changed; an empty value removes one. `path` replaces the path. */
  window.rt.changedAddress = (href, changes, path) => {
    const url = new URL(href);
    if (path) url.pathname = path;
    for (const [name, value] of Object.entries(changes)) {
      if (value === "" || value === null || value === undefined) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    return url.pathname + url.search;
  };
})();
