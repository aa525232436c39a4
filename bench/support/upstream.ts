/**
 * The upstream, in a process of its own.
 */
import type { UpstreamOptions } from '../../test/support/counting-upstream.ts';
import { Helper } from './helper.ts';
import type { UpstreamOperations } from './upstream-main.ts';

export interface Upstream extends AsyncDisposable, Pick<Helper<UpstreamOperations>, 'ask'> {
  readonly origin: string;
}

export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const helper = new Helper<UpstreamOperations>('./upstream-main.ts');
  return Object.assign(helper, { origin: await helper.ask('start', options) });
}
