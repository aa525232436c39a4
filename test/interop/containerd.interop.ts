import { cri, ctr } from './clients/containerd.ts';
import { pullsThroughTheCache } from './suite.ts';

pullsThroughTheCache(ctr('bookworm'));
pullsThroughTheCache(cri('bookworm'));
pullsThroughTheCache(ctr('sid'));
pullsThroughTheCache(cri('sid'));
