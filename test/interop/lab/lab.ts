import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Facts, ImageFacts } from '../images/catalogue.ts';
import { Internet } from '../internet/internet.ts';
import { registries } from '../internet/sites.ts';
import { startBackends } from './backends.ts';
import { insideLab } from './environment.ts';
import type { LabEnvironment } from './environment.ts';

/** An image by its full name. */
export interface ImageName {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** The fake internet with its back ends, and what is known about the images in it. */
export class Lab {
  readonly environment: LabEnvironment;
  readonly internet: Internet;
  readonly #facts: Facts;
  readonly #resources: AsyncDisposableStack;

  private constructor(environment: LabEnvironment, internet: Internet, facts: Facts, resources: AsyncDisposableStack) {
    this.environment = environment;
    this.internet = internet;
    this.#facts = facts;
    this.#resources = resources;
  }

  static async open(): Promise<Lab> {
    const environment = insideLab();
    await using resources = new AsyncDisposableStack();
    resources.use(await startBackends(environment));
    const internet = resources.use(await Internet.open(environment.work));
    const facts = JSON.parse(await readFile(join(environment.cache, 'images/facts.json'), 'utf8')) as Facts;
    return new Lab(environment, internet, facts, resources.move());
  }

  facts(image: ImageName): ImageFacts {
    const backend = registries[image.registry]?.backend;
    const facts = this.#facts[`${backend}/${image.repository}`];
    if (facts === undefined) throw new Error(`nobody publishes ${image.registry}/${image.repository}`);
    return facts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
