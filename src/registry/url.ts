import { RegistryError } from '../oci/errors.ts';

/** The query parameters that mean anything here; everything else is ignored, as the specification asks of servers. */
export interface Query {
  readonly ns: string | undefined;
  readonly n: string | undefined;
  readonly last: string | undefined;
  readonly artifactType: string | undefined;
  readonly digest: string | undefined;
  readonly digestAlgorithm: string | undefined;
  readonly mount: string | undefined;
  readonly from: string | undefined;
  /** May be given several times. */
  readonly tags: readonly string[];
}

type Single = Exclude<keyof Query, 'tags'>;

const parameters: Readonly<Record<string, Single>> = {
  ns: 'ns',
  n: 'n',
  last: 'last',
  artifactType: 'artifactType',
  digest: 'digest',
  'digest-algorithm': 'digestAlgorithm',
  mount: 'mount',
  from: 'from',
};

const emptyQuery: Query = {
  ns: undefined,
  n: undefined,
  last: undefined,
  artifactType: undefined,
  digest: undefined,
  digestAlgorithm: undefined,
  mount: undefined,
  from: undefined,
  tags: [],
};

/**
 * Decoded once. A `+` is a plus: no value of ours holds a space, media types do hold pluses.
 * @throws RegistryError `REQUEST_INVALID` for a broken escape, or a parameter given twice
 */
export function parseQuery(text: string): Query {
  if (text === '') return emptyQuery;
  const query: { -readonly [K in Single]: Query[K] } = { ...emptyQuery };
  const tags: string[] = [];
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? '' : pair.slice(equals + 1);
    if (name === 'tag') tags.push(decoded(value, 'query'));
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (parameter === undefined) continue;
    if (query[parameter] !== undefined) {
      throw new RegistryError('REQUEST_INVALID', `the query parameter "${name}" is given twice; give it once`);
    }
    query[parameter] = decoded(value, 'query');
  }
  return { ...query, tags };
}

/**
 * The parts between the slashes, each decoded once; the last one is empty when the path ends with a slash.
 * @throws RegistryError `NAME_INVALID` for empty parts, `.`, `..`, broken escapes and escaped slashes
 */
export function pathSegments(path: string): readonly string[] {
  const segments = path.slice(1).split('/');
  const escaped = path.includes('%');
  return segments.map((raw, index) => {
    const segment = escaped ? decoded(raw, 'path') : raw;
    const last = index === segments.length - 1;
    if ((segment === '' && !last) || segment === '.' || segment === '..' || segment.includes('/')) {
      throw new RegistryError(
        'NAME_INVALID',
        `the path has an empty part, a "." or ".." or an escaped "/": ${shown(path)}`,
      );
    }
    return segment;
  });
}

/** A text from a client, short and harmless enough for a message. */
export function shown(text: string): string {
  const short = text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}…` : text;
  return JSON.stringify(short);
}

const shownCharactersMax = 200;

function decoded(text: string, where: 'path' | 'query'): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RegistryError(
      where === 'path' ? 'NAME_INVALID' : 'REQUEST_INVALID',
      `the ${where} has a broken percent-escape: ${shown(text)}`,
    );
  }
}
