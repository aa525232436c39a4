import { dockerBuild } from './clients/dockerd.ts';
import { pullsThroughTheCache } from './suite.ts';

pullsThroughTheCache(dockerBuild('bookworm', 'graph'));
pullsThroughTheCache(dockerBuild('sid', 'graph'));
