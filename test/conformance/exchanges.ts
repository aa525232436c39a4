/**
 * The requests and responses of each case, from what the runner's `go test` form prints with OCI_DEBUG and -ginkgo.v: its
 * junit.xml has none.
 */
import type { Case } from './cases.ts';

/** Cases that have none get theirs. */
export function withExchanges(cases: readonly Case[], output: string): readonly Case[] {
  const byName = exchangesByName(output);
  return cases.map((each) => ({ ...each, exchanges: each.exchanges || (byName.get(each.name) ?? '') }));
}

/** Between two cases there is a line of thirty dashes; the first of a case's own lines is where it stands, the second its name. */
function exchangesByName(output: string): ReadonlyMap<string, string> {
  const [opening = '', ...sections] = output.split(/^-{30}$/m);
  const [suite = ''] = /(?<=^Running Suite: ).*$/m.exec(opening) ?? [];
  const first = opening.split('\n\n').slice(1).join('\n\n');
  const found = new Map<string, string>();
  for (const section of [first, ...sections]) {
    const lines = section.split('\n').filter((line) => line.trim() !== '');
    const name = `${lines[0]?.trim()} ${lines[1]?.trim()}`.replace(`${suite} `, '');
    const exchanges = [...section.matchAll(/^DEBUG *\n={78}\n(.*?)\n={78}$/gms)].map(([, exchange = '']) => exchange);
    found.set(name, exchanges.map((exchange) => exchange.trim()).join('\n\n'));
  }
  return found;
}
