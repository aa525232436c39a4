import { resolve as absolutePath } from 'node:path';
import type { Origin, Problem } from '../error.ts';
import { originAt, pathText, type MapTree, type Path } from '../tree/tree.ts';

/** What the machine adds to the file. */
export interface Machine {
  readonly isRoot: boolean;
  readonly home: string;
  /** XDG_DATA_HOME and XDG_RUNTIME_DIR, where they're set. */
  readonly dataHome: string | undefined;
  readonly runtimeDirectory: string | undefined;
  readonly workingDirectory: string;
  readonly temporaryDirectory: string;
}

/** A value that isn't in the file and isn't the schema's default either, for `entrepot config`. */
export interface Derived {
  readonly key: string;
  readonly value: string;
  readonly origin: Origin;
}

/** A file that the configuration names: it must be readable, and a change of it is a change of the configuration. */
export interface NamedFile {
  readonly path: Path;
  readonly file: string;
  /** It may not be there yet. */
  readonly optional?: boolean;
}

/** The path of a unix socket has room for this many bytes on Linux, its final zero left out. */
export const socketPathBytesMax = 107;

/** Collects what comes up while sections become `Config`. */
export class Resolving {
  readonly tree: MapTree;
  readonly machine: Machine;
  readonly problems: Problem[] = [];
  readonly notices: string[] = [];
  readonly derived: Derived[] = [];
  readonly files: NamedFile[] = [];

  constructor(tree: MapTree, machine: Machine) {
    this.tree = tree;
    this.machine = machine;
  }

  problem(path: Path, text: string): void {
    this.problems.push({ key: pathText(path), origin: originAt(this.tree, path), text });
  }

  derive(key: string, value: string, kind: 'default' | 'built-in' = 'default'): void {
    this.derived.push({ key, value, origin: { kind } });
  }

  /** An absolute path; relative ones count from the working directory, as registry's do. */
  path(file: string): string {
    return absolutePath(this.machine.workingDirectory, file);
  }

  /** The same for a file that is read, noted as such. */
  file(path: Path, file: string): string {
    const absolute = this.path(file);
    this.files.push({ path, file: absolute });
    return absolute;
  }

  /** The same for one that need not be there, and counts from when it is. */
  optionalFile(path: Path, file: string): string {
    const absolute = this.path(file);
    this.files.push({ path, file: absolute, optional: true });
    return absolute;
  }
}
