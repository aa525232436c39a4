import { authorityFile, strangersNote } from '../client-config.ts';
import type { ClientConfig } from '../client-config.ts';
import { exactUpstreams, hostOf, isPlainHttp, wildcardUpstreams } from '../target.ts';
import type { ClientTarget } from '../target.ts';

const caPath = '/kaniko/ssl/certs/entrepot-ca.crt';

/** kaniko has no file: its arguments say where to pull from, a registry at a time. */
export function kanikoConfig(target: ClientTarget): ClientConfig {
  const args = argumentsOf(target);
  return {
    runtime: 'kaniko',
    purpose:
      target.serves === 'none' ? 'kaniko pulls from this registry' : 'kaniko pulls base images through the cache',
    files: [
      {
        path: "the executor's arguments",
        action: 'merge',
        when: undefined,
        content: `${args.join('\n')}\n`,
      },
      ...authorityFile(target, caPath),
    ],
    commands: [],
    examples: [`/kaniko/executor --no-push --context=DIRECTORY ${args.map((each) => `'${each}'`).join(' ')}`],
    notes: [...notes(target)],
  };
}

function argumentsOf(target: ClientTarget): readonly string[] {
  const host = hostOf(target);
  const maps = exactUpstreams(target).map((name) => {
    const original = name === 'docker.io' ? 'index.docker.io' : name;
    return `${original}=${target.serves === 'one' ? host : `${host}/${name}`}`;
  });
  return [
    ...(maps.length > 0 ? [`--registry-map=${maps.join(';')}`] : []),
    ...(isPlainHttp(target) ? [`--insecure-registry=${host}`] : []),
    ...(target.authority === undefined ? [] : [`--registry-certificate=${host}=${caPath}`]),
  ];
}

function* notes(target: ClientTarget): Iterable<string> {
  const wildcards = wildcardUpstreams(target);
  if (target.serves !== 'none')
    yield 'Needs kaniko 1.23 or newer; while the cache is away, it asks the registries themselves.';
  if (wildcards.length > 0) {
    yield `Registries of a pattern (${wildcards.join(', ')}) are added to the map one by one.`;
  }
  yield* strangersNote(target, `--registry-certificate=${hostOf(target)}=/path/to/ca.crt names its certificate`);
}
