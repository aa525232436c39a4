/** What the tests of documents need to know of Markdown. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, repositoryRoot } from './modules.ts';

export interface Block {
  readonly language: string;
  readonly text: string;
}

export function readText(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8');
}

/** Every page: at the root, below docs/, and beside tests. */
export function pages(): readonly string[] {
  const root = filesBelow('.', '.md').filter((path) => path.split('/').length === 2);
  return [...root.map((path) => path.slice(2)), ...filesBelow('docs', '.md'), ...filesBelow('test', '.md')];
}

export function codeBlocks(page: string): readonly Block[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }));
}

/** Where its links lead, code left out. */
export function linksOf(page: string): readonly string[] {
  const prose = page.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`]*`/g, '');
  return [...prose.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The names that the drawing of a directory has at its first level. */
export function drawnEntries(drawing: string): readonly string[] {
  return [...drawing.matchAll(/^[├└]── (\S+)/gm)].map(([, name = '']) => name.replace(/\/$/, ''));
}
