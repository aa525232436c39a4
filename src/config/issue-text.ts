import type { z } from 'zod';
import type { KeyNode } from './tree/keys.ts';
import type { Path } from './tree/tree.ts';
import { nearest } from './nearest.ts';
import { quoted } from './value/value-error.ts';

type Issue = z.core.$ZodIssue;

/** What is wrong with a value, in a sentence that ends with what to do, and which part of it. */
export function issueText(issue: Issue, keys: KeyNode): { readonly path: Path; readonly text: string } {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'invalid_union') return unionText(issue, keys, path);
  return { path, text: sentence(issue, keys) };
}

/** The alternative that came furthest says what is wrong; when none fits at all, all are named. */
function unionText(
  issue: z.core.$ZodIssueInvalidUnion,
  keys: KeyNode,
  path: Path,
): { readonly path: Path; readonly text: string } {
  const inner = issue.errors.flat().find((each) => each.path.length > 0 || each.code === 'custom');
  if (inner !== undefined) {
    const { path: rest, text } = issueText(inner, keys);
    return { path: [...path, ...rest], text };
  }
  const first = issue.errors.flat()[0];
  return {
    path,
    text: first === undefined ? 'is not understood; see `entrepot config --schema`' : kindText(first.input, keys),
  };
}

/** Not `String`: a map may have a key that says how it becomes one. */
function asText(input: unknown): string {
  return typeof input === 'string' ? input : (JSON.stringify(input) ?? 'nothing');
}

function sentence(issue: Issue, keys: KeyNode): string {
  switch (issue.code) {
    case 'custom':
      return issue.message;
    case 'invalid_type':
      return issue.input === undefined ? 'is missing; add it' : kindText(issue.input, keys);
    case 'invalid_value':
      return wordText(asText(issue.input), issue.values.map(String));
    case 'too_small':
      return `${shown(issue.input)} is too small; write at least ${issue.minimum}`;
    case 'too_big':
      return `${shown(issue.input)} is too big; write at most ${issue.maximum}`;
    default:
      return `is not understood (${issue.message}); see \`entrepot config --schema\``;
  }
}

function wordText(written: string, words: readonly string[]): string {
  const meant = nearest(written, words);
  const list = words.length === 1 ? words[0] : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return `${shown(written)} is not one of its values; write ${meant === undefined ? list : `${meant} (or ${words.filter((word) => word !== meant).join(', ')})`}`;
}

/** A value of the wrong kind. */
function kindText(value: unknown, keys: KeyNode): string {
  const wanted = [
    keys.scalars.has('boolean') ? 'true or false' : undefined,
    keys.scalars.has('number') && !keys.scalars.has('string') ? 'a whole number' : undefined,
    keys.words.length > 0 ? keys.words.join(', ') : undefined,
    keys.scalars.has('string') && keys.words.length === 0 ? 'a text' : undefined,
    keys.items === undefined ? undefined : 'a list such as [a, b]',
    keys.fields === undefined ? undefined : `keys such as ${[...keys.fields.keys()].slice(0, 2).join(', ')}`,
    keys.values === undefined ? undefined : 'keys of your own, each with its value',
  ].filter((each) => each !== undefined);
  return `${keys.secret ? 'the value' : shown(value)} does not fit here; write ${wanted.join(', or ')}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  return typeof value === 'string' ? quoted(value) : String(value);
}
