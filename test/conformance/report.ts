/** What is printed: every failed case with what was said over the wire, every skipped one, and the count. */
import type { Case, Outcome } from './cases.ts';

const exchangesCharactersMax = 6_000;

export function reportText(cases: readonly Case[], listed: ReadonlyMap<string, string>): string {
  const skipped = cases.filter(({ outcome }) => outcome === 'skipped');
  return [
    ...cases.filter(({ outcome }) => outcome === 'failed').map(failureText),
    ...skipped.map(({ name, reason }) => `skipped ${name}: ${listed.get(name) ?? (reason || 'no reason given')}`),
    countText(cases),
  ].join('\n');
}

function countText(cases: readonly Case[]): string {
  const count = (outcome: Outcome): number => cases.filter((each) => each.outcome === outcome).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}

function failureText({ name, reason, exchanges }: Case): string {
  const tooLong = exchanges.length > exchangesCharactersMax;
  const said = tooLong ? `${exchanges.slice(0, exchangesCharactersMax)}\n(the rest is in the results)` : exchanges;
  return [`FAILED ${name}`, indented(reason || 'no reason given'), indented(printable(said)), ''].join('\n');
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '    ');
}

/** Bodies may be anything, and a terminal obeys some of it. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\t\n]/gu, '\u{fffd}');
}
