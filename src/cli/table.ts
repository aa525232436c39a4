import { harmless } from './output.ts';
import type { Output } from './output.ts';

export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => string;
  readonly right?: boolean;
  /** Cut first, from its end, when the terminal is too narrow. */
  readonly elastic?: boolean;
}

/** A table with titles; on a terminal no wider than it, elsewhere as wide as it needs to be. */
export function printTable<T>(out: Output, columns: readonly Column<T>[], rows: readonly T[]): void {
  const cells = rows.map((row) => columns.map((column) => harmless(column.of(row))));
  const titles = columns.map(({ title }) => title);
  const widths = titles.map((title, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)));
  if (out.terminal) shrink(columns, widths, out.columns);
  for (const row of [titles, ...cells]) out.print(`${lineOf(columns, widths, row)}\n`);
}

const gap = '  ';
const elasticCharactersMin = 12;

function shrink<T>(columns: readonly Column<T>[], widths: number[], columnsMax: number): void {
  const total = widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1));
  let excess = total - columnsMax;
  columns.forEach(({ elastic }, at) => {
    const width = widths[at] ?? 0;
    if (excess <= 0 || elastic !== true || width <= elasticCharactersMin) return;
    const cut = Math.min(excess, width - elasticCharactersMin);
    widths[at] = width - cut;
    excess -= cut;
  });
}

function lineOf<T>(columns: readonly Column<T>[], widths: readonly number[], row: readonly string[]): string {
  const cells = row.map((cell, at) => {
    const width = widths[at] ?? 0;
    const text = cell.length > width ? `${cell.slice(0, width - 1)}…` : cell;
    return columns[at]?.right === true ? text.padStart(width) : text.padEnd(width);
  });
  return cells.join(gap).trimEnd();
}
