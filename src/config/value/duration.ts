import { quoted, ValueError } from './value-error.ts';

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)/gu;
const whole = /^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d))+$/u;

/**
 * A duration in milliseconds: "60s", "1h30m", "3d", 0, and "forever" (`Infinity`).
 * @throws ValueError for a number without a unit, a negative one, and nonsense
 */
export function parseDuration(value: string | number): number {
  const text = String(value).trim();
  if (text === 'forever') return Number.POSITIVE_INFINITY;
  if (/^\+?0+(?:\.0*)?$/u.test(text)) return 0;
  if (/^\d+(?:\.\d+)?$/u.test(text))
    throw new ValueError(`${quoted(text)} has no unit; write ${text}s for seconds, or ${text}m, ${text}h, ${text}d`);
  if (text.startsWith('-'))
    throw new ValueError(`${quoted(text)} is negative; write a duration such as 60s, 5m or 1h30m`);
  if (!whole.test(text))
    throw new ValueError(`${quoted(text)} is not a duration; write one such as 60s, 5m, 1h30m or 3d`);
  return [...text.matchAll(part)].reduce((ms, [, number, unit]) => ms + Number(number) * (unitMs[unit ?? ''] ?? 0), 0);
}

/** The same where registry's own keys are meant: Go reads a number without a unit as nanoseconds. */
export function parseRegistryDuration(value: string | number): number {
  return typeof value === 'number' && value >= 0 ? value / 1e6 : parseDuration(value);
}

/** @throws ValueError for "forever" */
export function parseFiniteDuration(value: string | number): number {
  const ms = parseDuration(value);
  if (ms === Number.POSITIVE_INFINITY) throw new ValueError('needs an end; write a duration such as 30s');
  return ms;
}

/** @throws ValueError for "forever", and for none at all: nothing is done in no time */
export function parsePositiveDuration(value: string | number): number {
  const ms = parseFiniteDuration(value);
  if (ms === 0) throw new ValueError('leaves no time; write a duration such as 30s, or remove it');
  return ms;
}
