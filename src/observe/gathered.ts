/** Counted together at most. */
const togetherMax = 200;

/** What has happened and is not counted yet. */
export class Gathered {
  readonly #settles: (() => void)[] = [];

  /** Before anybody looks at the numbers. */
  settle(): void {
    for (const settle of this.#settles) settle();
  }

  add(settle: () => void): void {
    this.#settles.push(settle);
  }
}

/**
 * Counts events of the same kind together: where thousands a second are alike, looking up the labels for each takes longer
 * than anything else that is done to tell about it.
 *
 * @param count what has happened, at least once, and one of it to know its kind by
 */
export function gathering<T>(
  among: Gathered,
  isAlike: (one: T, other: T) => boolean,
  count: (events: readonly T[], kind: T) => void,
): (event: T) => void {
  let events: T[] = [];
  const settle = (): void => {
    const [first] = events;
    if (first !== undefined) count(events, first);
    events = [];
  };
  among.add(settle);
  return (event) => {
    const [first] = events;
    if (events.length === togetherMax || (first !== undefined && !isAlike(first, event))) settle();
    events.push(event);
  };
}
