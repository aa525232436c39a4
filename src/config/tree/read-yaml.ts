import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair } from 'yaml';
import type { Origin, Problem } from '../error.ts';
import { emptyMap, type Entry, type MapTree, type ScalarTree, type Tree } from './tree.ts';

/** More than this is no configuration. Aliases count as often as they are used. */
const nodesMax = 100_000;
const depthMax = 64;
export const fileBytesMax = 1024 * 1024;

/** YAML 1.2 as a tree with places; merge keys (`<<`) work as in the YAML of Go. What is wrong comes as problems. */
export function readYaml(
  text: string,
  file: string,
): { readonly tree: MapTree; readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const originOf = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset);
    return { kind: 'file', file, line, column: col };
  };
  const start: Origin = { kind: 'file', file, line: 1, column: 1 };
  const problems: Problem[] = document.errors.map((error) => ({
    key: undefined,
    origin: originOf(error.pos[0]),
    text:
      error.code === 'MULTIPLE_DOCS' ? severalDocuments : `${error.message.replace(/\.$/u, '')}; correct the YAML here`,
  }));
  if (problems.length > 0) return { tree: emptyMap(start), problems };
  const reader = new TreeReader(document, originOf, problems);
  const tree = document.contents === null ? emptyMap(start) : reader.read(document.contents, 0);
  if (tree.kind === 'map') return { tree, problems };
  const isEmpty = tree.kind === 'scalar' && tree.value === null;
  if (!isEmpty)
    problems.push({
      key: undefined,
      origin: tree.origin,
      text: 'the file is not a map of keys; write `key: value` lines',
    });
  return { tree: emptyMap(start), problems };
}

const severalDocuments = 'a second document begins here; a configuration is one: remove this line, or what follows it';

class TreeReader {
  readonly #document: Document;
  readonly #originOf: (offset: number) => Origin;
  readonly #problems: Problem[];
  #nodes = 0;

  constructor(document: Document, originOf: (offset: number) => Origin, problems: Problem[]) {
    this.#document = document;
    this.#originOf = originOf;
    this.#problems = problems;
  }

  read(node: unknown, depth: number): Tree {
    const yamlNode = node as Node | null;
    const origin = this.#originOf(yamlNode?.range?.[0] ?? 0);
    this.#nodes += 1;
    if (this.#nodes > nodesMax || depth > depthMax) return this.#tooMuch(origin);
    if (isAlias(yamlNode)) return this.read(yamlNode.resolve(this.#document) ?? null, depth + 1);
    if (isSeq(yamlNode))
      return { kind: 'list', items: yamlNode.items.map((item) => this.read(item, depth + 1)), origin };
    if (isMap(yamlNode)) return this.#readMap(yamlNode.items, origin, depth);
    return scalar(yamlNode, origin);
  }

  #readMap(pairs: readonly Pair[], origin: Origin, depth: number): MapTree {
    const own = new Map<string, Entry>();
    const merged = new Map<string, Entry>();
    for (const pair of pairs) {
      const keyNode = pair.key as Node | null;
      const key = isScalar(keyNode) ? (keyNode.source ?? String(keyNode.value)) : '';
      const keyOrigin = this.#originOf(keyNode?.range?.[0] ?? 0);
      const value = pair.value === null ? nothing(keyOrigin) : this.read(pair.value, depth + 1);
      if (!isScalar(keyNode))
        this.#problems.push({ key: undefined, origin: keyOrigin, text: 'a key must be a word; write `key: value`' });
      else if (key === '<<') merge(merged, value);
      else own.set(key, { keyOrigin, value });
    }
    return { kind: 'map', entries: new Map([...merged, ...own]), origin };
  }

  #tooMuch(origin: Origin): ScalarTree {
    if (this.#nodes <= nodesMax + 1) {
      this.#problems.push({
        key: undefined,
        origin,
        text: `more than ${nodesMax} values, or ${depthMax} levels; write a smaller file`,
      });
    }
    this.#nodes = nodesMax + 2;
    return nothing(origin);
  }
}

/** The first of several merged maps wins, as YAML's merge type has it. */
function merge(into: Map<string, Entry>, value: Tree): void {
  const maps = value.kind === 'list' ? value.items : [value];
  for (const map of maps) {
    if (map.kind !== 'map') continue;
    for (const [key, entry] of map.entries) if (!into.has(key)) into.set(key, entry);
  }
}

function scalar(node: Node | null, origin: Origin): ScalarTree {
  if (!isScalar(node)) return nothing(origin);
  const value = node.value;
  const isQuoted = node.type !== 'PLAIN';
  if (typeof value === 'string') return { kind: 'scalar', value, text: value, quoted: isQuoted, origin };
  const text = node.source ?? '';
  if (typeof value === 'number' || typeof value === 'boolean')
    return { kind: 'scalar', value, text, quoted: isQuoted, origin };
  return nothing(origin);
}

function nothing(origin: Origin): ScalarTree {
  return { kind: 'scalar', value: null, text: '', quoted: false, origin };
}
