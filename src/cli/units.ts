const steps = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Decimal units, as disks and Docker have them: `1.2 GB`. */
export function bytesText(bytes: number): string {
  if (!Number.isFinite(bytes)) return 'no limit';
  const step = Math.min(steps.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  const value = bytes / 1000 ** step;
  return `${step === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${steps[step]}`;
}

const durations = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** `3 d`, `5 h`, `12 s`. */
export function durationText(ms: number): string {
  if (!Number.isFinite(ms)) return 'for ever';
  for (const [unit, length] of durations) {
    if (ms >= length) return `${Math.floor(ms / length)} ${unit}`;
  }
  return '0 s';
}

/** `3 d ago`; `never` for 0. */
export function agoText(atMs: number | undefined, nowMs: number): string {
  return atMs === undefined || atMs === 0 ? 'never' : `${durationText(Math.max(0, nowMs - atMs))} ago`;
}

/** `sha256:3f1a…`, enough to tell digests apart on a screen. */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(':');
  return `${digest.slice(0, colon)}:${digest.slice(colon + 1, colon + 13)}`;
}

/** `1 blob`, `2 blobs`. */
export function countText(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
