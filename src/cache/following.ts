import type { Digest } from '../oci/digest.ts';
import type { DownloadContext } from './download.ts';
import { follow } from './follow.ts';
import type { Followable, Followed } from './follow.ts';
import { forkAtStart, hashOn } from './fork.ts';
import type { Stage } from './stage.ts';

/** One download's part in the downloads of other processes: their files, and the readers who are led to them. */
export class Following {
  readonly #digest: Digest;
  readonly #context: DownloadContext;
  readonly #stage: Stage;
  readonly #files = new AsyncDisposableStack();
  #followed: Followed | undefined;

  constructor(digest: Digest, context: DownloadContext, stage: Stage) {
    this.#digest = digest;
    this.#context = context;
    this.#stage = stage;
  }

  /** Until the other is done, or somebody must take over. */
  async run(signal: AbortSignal): Promise<Followable> {
    const { store, index, clock } = this.#context;
    this.#stage.tell('following');
    return follow(this.#digest, store, index, clock, signal, (followed) => {
      this.#followed = followed;
      this.#files.use(followed.bytes);
      this.#stage.become({ kind: 'growing', growth: followed.growth, bytes: followed.bytes });
      this.#stage.open(followed.growth.size);
    });
  }

  /**
   * Where the bytes are to come from another ingest than the one that was followed so far, nobody will say whether that
   * one was right: its readers must not end with another's bytes. They go on by a passage, which verifies what they have.
   * @returns whether that was the end of this download
   */
  async part(ingest: string | undefined): Promise<boolean> {
    const followed = this.#followed;
    if (followed === undefined || followed.ingest === ingest) return false;
    this.#followed = undefined;
    if (this.#stage.readers === 0) return false;
    const { growth, bytes } = followed;
    const fork = await hashOn(this.#digest, forkAtStart(this.#digest), growth, bytes);
    this.#stage.unkept('whoever brought it in has gone');
    this.#stage.become({ kind: 'unstored', growth, bytes, fork });
    return true;
  }

  /** Once nobody reads from them any more. */
  async closeFiles(): Promise<void> {
    await this.#stage.letGo(this.#files.disposeAsync());
  }
}
