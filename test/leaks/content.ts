/** What there is at the upstream, and who may read it there. */
import type { CountingUpstream } from '../support/counting-upstream.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import type { Image, Manifest } from '../support/images.ts';

/** Shows nowhere but in manifests. */
export const marker = 'for-their-readers-only';

export interface Shelf {
  readonly name: string;
  readonly tag: string;
  readonly index: Manifest;
  readonly image: Image;
  readonly signature: Image;
  /** Whom of the upstream's users it shows it to; anybody where that is not said. */
  readonly readers?: readonly string[];
}

function shelf(name: string, readers?: readonly string[]): Shelf {
  const annotations = { marker };
  // Long enough that what readers have before it is verified is not all of it.
  const image = makeImage({ seed: name, layers: [120_000], annotations });
  const other = makeImage({ seed: `${name} on arm`, platform: 'linux/arm64', layers: [500] });
  const index = makeIndex([image, other], 'oci', { annotations });
  const tag = `v-${name.replace('/', '-')}`;
  const signature = makeArtifact({ subject: index, seed: name });
  return { name, tag, index, image, signature, ...(readers && { readers }) };
}

/** `robot` is this cache's own account there, where it has one. */
export const shelves = {
  open: shelf('team/open'),
  plans: shelf('team/plans', ['alice', 'carol']),
  ours: shelf('team/ours', ['robot']),
  both: shelf('team/both', ['alice', 'robot']),
} as const;

/** Whoever can write to these repositories has put manifests there that name what lies on the shelf of the plans. */
export const namers = { public: 'team/namer', bobs: 'bob/namer' } as const;

export const grants = {
  alice: ['team/plans', 'team/both'],
  carol: ['team/plans'],
  bob: ['bob'],
  robot: ['team/ours', 'team/both'],
} as const;

export const privateRepositories = ['team/plans', 'team/ours', 'team/both', 'bob'];

export function furnishUpstream(hub: CountingUpstream): void {
  for (const { name, tag, index, signature } of Object.values(shelves)) {
    hub.publish(`${name}:${tag}`, index);
    hub.publish(name, signature);
  }
  for (const name of Object.values(namers)) {
    hub.publish(`${name}:image`, namingImage);
    hub.publish(`${name}:index`, namingIndex);
    const { image } = shelves.plans;
    for (const { digest } of [image, image.config, ...image.layers]) hub.withdraw(`${name}@${digest}`);
  }
}

export const namingImage = makeImage({ seed: 'naming', layers: [...shelves.plans.image.layers] });
export const namingIndex = makeIndex([shelves.plans.image]);
