import type { Tag } from '../oci/reference.ts';

/**
 * What others are to be told, in a queue for each of them, until they have taken it. A change of what is hosted writes its
 * notices in its own transaction (`HostedIndex`).
 */
export interface NoticeIndex {
  /**
   * At the ends of the queues. Beyond `noticesWaitingMax` in one, its oldest are dropped, and counted. Not waited for: a
   * power cut may take them.
   */
  add(notices: readonly Notice[]): Promise<void>;
  /** The oldest of a queue. */
  next(endpoint: string, limit: number): Promise<readonly WaitingNotice[]>;
  /** It was taken. Not waited for: after a power cut it may be told again. */
  remove(id: number): Promise<void>;
  queues(): Promise<readonly NoticeQueue[]>;
  /** Forgets a queue and what waits in it. */
  forget(endpoint: string): Promise<void>;
}

/** In one queue: some hundred megabytes at most. */
export const noticesWaitingMax = 100_000;

export interface Notice {
  /** Whose queue. */
  readonly endpoint: string;
  readonly body: string;
}

export interface WaitingNotice {
  /** Grows from notice to notice. */
  readonly id: number;
  readonly body: string;
}

export interface NoticeQueue {
  readonly endpoint: string;
  readonly waiting: number;
  /** Ever. */
  readonly dropped: number;
}

/**
 * What to tell of a change; asked inside its transaction, once it is certain.
 * @param untagged the tags that went with a manifest
 */
export type Tell = (untagged: readonly Tag[]) => readonly Notice[];
