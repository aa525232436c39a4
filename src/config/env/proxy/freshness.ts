import { parseDuration } from '../../value/duration.ts';
import { ValueError } from '../../value/value-error.ts';
import { isGiven, isTrue, problem } from './said.ts';
import type { Said } from './said.ts';

/**
 * Its three tiers for tags as our list of globs. Without its manifest cache it asked for a tag each time, and fell back on
 * what it had when the registry failed: `freshness: 0`.
 */
export function freshnessOf(said: Said): void {
  const { env, hosts, understood } = said;
  const isOn = isTrue(env['ENABLE_MANIFEST_CACHE']);
  const rules = isOn ? [...tier(said, 'PRIMARY'), ...tier(said, 'SECONDARY')] : [];
  const otherwise = isOn ? timeOf(said, 'MANIFEST_CACHE_DEFAULT_TIME', '1h') : '0';
  const value = rules.length === 0 ? otherwise : [...rules, { tags: '*', for: otherwise }];
  for (const host of ['docker.io', ...hosts]) {
    understood.settings.push({ path: ['upstreams', host, 'freshness'], value, name: 'ENABLE_MANIFEST_CACHE' });
  }
}

interface TagRule {
  readonly [key: string]: string;
  readonly tags: string;
  readonly for: string;
}

const byDefault = {
  PRIMARY: { regex: '(stable|nightly|production|test)', time: '10m' },
  SECONDARY: { regex: String.raw`(.*)(\d|\.)+(.*)(\d|\.)+(.*)(\d|\.)+`, time: '60d' },
} as const;

function tier(said: Said, which: keyof typeof byDefault): readonly TagRule[] {
  const { env, understood } = said;
  const name = `MANIFEST_CACHE_${which}_REGEX`;
  const regex = isGiven(env, name) ? (env[name] ?? '') : byDefault[which].regex;
  const time = timeOf(said, `MANIFEST_CACHE_${which}_TIME`, byDefault[which].time);
  const globs = globsOf(regex);
  if (globs !== undefined) return globs.map((tags) => ({ tags, for: time }));
  const advice = 'write upstreams.NAME.freshness as a list of { tags: GLOB, for: DURATION }, and remove it';
  understood.problems.push(problem(name, `is a regular expression that has no globs for it; ${advice}`));
  return [];
}

/** What the variable says; once it is known to be wrong, and told, the default: each upstream would tell it again. */
function timeOf({ env, understood }: Said, name: string, fallback: string): string {
  const { [name]: time = '' } = env;
  if (time === '') return fallback;
  try {
    parseDuration(time);
    return time;
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    understood.problems.push(problem(name, error.message));
    return fallback;
  }
}

/** Of a pattern that may be found anywhere in a tag: words and their alternatives, `.*`, digits and dots. */
function globsOf(regex: string): readonly string[] | undefined {
  const alternatives = /^\(?([\w.-]+(?:\|[\w.-]+)*)\)?$/u.exec(regex)?.[1];
  if (alternatives !== undefined) return alternatives.split('|').map((word) => `*${word}*`);
  const glob = regex
    .replaceAll(/\(\\d\|\\\.\)\+|\[\\?\d?[\d.\\-]+\]\+/gu, '[0-9.]*')
    .replaceAll(/\(\.\*\)|\.\*/gu, '*')
    .replaceAll(/\\d\+?/gu, '[0-9]*')
    .replaceAll(String.raw`\.`, '.');
  if (!/^[\w.*[\]-]*$/u.test(glob)) return undefined;
  return [`*${glob}*`.replaceAll(/\*{2,}/gu, '*')];
}
