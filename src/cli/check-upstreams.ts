import type { Config } from '../config/config.ts';
import type { Upstream } from '../upstream/contract.ts';
import type { Context } from './context.ts';
import type { Finding } from './check.ts';
import { troubleText } from './trouble.ts';

/** Contacts the upstreams that the configuration names, or all whose name is known, all at once. */
export async function checkUpstreams(context: Context, config: Config, all: boolean): Promise<readonly Finding[]> {
  const named = config.upstreams.filter(({ builtIn }) => all || !builtIn).map(({ name }) => name);
  const byDefault = config.defaultUpstream === undefined ? [] : [config.defaultUpstream];
  const names = [...new Set([...byDefault, ...named])];
  const upstreams = await context.openUpstreams(config);
  try {
    return await Promise.all(
      names.map(async (name) => {
        if (name.includes('*')) return { what: `upstream ${name}`, ok: true, text: 'a pattern; nothing to contact' };
        return finding(upstreams.find(name), name);
      }),
    );
  } finally {
    await upstreams.close();
  }
}

async function finding(upstream: Upstream | undefined, name: string): Promise<Finding> {
  const what = `upstream ${name}`;
  if (upstream === undefined) return { what, ok: false, text: 'is not known; add it under upstreams' };
  try {
    const { circuit, lastError, limit, url } = await upstream.check();
    if (circuit === 'open' || lastError !== undefined) {
      return { what, ok: false, text: lastError ?? `it fails; check upstreams.${name} and the network` };
    }
    const as = upstream.hasCredentials ? 'with credentials' : 'anonymously';
    const left = limit === undefined ? '' : `, ${limit.remaining} of ${limit.limit} requests left`;
    return { what, ok: true, text: `${url} answers ${as}${left}` };
  } catch (error) {
    return { what, ok: false, text: troubleText(error) };
  }
}
