/** How an image is pulled with what is on the machine, and made away with again. */
export interface Pull {
  readonly argv: readonly [program: string, ...rest: readonly string[]];
  readonly remove: readonly string[] | undefined;
  readonly input: string;
  /** What a pull that came leaves unproved; `undefined` for nothing. */
  readonly unproved: string | undefined;
}

/** Where only a client of containerd's own was there, on a machine that Kubernetes may pull on. */
export const criUnproved =
  'Whether Kubernetes (CRI) pulls through it was not tried: ctr and nerdctl read hosts.toml themselves, the CRI only if containerd was restarted since config_path was written. Install crictl, and verify again.';

export function dockerPull(image: string): Pull {
  return pull(['docker', 'pull', '--quiet', image], ['docker', 'rmi', image]);
}

export function podmanPull(image: string): Pull {
  return pull(['podman', 'pull', '--quiet', image], ['podman', 'rmi', image]);
}

/** As Kubernetes does it: through the CRI, so that containerd's own configuration counts. */
export function crictlPull(image: string): Pull {
  return pull(['crictl', 'pull', image], ['crictl', 'rmi', image]);
}

export function ctrPull(image: string, hostsDirectory: string): Pull {
  return pull(['ctr', 'images', 'pull', '--hosts-dir', hostsDirectory, image], ['ctr', 'images', 'rm', image]);
}

export function nerdctlPull(image: string, hostsDirectory: string): Pull {
  return pull(['nerdctl', 'pull', '--quiet', '--hosts-dir', hostsDirectory, image], ['nerdctl', 'rmi', image]);
}

export function k3sPull(image: string): Pull {
  return pull(['k3s', 'crictl', 'pull', image], ['k3s', 'crictl', 'rmi', image]);
}

export function rke2Pull(image: string): Pull {
  const crictl = [
    '/var/lib/rancher/rke2/bin/crictl',
    '--config',
    '/var/lib/rancher/rke2/agent/etc/crictl.yaml',
  ] as const;
  return pull([...crictl, 'pull', image], [...crictl, 'rmi', image]);
}

/** With the builder of the example: any other may be dockerd's own. It keeps no image, and needs no layer of this one. */
export function buildxPull(image: string): Pull {
  const argv = ['docker', 'buildx', 'build', '--builder', 'entrepot', '--quiet', '--no-cache', '-'] as const;
  return { argv, remove: undefined, input: `FROM ${image}\n`, unproved: undefined };
}

function pull(argv: Pull['argv'], remove: readonly string[]): Pull {
  return { argv, remove, input: '', unproved: undefined };
}
