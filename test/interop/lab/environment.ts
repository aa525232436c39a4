import { join } from 'node:path';

/** Where this lab keeps its things. */
export interface LabEnvironment {
  /** This run's directory; it goes when the lab goes. */
  readonly work: string;
  /** Client roots and images, kept from run to run. */
  readonly cache: string;
}

/** The lab that this process runs in, or `undefined` outside of one. */
export function labEnvironment(): LabEnvironment | undefined {
  const { LAB_WORK: work, LAB_CACHE: cache } = process.env;
  return work === undefined || cache === undefined ? undefined : { work, cache };
}

/** Throws outside of a lab. */
export function insideLab(): LabEnvironment {
  const environment = labEnvironment();
  if (environment === undefined) throw new Error('this runs inside the lab only: start it with `npm run interop`');
  return environment;
}

export function rootOf(environment: LabEnvironment, suite: string): string {
  return join(environment.cache, 'roots', suite);
}
