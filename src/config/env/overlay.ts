import type { Origin, Problem } from '../error.ts';
import { nearest } from '../nearest.ts';
import type { KeyNode } from '../tree/keys.ts';
import { spellOut } from '../tree/plain.ts';
import { pathText, treeAt, treeOf, withValue, type MapTree, type Path } from '../tree/tree.ts';
import { proxyVariables } from './proxy/settings.ts';
import { keyOfVariable } from './variable-key.ts';
import { variableValue } from './variable-value.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentScope {
  readonly keys: KeyNode;
  /** Names of the operator's own that are known without a file: of built-in upstreams. */
  readonly names: (path: Path) => readonly string[];
  /** Whether registry knows the key: `REGISTRY_*` reaches no other. */
  readonly isRegistrys: (path: Path) => boolean;
}

export interface Overlaid {
  readonly tree: MapTree;
  readonly problems: readonly Problem[];
  readonly notices: readonly string[];
}

/**
 * The environment and the file: docker-registry-proxy's variables below it; above it, by the rule of registry's
 * `configuration/parser.go`, `REGISTRY_A_B`, which is the key `a.b`: its value is YAML and replaces what is there, shorter
 * names come first. `ENTREPOT_*` does the same, later, for every key; `REGISTRY_*` reaches registry's own.
 *
 * What we do beyond the rule, so that nothing that worked stops: numbers in names count as numbers (`_2` before `_10`),
 * names are matched in any case, both registry's field names and the names of the file are understood, and a text that
 * is no YAML is taken as it is. A name of the operator's own (an upstream) is written as it is where that is possible
 * (`ENTREPOT_UPSTREAMS_QUAY.IO_FRESHNESS`), with `_` for each other character when it is known already
 * (`ENTREPOT_UPSTREAMS_QUAY_IO_FRESHNESS`), with `__` for a dot when it is new.
 */
export function overlayEnvironment(tree: MapTree, env: Environment, scope: EnvironmentScope): Overlaid {
  const { problems, notices, settings } = proxyVariables(env);
  const overlaid = { tree, problems, notices };
  for (const { path, value, name } of settings) {
    if (treeAt(tree, path) !== undefined) continue;
    const changed = withValue(overlaid.tree, path, treeOf(value, { kind: 'env', name }));
    if (changed.kind === 'map') overlaid.tree = changed;
  }
  for (const prefix of ['REGISTRY', 'ENTREPOT'] as const) {
    for (const name of namesInOrder(env, prefix)) {
      const value = env[name];
      if (value !== undefined && !notKeys.has(name)) apply({ name, value, prefix }, overlaid, scope);
    }
  }
  return overlaid;
}

/** They begin like keys, and are none: where the file is, what commands say of failures, and podman's credentials. */
const notKeys: ReadonlySet<string> = new Set([
  'REGISTRY_CONFIGURATION_PATH',
  'ENTREPOT_CONFIGURATION_PATH',
  'ENTREPOT_DEBUG',
  'REGISTRY_AUTH_FILE',
]);

interface Variable {
  readonly name: string;
  readonly value: string;
  readonly prefix: 'REGISTRY' | 'ENTREPOT';
}

interface Overlaying {
  tree: MapTree;
  readonly problems: Problem[];
  readonly notices: string[];
}

function apply(variable: Variable, overlaid: Overlaying, scope: EnvironmentScope): void {
  const { name, value, prefix } = variable;
  const origin: Origin = { kind: 'env', name };
  const segments = name.slice(prefix.length + 1).split('_');
  const found = keyOfVariable(segments, { keys: scope.keys, tree: overlaid.tree, path: [], names: scope.names });
  const isForeign = found !== undefined && prefix === 'REGISTRY' && !scope.isRegistrys(found.path);
  if (found === undefined || isForeign) {
    unknown(variable, { segments, ours: isForeign, scope, overlaid });
  } else if (found.gap !== undefined) {
    overlaid.problems.push({ key: pathText(found.path), origin, text: found.gap });
  } else {
    const problems: Problem[] = [];
    const read = variableValue(value, found.keys, name, problems);
    overlaid.problems.push(...problems);
    const changed = withValue(overlaid.tree, found.path, read);
    if (problems.length === 0 && changed.kind === 'map') overlaid.tree = spellOut(changed);
  }
}

function namesInOrder(env: Environment, prefix: string): readonly string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(`${prefix}_`))
    .sort((one, other) => compareNames(one.split('_'), other.split('_')));
}

function compareNames(one: readonly string[], other: readonly string[]): number {
  for (const [index, left] of one.entries()) {
    const right = other[index];
    if (right === undefined) return 1;
    if (left === right) continue;
    if (/^\d+$/u.test(left) && /^\d+$/u.test(right)) return Number(left) - Number(right);
    return left < right ? -1 : 1;
  }
  return one.length - other.length;
}

interface UnknownVariable {
  readonly segments: readonly string[];
  /** It is a key of ours, given by registry's prefix. */
  readonly ours: boolean;
  readonly scope: EnvironmentScope;
  readonly overlaid: Overlaying;
}

/**
 * registry ignores what it doesn't know, and so do we for its prefix; ours is checked. A Kubernetes Service called
 * `registry` or `entrepot` puts its addresses into every pod's environment under just such names: never worth a word.
 */
function unknown({ name, prefix }: Variable, { segments, ours, scope, overlaid }: UnknownVariable): void {
  if (kubernetesService.test(name)) return;
  const near = nearest(segments.join('_'), variableNames(scope.keys))?.toUpperCase();
  if (ours)
    overlaid.notices.push(
      segments.length === 1 && segments[0]?.toLowerCase() === 'version'
        ? `${name} is ignored, as registry has it; write version into the file`
        : `${name} is ignored, for it is no setting of registry's; write ENTREPOT_${segments.join('_')}`,
    );
  else if (prefix === 'REGISTRY')
    overlaid.notices.push(
      `${name} is not a setting and is ignored; ${near === undefined ? 'remove it' : `write ${prefix}_${near}, or remove it`}`,
    );
  else {
    const advice =
      near === undefined ? 'remove it; `entrepot config` lists the keys' : `write ENTREPOT_${near}, or remove it`;
    overlaid.problems.push({ key: undefined, origin: { kind: 'env', name }, text: `is not a setting; ${advice}` });
  }
}

const kubernetesService =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/u;

function variableNames(keys: KeyNode, path: readonly string[] = []): readonly string[] {
  const here = path.length === 0 ? [] : [path.join('_')];
  return [...here, ...[...(keys.fields ?? [])].flatMap(([name, field]) => variableNames(field, [...path, name]))];
}
