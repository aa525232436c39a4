import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

/** Asks on a terminal, twice and without showing what is typed; a pipe is read to the end of its first line. */
export async function askSecret(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return (await text(stdin)).split('\n', 1)[0]?.replace(/\r$/, '') ?? '';
  const first = await typed(question);
  if ((await typed('The same again: ')) !== first) throw new Error('these were two different ones; try again');
  return first;

  async function typed(prompt: string): Promise<string> {
    stderr.write(prompt);
    stdin.setRawMode(true);
    // Without an output nothing is echoed.
    const lines = createInterface({ input: stdin, terminal: true });
    let answer: string | undefined;
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    await once(lines, 'close');
    stdin.setRawMode(false);
    stderr.write('\n');
    if (answer === undefined) throw new Error('no password was typed; try again');
    return answer;
  }
}
