import { chown, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { bcryptCost } from '../access/new-htpasswd.ts';
import { parseHtpasswd } from '../config/value/htpasswd.ts';
import { ValueError } from '../config/value/value-error.ts';
import type { Context } from './context.ts';
import type { Program } from './program.ts';
import { CommandFailed } from './trouble.ts';

/** bcrypt looks at no more. */
const passwordBytesMax = 72;

export function addHtpasswd(program: Program, context: Context): void {
  program
    .command('htpasswd')
    .summary('make a user for auth.htpasswd')
    .description(
      'Asks for a password, or reads it from a pipe, and prints the line of the user, or writes it to the file.',
    )
    .argument('<user>', 'the name')
    .option('-f, --file <file>', 'the file to add the user to, or to change the password in')
    .action(async (user, { file }) => {
      if (user === '' || user.includes(':') || user.trim() !== user || user.startsWith('#'))
        throw new CommandFailed(
          'the name of a user has no colon, no space around it and no # in front; give another one',
        );
      const password = await context.askSecret(`Password of ${user}: `);
      if (password === '') throw new CommandFailed('an empty password is none; give one');
      if (Buffer.byteLength(password) > passwordBytesMax)
        throw new CommandFailed(
          `bcrypt looks at ${passwordBytesMax} bytes of a password and no more; give a shorter one`,
        );
      const { hash } = await import('bcryptjs');
      const line = `${user}:${await hash(password, bcryptCost)}`;
      if (file === undefined) return context.out.print(`${line}\n`);
      const isNew = await replaceLine(file, user, line);
      context.out.note(
        `${user} ${isNew ? 'was added' : 'has a new password'}; a running server reads ${file} by itself.\n`,
      );
    });
}

/** Writes aside and moves: a server that reads at any moment reads all of it. */
async function replaceLine(file: string, user: string, line: string): Promise<boolean> {
  const before = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  const isNew = !usersOf(file, before).has(user);
  const others = before.split('\n').filter((each) => each.trim() !== '' && !each.trimStart().startsWith(`${user}:`));
  const was = await stat(file).catch(() => undefined);
  const aside = `${file}.${process.pid}`;
  await writeFile(aside, `${[...others, line].join('\n')}\n`, { mode: (was?.mode ?? 0o600) & 0o777 });
  // The server may run as another user than whoever adds one.
  if (was !== undefined && (was.uid !== process.getuid?.() || was.gid !== process.getgid?.()))
    await chown(aside, was.uid, was.gid);
  await rename(aside, file);
  return isNew;
}

function usersOf(file: string, text: string): ReadonlyMap<string, string> {
  try {
    return parseHtpasswd(text);
  } catch (error) {
    throw error instanceof ValueError ? new CommandFailed(`${file} ${error.message}`) : error;
  }
}
