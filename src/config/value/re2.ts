import { perlClasses, posixClasses, unicodeClass } from './re2-classes.ts';
import { quoted, ValueError } from './value-error.ts';

/**
 * An expression of RE2, the syntax of Go and so of registry, as one of JavaScript's that matches the very same texts. Much
 * that JavaScript takes without a complaint is something else there: `\A` is an A. Groups are not remembered.
 * @throws ValueError for what RE2 does not know, or JavaScript cannot say
 */
export function fromRe2(pattern: string): RegExp {
  const translated = new Translation(pattern).whole();
  try {
    const expression = new RegExp(translated, 'v');
    // It is compiled at its first use.
    expression.test('');
    return expression;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^.*: /u, '').toLowerCase() : String(error);
    throw problem(pattern, why, 'write it in fewer or smaller parts');
  }
}

function problem(pattern: string, why: string, advice: string): ValueError {
  return new ValueError(`${quoted(pattern)} is not a regular expression of RE2 (${why}); ${advice}`);
}

const repeatsMax = 1_000;

interface Flags {
  /** `i` */
  readonly folds: boolean;
  /** `m` */
  readonly byLine: boolean;
  /** `s` */
  readonly dotIsAny: boolean;
}

/** One pass over a pattern. A character is written by its number, so that none needs an escape. */
class Translation {
  readonly #pattern: string;
  #at = 0;
  #written = '';
  #flags: Flags = { folds: false, byLine: false, dotIsAny: false };
  /** Of each open group, the flags around it. */
  readonly #around: Flags[] = [];
  /** What a repetition would repeat. */
  #before: 'nothing' | 'something' | 'repeated' = 'nothing';

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  whole(): string {
    while (this.#at < this.#pattern.length) this.#part();
    if (this.#around.length > 0)
      throw this.#problem('unterminated group', String.raw`write its ), or \( for the character`);
    return this.#written;
  }

  #part(): void {
    const character = this.#take();
    switch (character) {
      case '(':
        return this.#open();
      case ')':
        return this.#close();
      case '|':
        this.#written += '|';
        this.#before = 'nothing';
        return;
      case '*':
      case '+':
      case '?':
        return this.#repeat(character);
      case '{':
        return this.#count();
      case '[':
        return this.#set(this.#class());
      case '.':
        return this.#set(this.#flags.dotIsAny ? String.raw`\p{Any}` : String.raw`[^\n]`);
      case '^':
        return this.#position(this.#flags.byLine ? String.raw`(?<![^\n])` : '^');
      case '$':
        return this.#position(this.#flags.byLine ? String.raw`(?![^\n])` : '$');
      case '\\':
        return this.#escape();
      default:
        return this.#set(numbered(character));
    }
  }

  #open(): void {
    const flags = this.#match(/\?([imsU]*)(?:-([imsU]+))?([:)])/y);
    const isNamed = this.#match(/\?P?<\w+>/y) !== undefined;
    if (flags === undefined && !isNamed && this.#next() === '?') throw this.#strangeGroup();
    const [, on = '', off = '', end = ':'] = flags ?? [];
    const around = this.#flags;
    this.#flags = flagsOf(flagsOf(around, on, true), off, false);
    // Flags that stand alone count until the end of the group that they are in.
    if (end === ')') return;
    this.#around.push(around);
    this.#written += '(?:';
    this.#before = 'nothing';
  }

  #close(): void {
    const flags = this.#around.pop();
    if (flags === undefined) throw this.#problem('unmatched )', String.raw`write \) for the character`);
    this.#flags = flags;
    this.#written += ')';
    this.#before = 'something';
  }

  #repeat(how: string): void {
    if (this.#before === 'nothing') throw this.#problem(`nothing before ${how}`, `write \\${how[0]} for the character`);
    if (this.#before === 'repeated')
      throw this.#problem(`${how} repeats a repetition`, 'leave one of them, or put the first into a group');
    this.#written += how + (this.#match(/\?/y)?.[0] ?? '');
    this.#before = 'repeated';
  }

  /** A brace that counts nothing is itself. */
  #count(): void {
    const counted = this.#match(/(0|[1-9]\d*)(?:,(0|[1-9]\d*)?)?\}/y);
    if (counted === undefined) return this.#set(numbered('{'));
    const [how, least = '', most = least] = counted;
    if (Number(least) > repeatsMax || Number(most) > repeatsMax || Number(least) > Number(most))
      throw this.#problem(`{${how} is too often`, `write at most ${repeatsMax} times, and the smaller number first`);
    this.#repeat(`{${how}`);
  }

  #escape(): void {
    const quotation = this.#match(/Q((?:(?!\\E)[^])*)(?:\\E)?/y);
    if (quotation !== undefined) {
      for (const character of quotation[1] ?? '') this.#set(numbered(character));
      return;
    }
    const position = this.#match(/[AzbB]/y)?.[0];
    if (position !== undefined) return this.#position({ A: '^', z: '$' }[position] ?? `\\${position}`);
    this.#set(this.#namedClass() ?? numbered(this.#escaped()));
  }

  /** Something that is a set of characters, or one of them. */
  #set(set: string): void {
    this.#written += this.#flags.folds ? `(?i:${set})` : set;
    this.#before = 'something';
  }

  /** JavaScript repeats no position, RE2 does. */
  #position(assertion: string): void {
    this.#written += `(?:${assertion})`;
    this.#before = 'something';
  }

  #class(): string {
    const negation = this.#match(/\^/y)?.[0] ?? '';
    let members = '';
    do members += this.#member();
    while (this.#next() !== ']');
    this.#take();
    return `[${negation}${members}]`;
  }

  #member(): string {
    const posix = this.#match(/\[:(\^?)([^]*?):\]/y);
    if (posix !== undefined) return this.#posixClass(posix);
    if (this.#match(/\\(?=[dswpDSWP])/y) !== undefined) return this.#namedClass() ?? '';
    const low = this.#classCharacter();
    if (this.#match(/-(?!\])/y) === undefined) return numbered(low);
    const high = this.#classCharacter();
    if (numberOf(high) < numberOf(low))
      throw this.#problem(
        `${low}-${high} is no range`,
        String.raw`write the smaller one first, or \- for the character`,
      );
    return `${numbered(low)}-${numbered(high)}`;
  }

  #posixClass([text, negation, name = '']: RegExpExecArray): string {
    const members = Object.hasOwn(posixClasses, name) ? posixClasses[name] : undefined;
    if (members === undefined)
      throw this.#problem(`no class is called ${text}`, `write one of ${Object.keys(posixClasses).join(', ')}`);
    return `[${negation}${members}]`;
  }

  #classCharacter(): string {
    if (this.#at === this.#pattern.length)
      throw this.#problem('unterminated character class', String.raw`write its ], or \[ for the character`);
    return this.#match(/\\/y) === undefined ? this.#take() : this.#escaped();
  }

  /** What follows a backslash, if that is a class. */
  #namedClass(): string | undefined {
    const [perl] = this.#match(/[dswDSW]/y) ?? [];
    if (perl !== undefined) return `[${/[DSW]/.test(perl) ? '^' : ''}${perlClasses[perl.toLowerCase()]}]`;
    const [text, kind, inverse, long, short] = this.#match(/([pP])(?:\{(\^?)([^}]*)\}|([^{]))/uy) ?? [];
    if (text === undefined) return undefined;
    const members = unicodeClass(long ?? short ?? '');
    if (members === undefined)
      throw this.#problem(
        `\\${text} is no class that is known here`,
        String.raw`write a category such as \p{Lu}, or a script such as \p{Greek}`,
      );
    return `[${(kind === 'P') === (inverse === '^') ? '' : '^'}${members}]`;
  }

  /** What follows a backslash, as the character that it means. */
  #escaped(): string {
    const octal = this.#match(/0[0-7]{0,2}|[1-7][0-7]{1,2}/y)?.[0];
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    const [hex, digits, bare] = this.#match(/x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/y) ?? [];
    const number = Number.parseInt(digits ?? bare ?? '', 16);
    if (hex !== undefined && number <= 0x10_ff_ff) return String.fromCodePoint(number);
    const control = this.#match(/[afnrtv]/y)?.[0];
    if (control !== undefined) return controls[control] ?? '';
    const punctuation = this.#match(/[!-/:-@[-`{-~\0- \x7f]/y)?.[0];
    if (punctuation !== undefined) return punctuation;
    throw this.#strangeEscape();
  }

  #strangeEscape(): ValueError {
    const next = this.#next() ?? '';
    const instead: Readonly<Record<string, string>> = {
      '': String.raw`write \\ for a backslash`,
      Z: String.raw`write \z for the end of the text`,
      C: 'write . for a character; bytes cannot be matched',
      E: String.raw`write \Q where the quotation begins`,
      p: String.raw`write \p{Name}`,
      P: String.raw`write \P{Name}`,
      u: String.raw`write \x{...} with the number of the character`,
      x: String.raw`write two hexadecimal digits, or \x{...} with up to 10FFFF`,
    };
    const otherwise = /[1-9]/.test(next)
      ? 'write once more what it refers to'
      : 'write the character alone, or what it is to match as a class in brackets';
    return this.#problem(`\\${next} means nothing in it`, instead[next] ?? otherwise);
  }

  #strangeGroup(): ValueError {
    if (this.#match(/\?<?[=!]/y) !== undefined)
      return this.#problem(
        'it cannot look ahead or behind',
        'write what is to match, and the rest with allow and deny',
      );
    return this.#problem(
      'it has no such group',
      'write (?: for a group, (?P<name> for one with a name, or flags of imsU',
    );
  }

  #problem(why: string, advice: string): ValueError {
    return problem(this.#pattern, why, advice);
  }

  #next(): string | undefined {
    return this.#pattern[this.#at];
  }

  #take(): string {
    const character = String.fromCodePoint(this.#pattern.codePointAt(this.#at) ?? 0);
    this.#at += character.length;
    return character;
  }

  /** @param token sticky */
  #match(token: RegExp): RegExpExecArray | undefined {
    token.lastIndex = this.#at;
    const found = token.exec(this.#pattern) ?? undefined;
    this.#at += found?.[0].length ?? 0;
    return found;
  }
}

function flagsOf(flags: Flags, letters: string, value: boolean): Flags {
  return {
    folds: letters.includes('i') ? value : flags.folds,
    byLine: letters.includes('m') ? value : flags.byLine,
    dotIsAny: letters.includes('s') ? value : flags.dotIsAny,
  };
}

function numbered(character: string): string {
  return `\\u{${numberOf(character).toString(16)}}`;
}

function numberOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

const controls: Readonly<Record<string, string>> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
