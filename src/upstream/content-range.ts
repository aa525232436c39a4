/** What a 206 says it holds: `[start, end)` of `size` bytes; `size` is `undefined` for `*`. */
export interface ContentRange {
  readonly start: number;
  readonly end: number;
  readonly size: number | undefined;
}

/** RFC 9110, 14.4; `undefined` for whatever is not one range of bytes that makes sense. */
export function parseContentRange(field: string | undefined): ContentRange | undefined {
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(field?.trim() ?? '') ?? [];
  if (first === undefined || last === undefined) return undefined;
  const start = Number(first);
  const end = Number(last) + 1;
  const size = total === '*' ? undefined : Number(total);
  return end <= start || (size !== undefined && end > size) ? undefined : { start, end, size };
}

/** Content-Length as a number; `undefined` when absent or odd. */
export function parseLength(field: string | undefined): number | undefined {
  return field !== undefined && /^\d{1,15}$/.test(field) ? Number(field) : undefined;
}
