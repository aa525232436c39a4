/**
 * From rows to a table, to JSON, and to an exit code.
 */
import type { Bar, Row, Unit } from './suite.ts';

export interface Outcome {
  readonly suite: string;
  readonly rows: readonly Row[];
  readonly seconds: number;
  /** What ended the suite before its end. */
  readonly crash?: string;
}

export type Verdict = 'pass' | 'FAIL' | 'missed' | 'unknown' | '';

/** `missed`: a bar of time, on this machine and at this moment. `FAIL`: a count that is wrong anywhere. */
export function judge(bar: Bar | undefined): Verdict {
  if (!bar) return '';
  const { measured, atMost = Infinity, atLeast = -Infinity } = bar;
  if (measured === undefined) return 'unknown';
  if (measured <= atMost && measured >= atLeast) return 'pass';
  return bar.kind === 'count' ? 'FAIL' : 'missed';
}

/** Why the run as a whole is a failure, a sentence each; none when it is not. */
export function failures(outcomes: readonly Outcome[], strict: boolean): string[] {
  const wrong: readonly Verdict[] = strict ? ['FAIL', 'missed'] : ['FAIL'];
  return outcomes.flatMap(({ suite, rows, crash }) => [
    ...(crash === undefined ? [] : [`${suite} did not finish: ${crash}`]),
    ...rows
      .filter(({ bar }) => wrong.includes(judge(bar)))
      .map(({ what, unit, bar }) => `${suite}: ${what}: ${renderMeasured(bar, unit)}, not ${renderBar(bar, unit)}`),
  ]);
}

export function renderTable(outcomes: readonly Outcome[]): string {
  const servers = [...new Set(outcomes.flatMap(({ rows }) => rows.flatMap(({ values }) => Object.keys(values))))];
  const lines = [['', ...servers, '', 'measured', 'bar', 'verdict']];
  for (const { suite, rows, seconds, crash } of outcomes) {
    lines.push([`${suite} (${Math.round(seconds)} s)`]);
    for (const row of rows) lines.push(renderRow(row, servers));
    if (crash !== undefined) lines.push([`  did not finish: ${crash.split('\n', 1)[0]}`]);
  }
  const columns = lines[0]?.map((_, column) => Math.max(...lines.map((line) => width(line, column)))) ?? [];
  return lines.map((line) => renderLine(line, columns)).join('\n');
}

function renderRow({ what, unit, values, bar }: Row, servers: readonly string[]): string[] {
  const cells = servers.map((server) => renderNumber(values[server], unit));
  return [`  ${what}`, ...cells, unit, renderMeasured(bar, unit), renderBar(bar, unit), judge(bar)];
}

function renderMeasured(bar: Bar | undefined, unit: Unit): string {
  if (!bar) return '';
  return bar.of === 'ratio' ? `${renderNumber(bar.measured, 'ratio')} x` : renderNumber(bar.measured, unit);
}

function renderBar(bar: Bar | undefined, unit: Unit): string {
  if (!bar) return '';
  const [sign, limit] = bar.atMost === undefined ? ['>=', bar.atLeast] : ['<=', bar.atMost];
  return bar.of === 'ratio' ? `${sign} ${limit} x` : `${sign} ${renderNumber(limit, unit)}`;
}

const DECIMALS: Readonly<Record<Unit | 'ratio', number>> = {
  's/GiB': 3,
  'us/request': 1,
  'GB/s': 2,
  'requests/s': 0,
  ms: 1,
  s: 2,
  MiB: 1,
  bytes: 0,
  requests: 0,
  failures: 0,
  ratio: 2,
};

function renderNumber(value: number | undefined, unit: Unit | 'ratio'): string {
  return value === undefined ? '-' : value.toFixed(DECIMALS[unit]);
}

/** A line of one cell is a heading and may be as wide as it likes. */
function width(line: readonly string[], column: number): number {
  return line.length === 1 ? 0 : (line[column]?.length ?? 0);
}

function renderLine(line: readonly string[], columns: readonly number[]): string {
  const [first = '', ...rest] = line;
  const cells = rest.map((cell, position) => cell.padStart(columns[position + 1] ?? 0));
  return [first.padEnd(columns[0] ?? 0), ...cells].join('  ').trimEnd();
}
