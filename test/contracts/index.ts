/**
 * What every Index promises, room by room; last, random operations against a model. No test knows how it is stored.
 */
import { describe, test } from 'node:test';
import type { Index } from '../../src/index/contract.ts';
import { blobsContract } from './index-blobs.ts';
import { collectionContract } from './index-collection.ts';
import { hostedContract } from './index-hosted.ts';
import { keepingContract } from './index-keeping.ts';
import { leasesContract } from './index-leases.ts';
import { manifestsContract } from './index-manifests.ts';
import { outboxContract } from './index-outbox.ts';
import { proofsContract } from './index-proofs.ts';
import { assertLikeModel } from './index-property.ts';
import { noticesContract } from './index-notices.ts';
import { repositoriesContract } from './index-repositories.ts';
import { tagsContract } from './index-tags.ts';
import { uploadsContract } from './index-uploads.ts';

export interface IndexUnderTest extends AsyncDisposable {
  readonly index: Index;
  /** The same index as another process sees it. */
  second(): Promise<Index>;
}

export type MakeIndex = () => Promise<IndexUnderTest>;

/** Random runs against the model. */
const modelRuns = 40;

export function indexContract(name: string, make: MakeIndex): void {
  describe(`${name} as an index`, () => {
    describe('manifests', () => manifestsContract(make));
    describe('tags', () => tagsContract(make));
    describe('blobs', () => blobsContract(make));
    describe('leases', () => leasesContract(make));
    describe('keeping', () => keepingContract(make));
    describe('repositories', () => repositoriesContract(make));
    describe('what is hosted', () => hostedContract(make));
    describe('collection', () => collectionContract(make));
    describe('uploads', () => uploadsContract(make));
    describe('notices', () => noticesContract(make));
    describe('the outbox', () => outboxContract(make));
    describe('proofs', () => proofsContract(make));
    test('answers like its model, whatever happens to it', async () => {
      await assertLikeModel(make, modelRuns);
    });
  });
}
