/** The value below which this share (0 to 1) of all lies. NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The median of the ratios of values from the same round: what disturbs a round disturbs both. `undefined` without a peer. */
export function medianRatio(subject: readonly number[], peer: readonly number[] | undefined): number | undefined {
  if (!peer || peer.length === 0) return undefined;
  return median(subject.map((value, round) => value / (peer[round] ?? NaN)));
}

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;
