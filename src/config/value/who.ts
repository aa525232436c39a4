import type { Who } from '../config.ts';
import { quoted, ValueError } from './value-error.ts';

/**
 * Whom a rule is about.
 * @throws ValueError for what nobody can be called
 */
export function parseWho(text: string): Who {
  const who = text.trim();
  if (who === 'anonymous') return { kind: 'anybody' };
  if (who === 'authenticated' || who === '*') return { kind: 'authenticated' };
  const [, group] = /^group:(.*)$/u.exec(who) ?? [];
  const name = group ?? who;
  if (name === '' || name.includes(':') || name.includes('*'))
    throw new ValueError(
      `${quoted(who)} is nobody's name; write a user, group:NAME, authenticated for all of them, or anonymous for anybody`,
    );
  return { kind: group === undefined ? 'user' : 'group', name };
}
