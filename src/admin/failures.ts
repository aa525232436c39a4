import type { Request } from '../http/message.ts';
import type { Observer } from '../observe/events.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { CollectLine, PullLine } from './views.ts';

/** Tells the log what failed: an operator has at most a sentence and a request's id. Who asked wrongly is told so himself. */
export function tellFailure(observer: Observer, request: Request, error: unknown): void {
  const known = error instanceof RegistryError ? error : undefined;
  if (known?.origin === 'client' || known?.origin === 'operator') return;
  const message = messageOf(error);
  observer.emit({ type: 'admin.failed', ...askedBy(request), code: known?.code ?? 'UNKNOWN', message });
}

/** The lines as they are; one that says that it failed is told to the log. */
export async function* watched<L extends PullLine | CollectLine>(
  lines: AsyncIterable<L>,
  observer: Observer,
  request: Request,
): AsyncIterable<L> {
  for await (const line of lines) {
    if (line.type === 'failed') {
      const { code, message } = line;
      observer.emit({ type: 'admin.failed', ...askedBy(request), code, message });
    }
    yield line;
  }
}

function askedBy({ id, url }: Request) {
  const { pathname = url, searchParams } = URL.parse(url, 'http://admin') ?? {};
  const action = pathname.slice(pathname.lastIndexOf('/v1/') + '/v1/'.length);
  return { action, target: searchParams?.get('image') ?? '', requestId: id };
}
