/**
 * Waits for a signal that asks to stop. A second one ends the process at once: whoever asks twice does not want to
 * wait for open requests.
 */
export async function untilStopped(onReload: () => void): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  process.on('SIGHUP', onReload);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      resolve(signal);
      process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
    });
  }
  return promise;
}
