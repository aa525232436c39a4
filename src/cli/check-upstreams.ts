import type { Config } from '../config/config.ts';
import type { MirrorStatus, Upstream, UpstreamCheck } from '../upstream/contract.ts';
import type { Context } from './context.ts';
import type { Finding } from './check.ts';
import { troubleText } from './trouble.ts';

/** Contacts the upstreams that the configuration names, or all whose name is known, and their mirrors, all at once. */
export async function checkUpstreams(context: Context, config: Config, all: boolean): Promise<readonly Finding[]> {
  const chosen = config.upstreams.filter(({ named }) => all || named).map(({ name }) => name);
  const byDefault = config.defaultUpstream === undefined ? [] : [config.defaultUpstream];
  const names = [...new Set([...byDefault, ...chosen])];
  const upstreams = await context.openUpstreams(config);
  try {
    const findings = names.map(async (name) => {
      if (name.includes('*')) return [{ what: `upstream ${name}`, ok: true, text: 'a pattern; nothing to contact' }];
      return await findingsOf(upstreams.find(name), name);
    });
    return (await Promise.all(findings)).flat();
  } finally {
    await upstreams.close();
  }
}

async function findingsOf(upstream: Upstream | undefined, name: string): Promise<readonly Finding[]> {
  const what = `upstream ${name}`;
  if (upstream === undefined) return [{ what, ok: false, text: 'is not known; add it under upstreams' }];
  try {
    const checked = await upstream.check();
    const mirrors = (checked.mirrors ?? []).map((mirror) => mirrorFinding(name, mirror));
    return [{ what, ...found(upstream, checked) }, ...mirrors];
  } catch (error) {
    return [{ what, ok: false, text: troubleText(error) }];
  }
}

function found(upstream: Upstream, { circuit, lastError, limit, url }: UpstreamCheck): Omit<Finding, 'what'> {
  if (circuit === 'open' || lastError !== undefined) {
    return { ok: false, text: lastError ?? `it fails; check upstreams.${upstream.name} and the network` };
  }
  const as = upstream.hasCredentials ? 'with credentials' : 'anonymously';
  const left = limit === undefined ? '' : `, ${limit.remaining} of ${limit.limit} requests left`;
  return { ok: true, text: `${url} answers ${as}${left}` };
}

function mirrorFinding(name: string, { url, lastError }: MirrorStatus): Finding {
  const what = `mirror of ${name}`;
  if (lastError === undefined) return { what, ok: true, text: `${url} answers anonymously` };
  return { what, ok: false, text: `${url}: ${lastError}, or take it out of upstreams.${name}.mirrors` };
}
