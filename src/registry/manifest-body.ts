import type { RequestBody } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import { manifestBytesMax } from '../oci/manifest.ts';

/** Nearly every manifest is smaller, and is taken at once. In bytes. */
const smallBytes = 32 * 1024;
/** Of the others, so many are received together: four mebibytes from each of ten thousand clients would be too many. */
const largeTogetherMax = 16;

/** Receives manifests, in bounded memory. Who sends a large one waits for its turn, before it sends it. */
export class ManifestBodies {
  #large = 0;
  readonly #waiting: (() => void)[] = [];

  /** @throws RegistryError `TOO_LARGE` */
  async receive(body: RequestBody): Promise<Uint8Array> {
    const isLarge = body.length === undefined || body.length > smallBytes;
    if (!isLarge) return whole(body);
    if (tooLong(body)) throw tooLarge();
    await this.#enter();
    try {
      return await whole(body);
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#large === largeTogetherMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#large += 1;
  }

  /** The place passes from hand to hand. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#large -= 1;
    else next();
  }
}

async function whole(body: RequestBody): Promise<Uint8Array> {
  const bytes = await body.whole(manifestBytesMax);
  if (bytes === undefined) throw tooLarge();
  return bytes;
}

function tooLong({ length }: RequestBody): boolean {
  return length !== undefined && length > manifestBytesMax;
}

function tooLarge(): RegistryError {
  const message = `a manifest has at most ${manifestBytesMax} bytes: put what is larger into a blob`;
  return new RegistryError('TOO_LARGE', message);
}
