import type { TestContext } from 'node:test';

/** Holds up a method, from the moment that it would begin or has ended, when what it resolved to is as it should be. */
export function pause(
  t: TestContext,
  holder: object,
  name: string,
  when: 'before' | 'after',
  met: (result: unknown) => boolean = () => true,
) {
  const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const original = Reflect.get(holder, name) as (...args: unknown[]) => Promise<unknown>;
  const wait = async (result?: unknown): Promise<void> => {
    if (!met(result)) return;
    reached.resolve();
    await goOn.promise;
  };
  t.mock.method(
    holder as Record<string, () => Promise<unknown>>,
    name,
    async function (this: unknown, ...args: unknown[]) {
      if (when === 'before') await wait();
      const result = await Reflect.apply(original, this, args);
      if (when === 'after') await wait(result);
      return result;
    },
  );
  return { reached: reached.promise, goOn: () => goOn.resolve() };
}
