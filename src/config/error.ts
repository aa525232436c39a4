/** One thing that is wrong with the configuration. `text` is a sentence that ends with what to do. */
export interface Problem {
  /** The key as a path, `upstreams.docker.io.freshness`; undefined where the file as a whole is meant. */
  readonly key: string | undefined;
  readonly origin: Origin;
  readonly text: string;
}

/** Where a value came from. Lines and columns count from 1. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'built-in' }
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: 'env'; readonly name: string };

/** Everything that is wrong with one configuration, at once. The message has one line a problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];
  /** The files that it was read from and names: a change of one may put it right. */
  readonly files: readonly string[];

  constructor(problems: readonly Problem[], files: readonly string[] = []) {
    super(problems.map(problemLine).join('\n'));
    this.problems = problems;
    this.files = files;
  }
}

/** `config.yml:12:7: cache.size: ...`, as editors and terminals like it. */
function problemLine(problem: Problem): string {
  const place = problem.origin.kind === 'default' ? '' : `${originText(problem.origin)}: `;
  const key = problem.key === undefined ? '' : `${problem.key}: `;
  return `${place}${key}${problem.text}`;
}

export function originText(origin: Origin): string {
  if (origin.kind === 'file') return `${origin.file}:${origin.line}:${origin.column}`;
  return origin.kind === 'env' ? origin.name : origin.kind;
}
