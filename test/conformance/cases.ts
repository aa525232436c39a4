/**
 * What the runner found, read from its junit.xml. Both of its forms write one: the `go test` package through Ginkgo, the
 * program of 2026 by itself. They are alike in what Go's XML encoder makes of them, and differ in where the words are.
 */

export type Outcome = 'passed' | 'failed' | 'skipped';

export interface Case {
  readonly name: string;
  readonly outcome: Outcome;
  /** Why it failed or was skipped, in the runner's words; empty where it said nothing. */
  readonly reason: string;
  /** The requests that it made and the responses to them, as the runner wrote them down; empty where it did not. */
  readonly exchanges: string;
}

/** Throws if there is no case in it: a runner that ran nothing has proved nothing. */
export function parseJunit(xml: string): readonly Case[] {
  const cases = [...xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)].map(
    ([, attributes = '', body = '']) => caseOf(attributesOf(attributes), body),
  );
  if (cases.length === 0) throw new Error('the runner reported no case: see its output');
  return cases;
}

function caseOf(attributes: ReadonlyMap<string, string>, body: string): Case {
  const full = attributes.get('name') ?? '';
  // Ginkgo puts the suite's name before every case's.
  const suite = `${attributes.get('classname') ?? ''} `;
  const name = full.startsWith(suite) ? full.slice(suite.length) : full;
  const said = element(body, 'skipped') ?? element(body, 'failure') ?? element(body, 'error');
  return {
    name,
    outcome: outcomeOf(attributes.get('status'), body),
    reason: withoutPlaces(said ?? element(body, 'system-out') ?? ''),
    exchanges: element(body, 'system-err') ?? '',
  };
}

/** The program says it in an attribute, Ginkgo by the element inside. What is neither passed nor skipped has failed. */
function outcomeOf(status: string | undefined, body: string): Outcome {
  if (status !== undefined) return status === 'passed' || status === 'skipped' ? status : 'failed';
  if (/<skipped\b/.test(body)) return 'skipped';
  return /<(?:failure|error)\b/.test(body) ? 'failed' : 'passed';
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, decode(value)]));
}

function element(body: string, name: string): string | undefined {
  const [, inner] = new RegExp(`<${name}\\b[^>]*?(?<!/)>(.*?)</${name}>`, 's').exec(body) ?? [];
  if (inner === undefined) return undefined;
  const [, data] = /^\s*<!\[CDATA\[(.*)\]\]>\s*$/s.exec(inner) ?? [];
  return (data ?? decode(inner)).trim();
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
      return entities[name ?? ''] ?? whole;
    },
  );
}

/** Lines of the runner's source are of no use without it, and name this machine's directories. */
function withoutPlaces(text: string): string {
  const lines = text.split('\n').filter((line) => !/^\/\S+\.go:\d+$/.test(line.trim()));
  return lines.join('\n').trim();
}
