/** A half-open range of byte positions: `start` is in it, `end` is not. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Which bytes are there: a sorted list of extents that neither overlap nor touch. */
export class Extents {
  #list: Extent[] = [];

  static from(list: Iterable<Extent>): Extents {
    const extents = new Extents();
    for (const extent of list) extents.add(extent.start, extent.end);
    return extents;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    const first = this.#firstEndingAtOrAfter(start);
    let last = first;
    let merged: Extent = { start, end };
    for (let each = this.#list[last]; each !== undefined && each.start <= end; each = this.#list[last]) {
      merged = { start: Math.min(merged.start, each.start), end: Math.max(merged.end, each.end) };
      last += 1;
    }
    this.#list.splice(first, last - first, merged);
  }

  /** Where the run of bytes that begins at `position` ends; `position` itself when that byte is not there. */
  endOfRunAt(position: number): number {
    const extent = this.#list[this.#firstEndingAtOrAfter(position + 1)];
    return extent !== undefined && extent.start <= position ? extent.end : position;
  }

  /** The first missing extent at or after `position`, below `limit`. */
  gapFrom(position: number, limit: number): Extent | undefined {
    const start = this.endOfRunAt(position);
    if (start >= limit) return undefined;
    const next = this.#list[this.#firstEndingAtOrAfter(start + 1)];
    return { start, end: Math.min(next?.start ?? limit, limit) };
  }

  covers(start: number, end: number): boolean {
    return this.endOfRunAt(start) >= end;
  }

  get bytes(): number {
    return this.#list.reduce((sum, extent) => sum + extent.end - extent.start, 0);
  }

  toJSON(): readonly Extent[] {
    return [...this.#list];
  }

  #firstEndingAtOrAfter(position: number): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#list[middle]?.end ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
