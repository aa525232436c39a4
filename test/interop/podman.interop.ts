import { buildah, podman, skopeo } from './clients/containers-image.ts';
import { pullsThroughTheCache } from './suite.ts';

pullsThroughTheCache(podman('bookworm'));
pullsThroughTheCache(podman('sid'));
pullsThroughTheCache(buildah('bookworm'));
pullsThroughTheCache(buildah('sid'));
pullsThroughTheCache(skopeo('bookworm'));
pullsThroughTheCache(skopeo('sid'));
