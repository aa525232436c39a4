import { crane, oras } from './clients/copiers.ts';
import { pullsThroughTheCache } from './suite.ts';

pullsThroughTheCache(crane('sid'));
pullsThroughTheCache(oras('sid'));
