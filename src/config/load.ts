import { access, constants, open } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { resolve as absolutePath } from 'node:path';
import { readAuthFiles } from './auth-files.ts';
import type { AuthFiles } from './auth-files.ts';
import { builtinUpstreams } from './builtin-upstreams.ts';
import type { Config } from './config.ts';
import { overlayEnvironment, type Environment } from './env/overlay.ts';
import { fingerprint } from './fingerprint.ts';
import { ConfigError, type Origin, type Problem } from './error.ts';
import { loginNotices } from './login-notices.ts';
import { resolveConfig } from './resolve/resolve.ts';
import { Resolving, type Derived, type Machine, type NamedFile } from './resolve/resolving.ts';
import { fileSchema, ourKeys } from './schema/schema.ts';
import { judgeSupport } from './support.ts';
import { withoutEmptyTexts } from './tree/empty-texts.ts';
import { keysOf, type KeyNode } from './tree/keys.ts';
import { givenKeys, plainOf, spellOut, withoutExtensions, type Plain } from './tree/plain.ts';
import { fileBytesMax, readYaml } from './tree/read-yaml.ts';
import { emptyMap, originAt, pathText, type MapTree, type Path } from './tree/tree.ts';

export interface LoadOptions {
  /** The file; without it ENTREPOT_CONFIGURATION_PATH and REGISTRY_CONFIGURATION_PATH say, and without these there is none. */
  readonly path?: string | undefined;
  /** The file's content, where it has been read already (or in a test). */
  readonly text?: string | undefined;
  readonly env: Environment;
  /** A server runs with it: what is made at a first start must be there by now. */
  readonly running?: boolean;
  /** What is known of the machine; for tests. */
  readonly machine?: Partial<Machine>;
}

export interface Loaded {
  readonly config: Config;
  readonly authFiles: AuthFiles;
  /** Where each given value stands, by its key: `upstreams.docker.io.url`. What isn't here is a default. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** What an operator should know, a sentence each. */
  readonly notices: readonly string[];
  /** The files that the configuration depends on, itself first: absolute paths, for `watchConfig`. */
  readonly files: readonly string[];
  /** What they looked like before any of them was read. */
  readonly fingerprint: string;
  /** For `explain`. */
  readonly given: MapTree;
  readonly derived: readonly Derived[];
}

/** The schema's keys: walked once, asked often. */
export const fileKeys: KeyNode = keysOf(fileSchema);

/**
 * Reads the configuration: the file, then `REGISTRY_*`, then `ENTREPOT_*`.
 * @throws ConfigError with everything that is wrong with it
 */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const { env } = options;
  const named =
    options.path ?? nonEmpty(env['ENTREPOT_CONFIGURATION_PATH']) ?? nonEmpty(env['REGISTRY_CONFIGURATION_PATH']);
  const hasFile = named !== undefined || options.text !== undefined;
  const file = named ?? 'config.yml';
  const own = named === undefined ? [] : [absolutePath(named)];
  const ownLook = await fingerprint(own);
  const text = options.text ?? (named === undefined ? '' : await readText(named));
  const parsed = readYaml(text, file);
  const start = hasFile ? withoutExtensions(parsed.tree) : emptyMap({ kind: 'default' });
  const overlaid = overlayEnvironment(spellOut(start), env, { keys: fileKeys, names: builtinNames, isRegistrys });
  const given = withoutEmptyTexts(overlaid.tree, fileKeys, isRegistrys);
  const resolving = new Resolving(given, machineOf(options));
  const problems: Problem[] = [...parsed.problems, ...overlaid.problems];
  const plain = plainOf(given, fileKeys, fileKeys, [], problems) as Readonly<Record<string, Plain>>;
  const judged = judgeSupport(given, plain);
  const config = resolveConfig({ file: hasFile ? file : undefined, plain, keys: fileKeys }, resolving);
  const others = [...new Set(resolving.files.map((each) => each.file))];
  const looks = [ownLook, await fingerprint(others)].filter((look) => look !== '');
  const authFiles = await readAuthFiles(config, resolving);
  problems.push(...resolving.problems, ...judged.problems, ...(await unreadable(resolving, options.running === true)));
  const files = [...own, ...others];
  if (problems.length > 0) throw new ConfigError(inOrder(problems), files);
  return {
    config,
    authFiles,
    origins: originsOf(given),
    notices: [...overlaid.notices, ...judged.notices, ...resolving.notices, ...loginNotices(config, authFiles)],
    files,
    fingerprint: looks.join('\n'),
    given,
    derived: resolving.derived,
  };
}

async function readText(path: string): Promise<string> {
  const origin: Origin = { kind: 'file', file: path, line: 1, column: 1 };
  try {
    await using handle = await open(path);
    const { size } = await handle.stat();
    if (size > fileBytesMax)
      throw new ConfigError([
        { key: undefined, origin, text: `is larger than ${fileBytesMax} bytes; give the configuration file` },
      ]);
    return await handle.readFile('utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([
      { key: undefined, origin, text: `${unreadableText(error)}; check the path and its permissions` },
    ]);
  }
}

/** Files that are named and can't be read: better known now than at the first request. */
async function unreadable({ files, tree }: Resolving, all: boolean): Promise<readonly Problem[]> {
  const problems = await Promise.all(files.map(async (each) => await problemOf(each, tree, all)));
  return problems.filter((problem) => problem !== undefined);
}

async function problemOf(
  { path, file, optional }: NamedFile,
  tree: MapTree,
  all: boolean,
): Promise<Problem | undefined> {
  try {
    await access(file, constants.R_OK);
    return undefined;
  } catch (error) {
    if (optional === true && !all && codeOf(error) === 'ENOENT') return undefined;
    return {
      key: pathText(path),
      origin: originAt(tree, path),
      text: `${file} ${unreadableText(error)}; check the path and its permissions`,
    };
  }
}

function unreadableText(error: unknown): string {
  const code = codeOf(error);
  return code === 'ENOENT' ? 'does not exist' : `can't be read (${code})`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}

function machineOf({ env, machine }: LoadOptions): Machine {
  return {
    isRoot: process.getuid?.() === 0,
    home: env['HOME'] ?? homedir(),
    dataHome: nonEmpty(env['XDG_DATA_HOME']),
    runtimeDirectory: nonEmpty(env['XDG_RUNTIME_DIR']),
    workingDirectory: process.cwd(),
    temporaryDirectory: tmpdir(),
    ...machine,
  };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function builtinNames(path: Path): readonly string[] {
  return path.length === 1 && path[0] === 'upstreams' ? builtinUpstreams.map((upstream) => upstream.name) : [];
}

function isRegistrys(path: Path): boolean {
  const key = path.filter((step) => typeof step === 'string').join('.');
  return key !== 'version' && !ourKeys.some((each) => key === each || key.startsWith(`${each}.`));
}

function originsOf(tree: MapTree): ReadonlyMap<string, Origin> {
  return new Map(givenKeys(tree).map(({ path, tree: value }) => [pathText(path), value.origin]));
}

/** The file's from top to bottom, then the environment's; each only once. */
function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...unique.values()].sort((one, other) => placeOf(one) - placeOf(other));
}

function placeOf({ origin }: Problem): number {
  return origin.kind === 'file' ? origin.line * 10_000 + Math.min(origin.column, 9_999) : Number.MAX_SAFE_INTEGER;
}
