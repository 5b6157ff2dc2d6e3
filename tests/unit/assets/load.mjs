// Runs scripts of assets/ as a page would, in a context of their own, and gives what they put on window.rt.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const ASSETS = new URL("../../../assets/", import.meta.url);

export function load(names, globals = {}) {
  const context = vm.createContext({ URL, URLSearchParams, Intl, ...globals });
  context.window = context;
  for (const name of ["00-rt.js", ...names]) {
    const file = new URL(name, ASSETS);
    vm.runInContext(`"use strict";\n${readFileSync(file, "utf8")}`, context, { filename: file.pathname });
  }
  return context.rt;
}

/** A value of another context as one of this one, so that deepEqual compares content alone. */
export const plain = (value) => JSON.parse(JSON.stringify(value));
