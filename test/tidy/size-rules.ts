/** A file is one idea: how long files and functions may be, and how many methods an interface may have. */
import type { Interface, Module } from './modules.ts';

export const fileLinesMax = 300;
export const functionLinesMax = 60;
export const interfaceMethodsMax = 7;

/** By `path` or `path name`: the size that it has now. The lists only shrink. */
export type Exceptions = Readonly<Record<string, number>>;

export function longFiles(modules: readonly Module[], exceptions: Exceptions): readonly string[] {
  const sizes = new Map(modules.map(({ path, lines }) => [path, lines]));
  return held(sizes, fileLinesMax, exceptions, 'lines');
}

export function longFunctions(modules: readonly Module[], exceptions: Exceptions): readonly string[] {
  const sizes = new Map<string, number>();
  for (const { path, functions } of modules) {
    for (const { name, lines } of functions) {
      const key = `${path} ${name}`;
      sizes.set(key, Math.max(lines, sizes.get(key) ?? 0));
    }
  }
  return held(sizes, functionLinesMax, exceptions, 'lines');
}

/** Inherited methods count: whoever implements the interface has to write them, too. Disposal does not. */
export function wideInterfaces(modules: readonly Module[], exceptions: Exceptions): readonly string[] {
  const all = modules.flatMap(({ path, interfaces }) => interfaces.map((each) => ({ path, each })));
  const byName = new Map(all.map(({ each }) => [each.name, each]));
  const sizes = new Map(all.map(({ path, each }) => [`${path} ${each.name}`, methodsOf(each, byName).size]));
  return held(sizes, interfaceMethodsMax, exceptions, 'methods');
}

function methodsOf(each: Interface, byName: ReadonlyMap<string, Interface>): ReadonlySet<string> {
  const methods = new Set(each.methods.filter((name) => !name.startsWith('[Symbol.')));
  for (const parent of each.extends) {
    const known = byName.get(parent);
    if (known !== undefined && known !== each) for (const name of methodsOf(known, byName)) methods.add(name);
  }
  return methods;
}

function held(sizes: ReadonlyMap<string, number>, limit: number, exceptions: Exceptions, unit: string): string[] {
  const wrong: string[] = [];
  for (const [what, size] of sizes) {
    const allowed = exceptions[what] ?? limit;
    if (size > allowed) wrong.push(`${what} has ${size} ${unit}, at most ${allowed} are allowed: divide it`);
  }
  for (const what of Object.keys(exceptions)) {
    if ((sizes.get(what) ?? 0) <= limit) wrong.push(`${what} needs no exception any more: take it off the list`);
  }
  return wrong;
}
