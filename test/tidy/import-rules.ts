/** Who may import what: the rooms of ARCHITECTURE.md, and the few files that may touch drivers and the network. */
import { isForTests } from './modules.ts';
import type { Import, Module } from './modules.ts';

/** From the top to the bottom. A room imports only rooms of rows below its own, never one beside it. */
export const rows: readonly (readonly string[])[] = [
  ['main'],
  ['program'],
  ['cli'],
  ['server', 'rebuild'],
  ['doors', 'furnish', 'transparent'],
  ['settings'],
  ['registry', 'proxy', 'admin', 'clients'],
  ['http'],
  ['cache', 'hosted', 'adopt', 'notify', 'health', 'mirror', 'collect', 'access'],
  ['store', 'index', 'upstream', 'certificates'],
  ['bytes', 'observe', 'config'],
  ['oci'],
];

/** The room of a file below src/: its directory, or its own name for a file that lies there by itself. */
export function roomOf(path: string): string | undefined {
  const [top, name] = path.split('/');
  return top === 'src' && name !== undefined ? name.replace(/\.ts$/, '') : undefined;
}

/** Imports that go up or sideways, each with the chain of imports by which the program arrives there. */
export function upwardImports(modules: readonly Module[]): readonly string[] {
  return sourcesOf(modules).flatMap((module) =>
    module.imports
      .filter(({ target }) => isRelativeToUs(target) && !mayImport(module.path, target))
      .map((wrong) => at(module, wrong, `imports ${wrong.target}${chainTo(modules, module.path)}`)),
  );
}

function isRelativeToUs(target: string): boolean {
  return /^(src|test|bench|scripts)\//.test(target);
}

function mayImport(from: string, target: string): boolean {
  const [importer, imported] = [roomOf(from), roomOf(target)];
  if (importer === undefined || imported === undefined || isForTests(target)) return false;
  return importer === imported || (rowOf(importer) >= 0 && rowOf(importer) < rowOf(imported));
}

function rowOf(room: string): number {
  return rows.findIndex((row) => row.includes(room));
}

/** Rings of files that need one another before they run. Types may go round: nothing is left of them. */
export function importRings(modules: readonly Module[]): readonly string[] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const done = new Set<string>();
  const rings: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const again = trail.indexOf(path);
    if (again >= 0) rings.push([...trail.slice(again), path].join(' → '));
    if (again >= 0 || done.has(path)) return;
    for (const { target, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (!typeOnly) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const { path } of modules) visit(path, []);
  return rings;
}

/** A driver is a directory inside store/ or index/; besides itself only what furnishes the house names it. */
export function namedDrivers(modules: readonly Module[]): readonly string[] {
  return sourcesOf(modules).flatMap((module) =>
    module.imports
      .filter(({ target }) => {
        const driver = /^src\/(?:store|index)\/[^/]+\//.exec(target)?.[0];
        return driver !== undefined && module.path !== 'src/furnish.ts' && !module.path.startsWith(driver);
      })
      .map((wrong) => at(module, wrong, `names the driver ${wrong.target}: only src/furnish.ts does`)),
  );
}

interface NetworkRule {
  readonly what: string;
  /** `*` stands for everything that the module offers. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly globals: readonly string[];
  /** Prefixes of paths, and why they may. */
  readonly allowed: Readonly<Record<string, string>>;
}

const outbound: NetworkRule = {
  what: 'opens outbound connections: only src/upstream/ does',
  names: {
    undici: ['*'],
    'node:net': ['connect', 'createConnection', 'Socket'],
    'node:tls': ['connect', 'TLSSocket'],
    'node:http': ['request', 'get', 'Agent', 'ClientRequest'],
    'node:https': ['request', 'get', 'Agent'],
    'node:http2': ['connect'],
    'node:dgram': ['*'],
    'node:dns': ['*'],
    'node:dns/promises': ['*'],
  },
  globals: ['fetch', 'new WebSocket', 'new EventSource'],
  allowed: {
    'src/upstream/': 'the only way out of the building',
    'src/cli/': "speaks to a running server's socket",
    'src/admin/socket.ts': 'asks its own socket whether a server is still behind it',
  },
};

const inbound: NetworkRule = {
  what: 'listens: only src/http/ and src/proxy/ do',
  names: Object.fromEntries(
    ['node:net', 'node:tls', 'node:http', 'node:https', 'node:http2'].map((name) => [
      name,
      ['createServer', 'createSecureServer', 'Server'],
    ]),
  ),
  globals: [],
  allowed: {
    'src/http/': 'the Node adapter',
    'src/proxy/': 'the transparent proxy',
    'src/admin/socket.ts': 'the unix socket of the administration',
    'src/cli/check-local.ts': 'tries whether a port is free, and lets go of it',
  },
};

/** Files that reach for the network though they are not the rooms for it. */
export function networkUses(modules: readonly Module[]): readonly string[] {
  return sourcesOf(modules).flatMap((module) =>
    [outbound, inbound].flatMap((rule) => {
      if (Object.keys(rule.allowed).some((prefix) => module.path.startsWith(prefix))) return [];
      const imports = module.imports.filter((each) => takesNetwork(rule, each));
      const uses = module.uses.filter(({ name }) => rule.globals.includes(name.replace(/\(\)$/, '')));
      return [
        ...imports.map((wrong) =>
          at(module, wrong, `takes ${wrong.names.join(', ')} from ${wrong.target}: ${rule.what}`),
        ),
        ...uses.map((wrong) => at(module, wrong, `uses ${wrong.name}: ${rule.what}`)),
      ];
    }),
  );
}

function takesNetwork(rule: NetworkRule, { target, names, typeOnly }: Import): boolean {
  const guarded = rule.names[target] ?? rule.names[`node:${target}`];
  if (guarded === undefined || typeOnly) return false;
  return guarded.includes('*') || names.some((name) => name === '*' || guarded.includes(name));
}

/** What runs: tests may import anything. */
function sourcesOf(modules: readonly Module[]): readonly Module[] {
  return modules.filter(({ path }) => !isForTests(path));
}

/** The shortest way from the program's entry to a file, for the person who has to break it. */
function chainTo(modules: readonly Module[], goal: string): string {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const cameFrom = new Map<string, string | undefined>([['src/main.ts', undefined]]);
  for (const path of cameFrom.keys()) {
    for (const { target } of byPath.get(path)?.imports ?? []) {
      if (byPath.has(target) && !cameFrom.has(target)) cameFrom.set(target, path);
    }
  }
  if (!cameFrom.has(goal)) return '';
  const chain: string[] = [];
  for (let path: string | undefined = goal; path !== undefined; path = cameFrom.get(path)) chain.unshift(path);
  return ` (reached by ${chain.join(' → ')})`;
}

function at(module: Module, place: { readonly line: number }, what: string): string {
  return `${module.path}:${place.line} ${what}`;
}
