import { authorityFile, strangersNote } from '../client-config.ts';
import type { ClientConfig } from '../client-config.ts';
import { parseToml, setInToml, tableAt } from '../merge/toml.ts';
import { exactUpstreams, exampleImage, hostOf, isPlainHttp, wildcardUpstreams } from '../target.ts';
import type { ClientTarget } from '../target.ts';

const path = '/etc/buildkit/buildkitd.toml';
const caPath = '/etc/buildkit/entrepot-ca.crt';

/** buildkitd, also in a container of buildx. It takes no note of dockerd's own mirrors, and it says `?ns=`. */
export function buildkitConfig(target: ClientTarget): ClientConfig {
  const into = (before: string): string => {
    return settingsOf(target).reduce(
      (text, { keys, value }) => setInToml(text, keys, joined(text, keys, value), path),
      before,
    );
  };
  return {
    runtime: 'buildkit',
    purpose: target.serves === 'none' ? 'BuildKit pulls from this registry' : 'BuildKit pulls through the cache',
    files: [
      { path, action: 'merge', when: undefined, content: into('').trimStart(), into },
      ...authorityFile(target, caPath),
    ],
    commands: ['sudo systemctl restart buildkit'],
    examples: [
      `docker buildx create --name entrepot --driver docker-container --buildkitd-config ${path} --use`,
      `echo "FROM ${target.serves === 'none' ? `${hostOf(target)}/NAME:TAG` : exampleImage(target)}" | docker buildx build -`,
    ],
    notes: [...notes(target)],
  };
}

interface Setting {
  readonly keys: readonly string[];
  readonly value: boolean | readonly string[];
}

function settingsOf(target: ClientTarget): readonly Setting[] {
  const host = hostOf(target);
  const mirrors = exactUpstreams(target).map((name) => ({ keys: ['registry', name, 'mirrors'], value: [host] }));
  const plain = isPlainHttp(target) ? [{ keys: ['registry', host, 'http'], value: true }] : [];
  const ca = target.authority === undefined ? [] : [{ keys: ['registry', host, 'ca'], value: [caPath] }];
  return [...mirrors, ...plain, ...ca];
}

/** Those who are mirrors already are asked after us. */
function joined(text: string, keys: readonly string[], value: Setting['value']): Setting['value'] {
  if (typeof value === 'boolean') return value;
  const there = tableAt(parseToml(text, path), keys.slice(0, -1))[keys.at(-1) ?? ''];
  const others = Array.isArray(there) ? there.map(String).filter((entry) => !value.includes(entry)) : [];
  return [...value, ...others];
}

function* notes(target: ClientTarget): Iterable<string> {
  const wildcards = wildcardUpstreams(target);
  if (wildcards.length > 0) {
    yield `Mirrors cannot be given for a pattern (${wildcards.join(', ')}): add such a host with a table of its own.`;
  }
  yield 'A builder of buildx is made with this file, as shown; one that is there already keeps what it was made with.';
  yield "Tokens are fetched by the command line that asks for the build: the registries' token services stay in its reach.";
  yield* strangersNote(target, `ca = ["/path/to/ca.crt"] goes into the table [registry."${hostOf(target)}"]`);
}
