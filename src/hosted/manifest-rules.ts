import { RegistryError } from '../oci/errors.ts';
import type { ChildDescriptor, Manifest } from '../oci/manifest.ts';
import type { HostedRules } from './context.ts';

/**
 * A layer may say where else it is: whoever pulls it then goes there, wherever that is.
 * @throws RegistryError `MANIFEST_INVALID` when it is nowhere that the operator wants clients to go
 */
export function refuseUrls({ children }: Manifest, { mayHoldUrl }: Pick<HostedRules, 'mayHoldUrl'>): void {
  const urls = children.flatMap((child) => child.urls ?? []);
  const wrong = urls.find((url) => !isPlain(url) || !mayHoldUrl(url));
  if (wrong === undefined) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `a layer is to be fetched from ${JSON.stringify(wrong)}, which validation.manifests.urls does not allow: push the layer itself, or have the URL allowed`,
    { detail: { url: wrong } },
  );
}

function isPlain(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hash === '';
}

/** Of an index: a manifest for a platform that the operator does not insist on. */
export function mayBeMissing(child: ChildDescriptor, { mustBeThere }: Pick<HostedRules, 'mustBeThere'>): boolean {
  if (child.kind !== 'manifest') return false;
  const [os = '', architecture = ''] = (child.platform ?? '').split('/');
  return !mustBeThere(`${os}/${architecture}`);
}
