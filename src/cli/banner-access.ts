import type { Action } from '../oci/repository.ts';
import type { AccessRule, Config, Who } from '../config/config.ts';
import { isLoopback } from '../config/value/address.ts';

/** Who may do what with what is here, for the banner. */
export function whoMay(config: Config): readonly string[] {
  const { access, auth, http } = config;
  const anonymous = allowed(config, isAnybody);
  const canLogIn = auth.kind !== 'none' || http.tls?.clients !== undefined;
  const users = canLogIn ? allowed(config, (who) => !isAnybody(who)) : [];
  const isBearers = access.rules.length === 1 && access.rules[0]?.who.some(({ kind }) => kind === 'bearer');
  const usersMay = isBearers ? 'do what their tokens let them' : deeds(config, users);
  if (anonymous.length === 0) {
    const others = users.length === 0 ? 'Nobody may do anything by the rules' : `Users may ${usersMay}`;
    return [`${others}; who has not logged in may do nothing.`];
  }
  const near = isReachedFromHereAlone(http);
  const who = near ? 'Anonymous clients of this machine' : 'Anonymous clients';
  const others = users.length === 0 ? '' : `; users may ${usersMay}`;
  return [
    `${who} may ${deeds(config, anonymous)}${others}.`,
    ...(near || !anonymous.includes('push')
      ? []
      : ['  Whoever reaches this port is one of them; auth and access say who may do what.']),
  ];
}

function isAnybody({ kind }: Who): boolean {
  return kind === 'anybody';
}

/** What some rule lets them do somewhere, of what can be done here at all. */
function allowed(config: Config, isMeant: (who: Who) => boolean): readonly Action[] {
  const theirs = config.access.rules.filter(({ who }) => who.some(isMeant));
  return possible(config).filter((action) => theirs.some(({ may }) => may.includes(action)));
}

function possible({ hosted: { readOnly, deletes }, ...config }: Config): readonly Action[] {
  if (!isHosting(config) || readOnly) return ['pull'];
  return deletes ? ['pull', 'push', 'delete'] : ['pull', 'push'];
}

function isHosting({ mode }: Pick<Config, 'mode'>): boolean {
  return mode !== 'registry-proxy';
}

/** `pull what is public at quay.io, and pull and push what is hosted here`. */
function deeds({ mode, defaultUpstream, access }: Config, actions: readonly Action[]): string {
  const cached = `what is public at ${mode === 'entrepot' ? 'every known public registry' : defaultUpstream}`;
  const hosted = mode === 'registry' ? 'what is held here' : 'what is hosted here';
  const places = { entrepot: [cached, hosted], registry: [hosted], 'registry-proxy': [cached] }[mode];
  const all = inWords(actions);
  if (!isOneForAll(access.rules)) return `${all} what the rules leave to them, of ${inWords(places)}`;
  if (mode !== 'entrepot' || !actions.includes('pull')) return `${all} ${places.at(-1)}`;
  return actions.length === 1 ? `pull ${inWords(places)}` : `pull ${cached}, and ${all} ${hosted}`;
}

/** Whoever it lets do something may do that everywhere. */
function isOneForAll(rules: readonly AccessRule[]): boolean {
  return rules.length === 1 && rules[0]?.on.includes('**') === true;
}

function inWords(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

function isReachedFromHereAlone({ listen, externalUrl, trustedProxies }: Config['http']): boolean {
  const isForwarded = externalUrl !== undefined || trustedProxies.length > 0;
  return !isForwarded && listen.every(({ host }) => isLoopback(host));
}
