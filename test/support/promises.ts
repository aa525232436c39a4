import { promiseHooks } from 'node:v8';

/** How many promises this process makes until the work is done: what it costs, on any machine the same. */
export async function promisesMade(work: () => Promise<unknown>): Promise<number> {
  let made = 0;
  const stop = promiseHooks.onInit(() => {
    made += 1;
  });
  try {
    await work();
  } finally {
    stop();
  }
  return made;
}
