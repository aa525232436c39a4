/** As many tags are remembered at a time; the oldest go first. */
const refusalsMax = 10_000;
/** However long a tag counts as fresh, a refusal is believed no longer than this, in milliseconds. */
const believedMsMax = 60_000;

/**
 * What the upstream has refused of what we hold: that it no longer has a tag, or that we may not read it. It takes two
 * requests to believe it, so it is not asked again within the tag's window. Of what is not held nothing is remembered:
 * nobody must be turned away today by what another was told yesterday.
 */
export class Refusals {
  readonly #known = new Map<string, { readonly refusal: unknown; readonly atMs: number }>();

  note(key: string, refusal: unknown, atMs: number): void {
    this.#known.delete(key);
    this.#known.set(key, { refusal, atMs });
    const oldest = this.#known.keys().next();
    if (this.#known.size > refusalsMax && oldest.done === false) this.#known.delete(oldest.value);
  }

  recall(key: string, windowMs: number, nowMs: number): { readonly refusal: unknown } | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    if (nowMs - known.atMs < Math.min(windowMs, believedMsMax)) return known;
    this.#known.delete(key);
    return undefined;
  }
}
