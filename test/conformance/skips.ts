/** The list of cases that the runner may skip (skipped.md), held against what it did skip. */
import type { Case } from './cases.ts';

/** The reason of each listed case, from the table in the text. */
export function parseSkips(markdown: string): ReadonlyMap<string, string> {
  const rows = [...markdown.matchAll(/^\| *(.+?) *\| *(.+?) *\|$/gm)].map(
    ([, name = '', reason = '']) => [name, reason] as const,
  );
  return new Map(rows.filter(([name]) => name !== 'case' && !/^-+$/.test(name)));
}

/** What is wrong with the list, each a sentence that ends with what to do. */
export function skipProblems(cases: readonly Case[], listed: ReadonlyMap<string, string>): readonly string[] {
  const skipped = new Set(cases.filter(({ outcome }) => outcome === 'skipped').map(({ name }) => name));
  return [
    ...[...skipped]
      .filter((name) => !listed.has(name))
      .map((name) => `skipped without a reason: ${name}: make it run, or add it to skipped.md`),
    ...[...listed.keys()]
      .filter((name) => !skipped.has(name))
      .map((name) => `listed in skipped.md, but not skipped: ${name}: take it off the list`),
  ];
}
