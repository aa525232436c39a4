import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registries } from '../internet/sites.ts';
import type { ImageName } from '../lab/lab.ts';
import type { Suite } from '../lab/machine.ts';
import { cacheAuthority } from '../lab/server.ts';
import type { ClientKind } from '../suite.ts';
import { fromEverywhere, fullName } from './images.ts';

/** podman, buildah and skopeo share one library: mirrors in `registries.conf`, reached through the path door. */
export function podman(suite: Suite): ClientKind {
  return containersImage('podman', suite, (image) => ['pull', '--quiet', fullName(image)]);
}

export function buildah(suite: Suite): ClientKind {
  return containersImage('buildah', suite, (image) => ['pull', '--quiet', fullName(image)]);
}

export function skopeo(suite: Suite): ClientKind {
  return containersImage('skopeo', suite, (image, directory) => {
    const target = join(directory, image.repository.replaceAll('/', '-'));
    return ['copy', '--quiet', `docker://${fullName(image)}`, `dir:${target}`];
  });
}

function containersImage(
  program: string,
  suite: Suite,
  pullArguments: (image: ImageName, directory: string) => readonly string[],
): ClientKind {
  return {
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    versionCommand: [program, '--version'],
    images: fromEverywhere,
    async open(machine, directory) {
      const etc = join(directory, 'etc');
      await mkdir(join(etc, 'containers'), { recursive: true });
      await writeFile(join(etc, 'containers/registries.conf'), registriesConf());
      await writeFile(join(etc, 'containers/storage.conf'), storageConf(directory));
      return {
        async pull(image) {
          await machine.run([program, ...pullArguments(image, directory)], { env: { LAB_ETC: etc } });
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

function registriesConf(): string {
  const mirrors = Object.keys(registries).map(
    (registry) => `[[registry]]
prefix = "${registry}"
location = "${registry}"
[[registry.mirror]]
location = "${cacheAuthority}/${registry}"
insecure = true
`,
  );
  return mirrors.join('\n');
}

function storageConf(directory: string): string {
  return `[storage]\ndriver = "overlay"\nrunroot = "${directory}/run"\ngraphroot = "${directory}/root"\n`;
}
