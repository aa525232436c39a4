import type { SizeLimit } from '../config.ts';
import { quoted, ValueError } from './value-error.ts';

const unitBytes: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  pb: 1e15,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  pib: 2 ** 50,
};

/**
 * A number of bytes: 1000, "50MB" (millions), "64MiB" (powers of two).
 * @throws ValueError for anything else, single letters among it: they mean one thing to nginx and another to a disk maker
 */
export function parseBytes(value: string | number): number {
  const text = String(value).trim();
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/iu.exec(text) ?? [];
  if (number === undefined || unit === undefined)
    throw new ValueError(`${quoted(text)} is not a size; write one such as 50MB, 100GB or 64MiB`);
  if (/^[kmgtp]$/iu.test(unit))
    throw new ValueError(
      `${quoted(text)} may be two things; write ${number}${unit.toUpperCase()}B or ${number}${unit.toUpperCase()}iB`,
    );
  const factor = unitFactor(unit.toLowerCase());
  if (factor === undefined)
    throw new ValueError(`${quoted(text)} has an unknown unit; write B, kB, MB, GB, TB, KiB, MiB, GiB or TiB`);
  const bytes = Math.round(Number(number) * factor);
  if (!Number.isSafeInteger(bytes))
    throw new ValueError(`${quoted(text)} is more than a disk holds; write a smaller size`);
  return bytes;
}

function unitFactor(unit: string): number | undefined {
  if (unit === '') return 1;
  return Object.hasOwn(unitBytes, unit) ? unitBytes[unit] : undefined;
}

/**
 * A number of bytes or a share of the disk: "100GB", "5%".
 * @throws ValueError
 */
export function parseSizeLimit(value: string | number): SizeLimit {
  const [, number] = /^(\d+(?:\.\d+)?)\s*%$/u.exec(String(value).trim()) ?? [];
  if (number === undefined) return { kind: 'bytes', sizeBytes: parseBytes(value) };
  const percent = Number(number);
  if (percent > 100) throw new ValueError(`${quoted(value)} is more than all; write at most 100%`);
  return { kind: 'percent', percent };
}

/** Bytes a second; 0 is no limit (`Infinity`). @throws ValueError */
export function parseBandwidth(value: string | number): number {
  const text = String(value).trim().replace(/\/s$/u, '');
  const bytes = parseBytes(text);
  return bytes === 0 ? Number.POSITIVE_INFINITY : bytes;
}
