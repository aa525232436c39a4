/** What the runner found, read from its junit.xml. */

export type Outcome = 'passed' | 'failed' | 'skipped';

export interface Case {
  readonly name: string;
  readonly outcome: Outcome;
  /** Why it failed or was skipped, in the runner's words; empty where it said nothing. */
  readonly reason: string;
  /** The requests that it made and the responses to them, as the runner wrote them down. */
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
  const status = attributes.get('status');
  return {
    name: attributes.get('name') ?? '',
    // What is neither passed nor skipped has failed.
    outcome: status === 'passed' || status === 'skipped' ? status : 'failed',
    reason: element(body, 'system-out'),
    exchanges: element(body, 'system-err'),
  };
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, decode(value)]));
}

function element(body: string, name: string): string {
  const [, inner = ''] = new RegExp(`<${name}\\b[^>]*?(?<!/)>(.*?)</${name}>`, 's').exec(body) ?? [];
  return decode(inner).trim();
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
