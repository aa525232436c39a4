/** One challenge of a WWW-Authenticate field (RFC 9110, 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case; of a name given twice the first counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** More than a registry has reason to send; what follows is not read. */
export const challengesMax = 16;
const fieldCharactersMax = 16_384;

/**
 * All challenges of a field, or of several fields of that name. The grammar is ambiguous at commas (a new challenge or
 * another parameter?): a token that is followed by `=` is a parameter, any other begins a challenge. What cannot be read is
 * skipped to the next comma: one odd challenge must not hide the others.
 */
export function parseChallenges(field: string | readonly string[] | undefined): Challenge[] {
  const text = (typeof field === 'string' ? field : (field ?? []).join(',')).slice(0, fieldCharactersMax);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const scanner = new Scanner(text);
  while (!scanner.done && challenges.length <= challengesMax) {
    if (scanner.skipSeparators()) continue;
    const word = scanner.token();
    if (word === undefined) {
      scanner.skipItem();
      continue;
    }
    if (!scanner.equals()) {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      continue;
    }
    const value = scanner.value();
    if (value === undefined) scanner.skipItem();
    else addParameter(challenges.at(-1)?.parameters, word.toLowerCase(), value);
  }
  return challenges.slice(0, challengesMax);
}

function addParameter(parameters: Map<string, string> | undefined, name: string, value: string): void {
  if (parameters && !parameters.has(name)) parameters.set(name, value);
}

const tokenForm = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const separatorForm = /[\s,]+/y;
const equalsForm = /[ \t]*=[ \t]*/y;
const quotedForm = /"((?:[^"\\]|\\.)*)"/sy;
const itemForm = /[^,]+/y;
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  skipSeparators(): boolean {
    return this.#take(separatorForm) !== undefined;
  }

  token(): string | undefined {
    return this.#take(tokenForm)?.[0];
  }

  skipItem(): void {
    if (this.#take(itemForm) === undefined) this.#at++;
  }

  equals(): boolean {
    return this.#take(equalsForm) !== undefined;
  }

  /** `undefined` for what is neither quoted nor a token: the padding of a token68, a quote without an end. */
  value(): string | undefined {
    const quoted = this.#take(quotedForm);
    return quoted === undefined ? this.token() : (quoted[1] ?? '').replaceAll(/\\(.)/gs, '$1');
  }

  #take(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.#at;
    const match = form.exec(this.#text);
    if (match === null || match[0].length === 0) return undefined;
    this.#at += match[0].length;
    return match;
  }
}
