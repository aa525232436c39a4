import { join } from 'node:path';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const pullTimeoutMs = 120_000;

/** From a pull secret. */
export interface PullSecret {
  readonly username: string;
  readonly password: string;
}

/** Has the container runtime behind a unix socket pull an image, as a kubelet does. */
export async function pullImage(socket: string, image: string, auth?: PullSecret): Promise<void> {
  // containerd refuses the default authority of a unix socket, which is its escaped path.
  const client = new ImageService(`unix://${socket}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
  });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    client.PullImage(
      { image: { image }, ...(auth === undefined ? {} : { auth }) },
      { deadline: new Date(performance.timeOrigin + performance.now() + pullTimeoutMs) },
      (error) => (error === null ? resolve() : reject(error)),
    );
    await promise;
  } finally {
    client.close();
  }
}

interface ImageServiceClient extends Client {
  PullImage(
    request: { readonly image: { readonly image: string }; readonly auth?: PullSecret },
    options: { readonly deadline: Date },
    done: (error: ServiceError | null) => void,
  ): void;
}

type ImageServiceConstructor = new (...args: ConstructorParameters<typeof Client>) => ImageServiceClient;

const definition = loadPackageDefinition(loadSync(join(import.meta.dirname, 'cri.proto'), { keepCase: true }));
// What the loader makes of the file next to this one; its own types know only that there is something.
const { ImageService } = (definition as unknown as { runtime: { v1: { ImageService: ImageServiceConstructor } } })
  .runtime.v1;
