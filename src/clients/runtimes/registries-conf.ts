import { stringify } from 'smol-toml';
import { exactUpstreams, hostOf, isPlainHttp } from '../target.ts';
import type { ClientTarget } from '../target.ts';

/** A [[registry]] of registries.conf. */
export interface RegistryBlock {
  readonly location: string;
  readonly insecure?: boolean;
  readonly mirror?: readonly Mirror[];
  /** What else somebody has said of it. */
  readonly [key: string]: unknown;
}

interface Mirror {
  readonly location: string;
  readonly insecure?: boolean;
}

/** One for each upstream, and one for us, by our own name. */
export function ourBlocks(target: ClientTarget): readonly RegistryBlock[] {
  const host = hostOf(target);
  const plain = isPlainHttp(target) ? { insecure: true } : {};
  const mirrored = exactUpstreams(target).map((name) => {
    const location = target.serves === 'one' ? host : `${host}/${name}`;
    return { location: name, mirror: [{ location, ...plain }] };
  });
  return [...mirrored, { location: host, ...plain }];
}

export function blockText(block: RegistryBlock): string {
  const { mirror = [], ...registry } = block;
  return [
    `[[registry]]\n${stringify(registry)}`,
    ...mirror.map((each) => `\n[[registry.mirror]]\n${stringify(each)}`),
  ].join('');
}
