/** Small promises about every file: what it never says. */
import { isForTests } from './modules.ts';
import type { Module } from './modules.ts';

export function anys(modules: readonly Module[]): readonly string[] {
  return modules.flatMap(({ path, anys: lines }) => lines.map((line) => `${path}:${line} says any: say what it is`));
}

export function defaultExports(modules: readonly Module[]): readonly string[] {
  return modules.flatMap(({ path, defaultExports: lines }) =>
    lines.map((line) => `${path}:${line} exports a default: give it a name`),
  );
}

/** Where people are spoken to directly. Everything else tells an Observer. */
const mayUseConsole = /^(?:src\/cli|bench|scripts|test\/interop)\//;

export function consoles(modules: readonly Module[]): readonly string[] {
  return modules
    .filter(({ path }) => !mayUseConsole.test(path))
    .flatMap(({ path, uses }) =>
      uses
        .filter(({ name }) => name.startsWith('console.'))
        .map(({ name, line }) => `${path}:${line} uses ${name}: emit an event`),
    );
}

const clocks: ReadonlySet<string> = new Set(['Date.now', 'new Date()', 'performance.now', 'setTimeout', 'setInterval']);

/** Time is an input of whatever waits, ages or expires; tests may watch the real one. */
export function ownClocks(modules: readonly Module[]): readonly string[] {
  return modules
    .filter(({ path }) => !isForTests(path) && path !== 'src/observe/clock.ts')
    .flatMap(({ path, uses }) =>
      uses.filter(({ name }) => clocks.has(name)).map(({ name, line }) => `${path}:${line} uses ${name}: take a Clock`),
    );
}

const reminders = /\b(?:TODO|FIXME|XXX)\b/;
const silencers = /@ts-(?:ignore|nocheck)/;
const silencedLint = /(?:ox|es)lint-disable(?!.* -- \S)/;

/** In any text, not only in programs. */
export function unfinished(path: string, text: string): readonly string[] {
  return text.split('\n').flatMap((line, index) => {
    const at = `${path}:${index + 1}`;
    return [
      ...(reminders.test(line) ? [`${at} puts something off: do it, or write an issue`] : []),
      ...(silencers.test(line) ? [`${at} silences the compiler: say what the type is`] : []),
      ...(silencedLint.test(line) ? [`${at} silences the linter without saying why: add " -- REASON"`] : []),
    ];
  });
}
