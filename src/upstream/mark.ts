import { cameBy } from '../observe/came-by.ts';

/** By whom a message came (RFC 9110, 7.6.3). @param before what the request says that this one is for */
export function viaOf(mark: string | undefined, before = cameBy()): { readonly via?: string } {
  return mark === undefined ? {} : { via: [before, `1.1 ${mark}`].filter((each) => each !== undefined).join(', ') };
}
