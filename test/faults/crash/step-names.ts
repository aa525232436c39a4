/** The steps of a download at which a process may be killed, in their order. */
export const steps = [
  'seeking',
  'first bytes',
  'in the middle',
  'all there, not verified',
  'verified, not synced',
  'synced, not renamed',
  'renamed, not indexed',
  'indexed, not released',
] as const;

/** The steps of a push, and of a deletion. The middle ones are those of any blob that is written. */
export const pushSteps = [
  'upload begun',
  'in the middle',
  'all there, not verified',
  'verified, not synced',
  'synced, not renamed',
  'renamed, not in the repository',
  'in the repository, not acknowledged',
  'manifest come, not held',
  'manifest held, not acknowledged',
  'nothing deleted',
  'deleted, not acknowledged',
] as const;

/** The steps of a collection. */
export const collectSteps = [
  'nothing collected',
  'out of the index, not deleted',
  'about to be deleted',
  'deleted, still to be discarded',
  'discarded, not told',
] as const;

export type Step = (typeof steps)[number] | (typeof pushSteps)[number] | (typeof collectSteps)[number];

export type Moment = Step | 'at random';

/** How the step, and the size of the blob, are told to the process. */
export const stepVariable = 'CRASH_AT_STEP';
export const stepSizeVariable = 'CRASH_BLOB_BYTES';

/** What it says. */
export const armedLine = '@ it will stop';
export const crashLine = '@ it has stopped';
