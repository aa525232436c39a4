/**
 * The repository's TypeScript as facts that the rules of CONTRIBUTING.md speak of: who imports what, how long a function is,
 * which words appear. The compiler itself reads the files, so that a string or a comment is never taken for code.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';
import { SyntaxKind } from 'typescript/unstable/ast';
import type { InterfaceDeclaration, Node, SourceFile } from 'typescript/unstable/ast';
import {
  isCallExpression,
  isExportAssignment,
  isExportDeclaration,
  isExportSpecifier,
  isIdentifier,
  isImportDeclaration,
  isImportTypeNode,
  isInterfaceDeclaration,
  isLiteralTypeNode,
  isMethodSignatureDeclaration,
  isNamedImports,
  isNamespaceExport,
  isNewExpression,
  isPropertyAccessExpression,
  isPropertySignatureDeclaration,
  isStringLiteral,
} from 'typescript/unstable/ast/is';

export const repositoryRoot: string = join(import.meta.dirname, '../..');

export interface Module {
  /** From the repository's root: `src/oci/digest.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly functions: readonly Stretch[];
  readonly interfaces: readonly Interface[];
  /** Calls, constructions and property accesses of global things by their dotted name: `Date.now`, `new Date`, `fetch`. */
  readonly uses: readonly Use[];
  /** Lines on which it says `any`. */
  readonly anys: readonly number[];
  readonly defaultExports: readonly number[];
}

export interface Import {
  /** The file it names, from the repository's root, or the package: `src/oci/digest.ts`, `node:net`, `undici`. */
  readonly target: string;
  /** What is taken from it; `*` is all of it. */
  readonly names: readonly string[];
  /** Nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Stretch {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

export interface Interface {
  readonly name: string;
  readonly line: number;
  readonly methods: readonly string[];
  readonly extends: readonly string[];
}

export interface Use {
  readonly name: string;
  readonly line: number;
}

/** Tests and what helps them may do what the house may not: `x.test.ts`, and `testing.ts` for the tests of one room. */
export function isForTests(path: string): boolean {
  return !path.startsWith('src/') || path.endsWith('.test.ts') || path.endsWith('/testing.ts');
}

/** Every TypeScript file below these directories of the repository. */
export function readModules(...directories: readonly string[]): readonly Module[] {
  const paths = directories.flatMap((directory) => filesBelow(directory, '.ts'));
  return parseModules(new Map(paths.map((path) => [path, readFileSync(join(repositoryRoot, path), 'utf8')])));
}

/** Paths from the repository's root, sorted; none where there is no such directory. */
export function filesBelow(directory: string, suffix: string): readonly string[] {
  try {
    return readdirSync(join(repositoryRoot, directory), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith(suffix) && !path.split('/').includes('node_modules'))
      .map((path) => `${directory}/${path}`)
      .sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Facts about files that need not exist: what the tests of the rules are made of. */
export function parseModules(files: ReadonlyMap<string, string>): readonly Module[] {
  const root = `/${trees.size}`;
  const project = `${root}/tsconfig.json`;
  // Only these files are parsed, none that they import: facts about syntax need no types.
  const compilerOptions = { noLib: true, noResolve: true, types: [], allowImportingTsExtensions: true, noEmit: true };
  trees.set(
    root,
    new Map([...files, ['tsconfig.json', JSON.stringify({ compilerOptions, files: [...files.keys()] })]]),
  );
  using snapshot = compiler.updateSnapshot({ openProjects: [project] });
  const program = snapshot.getProject(project)?.program;
  return [...files].map(([path, text]) => {
    const file = program?.getSourceFile(`${root}/${path}`);
    if (file === undefined) throw new Error(`the compiler does not know ${path}`);
    return moduleOf(path, text, file);
  });
}

/** Texts by their paths, by the directory that the compiler believes them in. */
const trees = new Map<string, ReadonlyMap<string, string>>();

const fs: FileSystem = {
  readFile: (path) => find(path) ?? null,
  fileExists: (path) => find(path) !== undefined,
  directoryExists: (path) => trees.has(path),
  getAccessibleEntries: () => ({ files: [], directories: [] }),
  realpath: (path) => path,
};

function find(path: string): string | undefined {
  const [, root = '', file = ''] = /^(\/\d+)\/(.+)$/.exec(path) ?? [];
  return trees.get(root)?.get(file);
}

/** A process of its own, which ends with ours. */
const compiler = new API({ cwd: '/', fs });

function moduleOf(path: string, text: string, file: SourceFile): Module {
  const facts: Facts = { imports: [], functions: [], interfaces: [], uses: [], anys: [], defaultExports: [] };
  const lineOf = (node: Node): number => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  const visit = (node: Node): void => {
    collect(node, path, file, lineOf(node), facts);
    node.forEachChild(visit);
  };
  visit(file);
  const lines = text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return { path, text, lines, ...facts };
}

type Facts = { -readonly [K in keyof Omit<Module, 'path' | 'text' | 'lines'>]: Module[K][number][] };

function collect(node: Node, path: string, file: SourceFile, line: number, facts: Facts): void {
  const imported = importOf(node, path, line);
  if (imported !== undefined) facts.imports.push(imported);
  if (functionKinds.has(node.kind) && !isSuite(node)) {
    facts.functions.push({ name: nameOf(node, file), line, lines: linesOf(node, file) });
  }
  if (isInterfaceDeclaration(node)) facts.interfaces.push(interfaceOf(node, file, line));
  if (node.kind === SyntaxKind.AnyKeyword) facts.anys.push(line);
  if (isDefaultExport(node)) facts.defaultExports.push(line);
  const used = useOf(node);
  if (used !== undefined) facts.uses.push({ name: used, line });
}

/** `import`, `export ... from`, `import(...)` and `import('...')` in a type. */
function importOf(node: Node, path: string, line: number): Import | undefined {
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
    const clause = node.importClause;
    const bindings = clause?.namedBindings;
    const elements = bindings !== undefined && isNamedImports(bindings) ? [...bindings.elements] : [];
    const kept = elements.filter((element) => !element.isTypeOnly);
    const names = elements.map((element) => textOf(element.propertyName ?? element.name));
    const whole = clause?.name !== undefined || (bindings !== undefined && !isNamedImports(bindings));
    const typeOnly =
      clause?.phaseModifier === SyntaxKind.TypeKeyword || (elements.length > 0 && kept.length === 0 && !whole);
    const taken = typeOnly ? names : kept.map((element) => textOf(element.propertyName ?? element.name));
    return { target: targetOf(path, node.moduleSpecifier.text), names: whole ? ['*'] : taken, typeOnly, line };
  }
  if (isExportDeclaration(node) && node.moduleSpecifier !== undefined && isStringLiteral(node.moduleSpecifier)) {
    const clause = node.exportClause;
    const all = clause === undefined || isNamespaceExport(clause);
    const names = all ? ['*'] : clause.elements.map((element) => textOf(element.propertyName ?? element.name));
    return { target: targetOf(path, node.moduleSpecifier.text), names, typeOnly: node.isTypeOnly, line };
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const [specifier] = node.arguments;
    const text = specifier !== undefined && isStringLiteral(specifier) ? specifier.text : '(computed)';
    return { target: targetOf(path, text), names: ['*'], typeOnly: false, line };
  }
  if (isImportTypeNode(node) && isLiteralTypeNode(node.argument) && isStringLiteral(node.argument.literal)) {
    return { target: targetOf(path, node.argument.literal.text), names: ['*'], typeOnly: true, line };
  }
  return undefined;
}

function targetOf(from: string, specifier: string): string {
  return specifier.startsWith('.') ? join(from, '..', specifier) : specifier;
}

const functionKinds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

/** Without the functions that it declares: these are measured by themselves, as the methods of a class are. */
function linesOf(node: Node, file: SourceFile): number {
  let lines = spanOf(node, file);
  const visit = (inner: Node): void => {
    if (inner.kind === SyntaxKind.FunctionDeclaration) lines -= spanOf(inner, file);
    else inner.forEachChild(visit);
  };
  node.forEachChild(visit);
  return lines;
}

function spanOf(node: Node, file: SourceFile): number {
  const lineAt = (position: number): number => file.getLineAndCharacterOfPosition(position).line;
  return lineAt(node.end) - lineAt(node.getStart(file)) + 1;
}

/** What is made of tests, as the body of `describe` is, is a chapter and not a function. */
function isSuite(node: Node): boolean {
  const holdsTest = (inner: Node): boolean => {
    if (functionKinds.has(inner.kind)) return false;
    if (isCallExpression(inner) && isIdentifier(inner.expression) && testMakers.has(textOf(inner.expression)))
      return true;
    return inner.forEachChild((child) => holdsTest(child) || undefined) ?? false;
  };
  return node.forEachChild((child) => holdsTest(child) || undefined) ?? false;
}

const testMakers: ReadonlySet<string> = new Set(['test', 'describe']);

function nameOf(node: Node, file: SourceFile): string {
  const own = 'name' in node ? (node.name as Node | undefined) : undefined;
  const { parent } = node;
  const given = own ?? (parent !== undefined && 'name' in parent ? (parent.name as Node | undefined) : undefined);
  if (given !== undefined) return given.getText(file);
  return node.kind === SyntaxKind.Constructor ? 'constructor' : '(anonymous)';
}

function interfaceOf(node: InterfaceDeclaration, file: SourceFile, line: number): Interface {
  const methods = new Set<string>();
  for (const member of node.members) {
    const isMethod =
      isMethodSignatureDeclaration(member) ||
      (isPropertySignatureDeclaration(member) && member.type?.kind === SyntaxKind.FunctionType);
    if (isMethod) methods.add(member.name.getText(file));
  }
  const parents = (node.heritageClauses ?? []).flatMap((clause) => clause.types.map((type) => type.expression));
  return { name: node.name.text, line, methods: [...methods], extends: parents.map((type) => type.getText(file)) };
}

function isDefaultExport(node: Node): boolean {
  if (isExportSpecifier(node)) return textOf(node.name) === 'default';
  const isModifier = node.kind === SyntaxKind.DefaultKeyword && node.parent.kind !== SyntaxKind.DefaultClause;
  return isExportAssignment(node) || isModifier;
}

function useOf(node: Node): string | undefined {
  if (isPropertyAccessExpression(node) && isIdentifier(node.expression)) {
    return `${textOf(node.expression)}.${node.name.text}`;
  }
  if (isCallExpression(node) && isIdentifier(node.expression)) return textOf(node.expression);
  if (!isNewExpression(node) || !isIdentifier(node.expression)) return undefined;
  const given = node.arguments === undefined ? 0 : node.arguments.length;
  return `new ${textOf(node.expression)}${given === 0 ? '()' : ''}`;
}

function textOf(node: { readonly text: string }): string {
  return node.text;
}
