import type { PullLine } from '../admin/views.ts';
import type { Clock } from '../observe/clock.ts';
import type { Output } from './output.ts';
import { bytesText, shortDigest } from './units.ts';

type Progress = Extract<PullLine, { readonly type: 'progress' }>;

export interface PullProgress {
  show(progress: Progress): void;
  /** Before anything else is printed. */
  end(): void;
}

/** Bars that are drawn over on a terminal; elsewhere a line when something is done. */
export function pullProgress(out: Output, clock: Clock): PullProgress {
  return out.noteTerminal ? bars(out, clock) : lines(out);
}

function lines(out: Output): PullProgress {
  const told = new Set<string>();
  return {
    show({ digest, what, size, done }) {
      if (done < size || told.has(digest)) return;
      told.add(digest);
      out.note(`${what} ${shortDigest(digest)} ${bytesText(size)} done\n`);
    },
    end: () => {},
  };
}

/** Bars on the screen at once; of what is done only the count stays. */
const barsMax = 8;
const barCharacters = 30;
const redrawMs = 100;

function bars(out: Output, clock: Clock): PullProgress {
  const parts = new Map<string, Progress>();
  let drawn = 0;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  const draw = (): void => {
    const all = [...parts.values()];
    const running = all.filter(({ done, size }) => done < size).slice(-barsMax);
    const finished = all.filter(({ done, size }) => done >= size).length;
    const noun = finished === 1 ? 'part' : 'parts';
    const screen = [...running.map((part) => barLine(part, out.columns)), `${finished} ${noun} done`];
    // Up to the first line of the last drawing, then each line anew, cleared to its end.
    const up = drawn === 0 ? '' : `\u001b[${drawn}A`;
    const blank = Array.from({ length: Math.max(0, drawn - screen.length) }, () => '');
    out.note(`${up}${[...screen, ...blank].map((line) => `\u001b[2K${line}\n`).join('')}`);
    if (blank.length > 0) out.note(`\u001b[${blank.length}A`);
    drawn = screen.length;
  };
  return {
    show(progress) {
      parts.set(progress.digest, progress);
      const nowMs = clock.monotonic();
      if (nowMs - drawnAtMs < redrawMs && progress.done < progress.size) return;
      drawnAtMs = nowMs;
      draw();
    },
    end() {
      if (parts.size > 0) draw();
    },
  };
}

function barLine({ digest, size, done }: Progress, columns: number): string {
  const filled = size === 0 ? barCharacters : Math.round((done / size) * barCharacters);
  const bar = `${'='.repeat(filled)}${' '.repeat(barCharacters - filled)}`;
  return `${shortDigest(digest)} [${bar}] ${bytesText(done)} of ${bytesText(size)}`.slice(0, Math.max(20, columns - 1));
}
