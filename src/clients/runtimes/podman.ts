import { authorityFile, strangersNote } from '../client-config.ts';
import type { ClientConfig } from '../client-config.ts';
import { exactUpstreams, exampleImage, hostOf, isPlainHttp, wildcardUpstreams } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { blockText, ourBlocks } from './registries-conf.ts';

export const registriesFile = '/etc/containers/registries.conf.d/50-entrepot.conf';

/** Podman, Buildah and Skopeo: they say no `?ns=`, so each upstream is a mirror by its path. */
export function podmanConfig(target: ClientTarget): ClientConfig {
  return {
    ...containersConfig(target),
    runtime: 'podman',
    purpose:
      target.serves === 'none'
        ? 'Podman pulls from this registry'
        : 'Podman, Buildah, Skopeo and CRI-O pull through the cache',
    commands: [],
    examples: examples(target),
  };
}

/** CRI-O has the library that podman has, reads its files once, and again when it is told to. */
export function crioConfig(target: ClientTarget): ClientConfig {
  const image = target.serves === 'none' ? `${hostOf(target)}/NAME:TAG` : exampleImage(target);
  return {
    ...containersConfig(target),
    runtime: 'crio',
    purpose: target.serves === 'none' ? 'CRI-O pulls from this registry' : 'CRI-O pulls through the cache',
    commands: ['sudo systemctl reload crio'],
    examples: [`sudo crictl pull ${image}`],
  };
}

function containersConfig(target: ClientTarget): Pick<ClientConfig, 'files' | 'notes'> {
  const content = ourBlocks(target).map(blockText).join('\n');
  const file = { path: registriesFile, action: 'create', when: undefined, content } as const;
  return { files: [file, ...containersCertificate(target)], notes: [...notes(target)] };
}

export function containersCertificate(target: ClientTarget) {
  return authorityFile(target, `/etc/containers/certs.d/${hostOf(target)}/ca.crt`);
}

function examples(target: ClientTarget): readonly string[] {
  if (target.serves === 'none') return [`podman pull ${hostOf(target)}/NAME:TAG`];
  if (target.serves === 'every')
    return ['podman pull docker.io/library/redis', 'podman pull quay.io/prometheus/prometheus'];
  return [`podman pull ${exampleImage(target).replace(':latest', '')}`];
}

function* notes(target: ClientTarget): Iterable<string> {
  const host = hostOf(target);
  const wildcards = wildcardUpstreams(target);
  if (exactUpstreams(target).length > 0) {
    yield 'Pushes, searches and lists of tags go to the registries themselves; so do pulls while the cache is away.';
  }
  if (wildcards.length > 0) {
    yield `Mirrors cannot be given for a pattern (${wildcards.join(', ')}): add such a host with a block of its own, or name it by path: ${host}/HOST/NAME.`;
  }
  yield 'A [[registry]] block for the same registry in another file of registries.conf.d takes effect instead when its file sorts later.';
  if (isPlainHttp(target)) return;
  yield* strangersNote(target, `the authority's certificate goes to /etc/containers/certs.d/${host}/ca.crt`);
}
