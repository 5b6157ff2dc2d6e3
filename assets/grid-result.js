// The result that a cell of the grid shows: of its test in its run, in the part of the run that the address asks for.
(() => {
  const rt = window.rt;
  const asked = new Map(); // address -> the results, so that the pointer going back and forth asks once
  const FITS = {
    F: (result) => result.status === "failed",
    K: (result) => result.status === "passed" && result.rerun,
    P: (result) => result.status === "passed",
    S: (result) => result.status === "skipped",
  };

  /** Of a test of the grid ({id, key}) in a run (id): the result that made the cell its letter, the worst of several
   * topologies. null where there is none. */
  rt.cellResult = async (test, run, letter) => {
    const here = new URLSearchParams(location.search);
    const query = new URLSearchParams({
      q: test.key.slice(0, 500),
      limit: 1000,
      fields: "test,build,topology,status,rerun,message",
    });
    for (const name of ["module", "topology", "as_of"]) if (here.get(name)) query.set(name, here.get(name));
    const address = `/api/v1/runs/${encodeURIComponent(run)}/results?${query}`;
    if (!asked.has(address)) {
      if (asked.size > 200) asked.clear();
      const answer = fetch(address).then((got) => (got.ok ? got.json() : Promise.reject(got.status)));
      asked.set(
        address,
        answer.catch(() => {
          asked.delete(address);
          return { items: [] };
        }),
      );
    }
    const found = (await asked.get(address)).items.filter((result) => result.test === test.id);
    return found.find(FITS[letter] || (() => true)) || found[0] || null;
  };

  /** New data: what was known of a run that goes on may have changed. */
  rt.forgetResults = () => asked.clear();
})();
