import type { Problem } from '../../error.ts';
import type { Plain } from '../../tree/plain.ts';
import type { Path } from '../../tree/tree.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

/** What one variable says, as a key of ours. */
export interface Setting {
  readonly path: Path;
  readonly value: Plain;
  readonly name: string;
}

export interface Understood {
  readonly settings: Setting[];
  readonly problems: Problem[];
  /** What becomes of variables that are no key of ours, a sentence each. */
  readonly notices: string[];
}

export interface Said {
  readonly env: Variables;
  /** The registries that are intercepted, besides Docker Hub. */
  readonly hosts: readonly string[];
  readonly understood: Understood;
}

export function isGiven(env: Variables, name: string): boolean {
  return (env[name] ?? '') !== '';
}

export function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true';
}

export function problem(name: string, text: string): Problem {
  return { key: undefined, origin: { kind: 'env', name }, text };
}
