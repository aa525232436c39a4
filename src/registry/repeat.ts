import type { Reply, ReplyBody, Request } from '../http/message.ts';
import { prepareHeaders } from '../http/prepared-headers.ts';
import type { PreparedHeaders } from '../http/prepared-headers.ts';
import type { Descriptor } from '../oci/manifest.ts';
import type { Again, Asker } from '../oci/repository.ts';

const nothing: ReplyBody = { kind: 'none' };

/** How a manifest was answered from what is held, for the next ones who ask for it by the same URL: all is made but its age. */
export class Repeat {
  /** Of the manifest, in bytes. */
  readonly size: number;
  readonly #again: Again<Descriptor>;
  readonly #prepared: PreparedHeaders;
  /** `undefined` while only HEAD has asked for it. */
  readonly #body: ReplyBody | undefined;

  /** @throws as `prepareHeaders` does */
  constructor(again: Again<Descriptor>, headers: Readonly<Record<string, string>>, bytes: Uint8Array | undefined) {
    const { Age: _, ...others } = headers;
    this.size = bytes?.length ?? 0;
    this.#again = again;
    this.#prepared = prepareHeaders(others);
    this.#body = bytes && { kind: 'bytes', bytes };
  }

  /** `undefined` when it has to be found out anew. */
  reply({ method, headers }: Request, asker: Asker): Reply | undefined {
    if (headers['if-none-match'] !== undefined || headers['cache-control'] !== undefined) return undefined;
    const body = method === 'HEAD' ? nothing : this.#body;
    const found = body && this.#again(asker);
    if (body === undefined || found === undefined) return undefined;
    return { status: 200, headers: { Age: String(found.ageSeconds) }, prepared: this.#prepared, body };
  }
}
