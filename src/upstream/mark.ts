/** By whom a message came (RFC 9110, 7.6.3). */
export function viaOf(mark: string | undefined, before?: string): { readonly via?: string } {
  return mark === undefined ? {} : { via: [before, `1.1 ${mark}`].filter((each) => each !== undefined).join(', ') };
}
