/** Where commands write. */
export interface Output {
  /** What was asked for. */
  print(text: string): void;
  /** Everything else: notes, progress, errors. */
  note(text: string): void;
  /** Standard output is a terminal: tables may be as wide as `columns`. */
  readonly terminal: boolean;
  /** Standard error is a terminal: progress may be drawn. */
  readonly noteTerminal: boolean;
  readonly columns: number;
}

export function processOutput(): Output {
  process.stdout.on('error', (error: Error & { readonly code?: string }) => {
    // The reader has seen enough (`entrepot ls | head`): that is no failure of ours.
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`What was asked for cannot be written (${error.message}); look at where the output goes.\n`);
    process.exit(1);
  });
  // What nobody can be told keeps nothing from being done: a server serves on.
  process.stderr.on('error', () => {});
  return {
    print: (text) => process.stdout.write(text),
    note: (text) => process.stderr.write(text),
    terminal: process.stdout.isTTY,
    noteTerminal: process.stderr.isTTY,
    columns: process.stdout.columns ?? 100,
  };
}

/** The answer as JSON, indented for people and fine for programs. */
export function printJson(out: Output, value: unknown): void {
  out.print(`${JSON.stringify(value, undefined, 2)}\n`);
}

/**
 * What others sent, made harmless for a terminal: control characters become visible, except line feed.
 */
export function harmless(text: string): string {
  return text.replaceAll(
    // eslint-disable-next-line no-control-regex -- control characters are what it looks for
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
