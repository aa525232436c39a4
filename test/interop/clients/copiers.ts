import { join } from 'node:path';
import type { ImageName } from '../lab/lab.ts';
import type { Suite } from '../lab/machine.ts';
import type { ClientKind } from '../suite.ts';
import { fromEverywhere, throughPath } from './images.ts';

/** crane, whose library is also kaniko's, ko's and cosign's. */
export function crane(suite: Suite): ClientKind {
  return copier('crane', suite, (image, target) => {
    return ['pull', '--insecure', '--platform=linux/amd64', throughPath(image), `${target}.tar`];
  });
}

export function oras(suite: Suite): ClientKind {
  return copier('oras', suite, (image, target) => {
    return ['copy', '--from-plain-http', '--no-tty', '--to-oci-layout', throughPath(image), `${target}:${image.tag}`];
  });
}

function copier(
  program: string,
  suite: Suite,
  copyArguments: (image: ImageName, target: string) => readonly string[],
): ClientKind {
  return {
    name: `${program} of ${suite}`,
    suite,
    programs: [program],
    versionCommand: ['dpkg-query', '--show', program],
    images: fromEverywhere,
    async open(machine, directory) {
      return {
        async pull(image) {
          const target = join(directory, image.repository.replaceAll('/', '-'));
          await machine.run([program, ...copyArguments(image, target)]);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}
