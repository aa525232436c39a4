import { RegistryError } from '../oci/errors.ts';

/** The parameters of an admin request, each read once and checked where it is read. */
export interface Query {
  /** @throws RegistryError `REQUEST_INVALID` when it is missing */
  required(name: string): string;
  optional(name: string): string | undefined;
  all(name: string): readonly string[];
  /** @throws RegistryError `REQUEST_INVALID` when it is not a whole number from 1 to `max` */
  count(name: string, fallback: number, max: number): number;
}

/** Longest value of a parameter, in characters. */
const valueCharactersMax = 2048;

export function queryOf(parameters: URLSearchParams): Query {
  const optional = (name: string): string | undefined => {
    const value = parameters.get(name) ?? undefined;
    if (value !== undefined && value.length > valueCharactersMax)
      invalid(`"${name}" has at most ${valueCharactersMax} characters`);
    return value === '' ? undefined : value;
  };
  return {
    optional,
    required: (name) => optional(name) ?? invalid(`the parameter "${name}" is missing`),
    all: (name) => parameters.getAll(name).filter((value) => value !== ''),
    count(name, fallback, max) {
      const text = optional(name);
      if (text === undefined) return fallback;
      const count = /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : Number.NaN;
      return count <= max ? count : invalid(`"${name}" is a whole number from 1 to ${max}`);
    },
  };
}

function invalid(why: string): never {
  throw new RegistryError('REQUEST_INVALID', why);
}
