import { z } from 'zod';

/** A value that can't be what was meant. The message is a sentence that ends with what to do; the key goes before it. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

/** A schema of `input` whose result is what `parse` makes of it; a `ValueError` becomes an issue with its message. */
export function parsedBy<Input extends z.ZodType, Output>(input: Input, parse: (value: z.output<Input>) => Output) {
  return input.transform((value, context): Output => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      context.issues.push({ code: 'custom', message: error.message, input: value });
      return z.NEVER;
    }
  });
}

/** A value in an error message: short, in quotes, and without the password of a URL. */
export function quoted(value: string | number): string {
  const text = String(value).replace(/\/\/\S*@/u, '//***@');
  return `"${text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}...` : text}"`;
}

const shownCharactersMax = 80;
