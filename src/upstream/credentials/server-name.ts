/** How docker names a server: its host, but Docker Hub by the address of its first version. */
export function dockerServerName(url: URL): string {
  return isHub(url) ? 'https://index.docker.io/v1/' : url.host;
}

export function isHub({ hostname }: URL): boolean {
  return hostname === 'docker.io' || hostname.endsWith('.docker.io');
}
