import { dockerPull } from './clients/dockerd.ts';
import { pullsThroughTheCache } from './suite.ts';

pullsThroughTheCache(dockerPull('bookworm', 'graph'));
pullsThroughTheCache(dockerPull('sid', 'graph'));
pullsThroughTheCache(dockerPull('sid', 'containerd'));
