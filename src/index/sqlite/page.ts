import type { Page } from '../../oci/repository.ts';

/**
 * A page of rows of which one more than its limit was asked for. Two that have the same name (a hosted repository may
 * be called like one of an upstream) stay together, so that the next page, which begins after a name, misses neither.
 */
export function pageOf<Row, T>(
  rows: readonly Row[],
  limit: number,
  nameOf: (row: Row) => string,
  itemOf: (row: Row) => T,
): Page<T> {
  const names = rows.map(nameOf);
  if (rows.length <= limit) return { items: rows.map(itemOf), next: undefined };
  let end = limit;
  while (end > 1 && names[end] === names[end - 1]) end -= 1;
  return { items: rows.slice(0, end).map(itemOf), next: names[end - 1] };
}
