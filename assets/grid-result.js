// The result behind a cell of the grid: that of its test in its run, within the address's filters.

const cache = new Map(); // URL -> results, so that moving the pointer back and forth requests them once
const FITS = {
  F: (result) => result.status === "failed",
  K: (result) => result.status === "passed" && result.rerun,
  P: (result) => result.status === "passed",
  S: (result) => result.status === "skipped",
};

/** The result of a test of the grid ({id, key}) in a run (id) that its cell shows: the worst over several topologies.
 * null if there is none. */
export async function cellResult(test, run, letter) {
  const here = new URLSearchParams(location.search);
  const query = new URLSearchParams({
    q: test.key.slice(0, 500),
    limit: 1000,
    fields: "test,build,topology,status,rerun,message",
  });
  for (const name of ["module", "topology", "as_of"]) if (here.get(name)) query.set(name, here.get(name));
  const address = `/api/v1/runs/${encodeURIComponent(run)}/results?${query}`;
  if (!cache.has(address)) {
    if (cache.size > 200) cache.clear();
    const answer = fetch(address).then((got) => (got.ok ? got.json() : Promise.reject(got.status)));
    cache.set(
      address,
      answer.catch(() => {
        cache.delete(address);
        return { items: [] };
      }),
    );
  }
  const found = (await cache.get(address)).items.filter((result) => result.test === test.id);
  return found.find(FITS[letter] || (() => true)) || found[0] || null;
}

/** New data: the results of a run in progress may have changed. */
export const forgetResults = () => cache.clear();
