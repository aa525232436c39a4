import { strangersNote } from '../client-config.ts';
import type { ClientConfig } from '../client-config.ts';
import { exampleImage } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { certsDirectory, hostDirectory, hostFiles } from './containerd.ts';

const directory = '/etc/entrepot/kind';

/** kind's nodes are containers with a containerd in each: they are given its files when they are made. */
export function kindConfig(target: ClientTarget): ClientConfig {
  const onHost = hostFiles(target, certsDirectory).map((file) => ({
    ...file,
    path: file.path.replace(certsDirectory, directory),
  }));
  return {
    runtime: 'kind',
    purpose: target.serves === 'none' ? 'kind pulls from this registry' : 'kind pulls through the cache',
    files: [
      ...onHost,
      { path: 'kind.yaml', action: 'merge', when: "the cluster's configuration", content: clusterYaml() },
    ],
    commands: ['kind create cluster --config kind.yaml'],
    examples: [`docker exec kind-control-plane crictl pull ${exampleImage(target)}`],
    notes: [...notes(target)],
  };
}

/** containerd 1 knows the settings by one name, containerd 2 by another, and each overlooks the other's. */
function clusterYaml(): string {
  return `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
  - |-
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "${certsDirectory}"
  - |-
    [plugins."io.containerd.cri.v1.images".registry]
      config_path = "${certsDirectory}"
nodes:
  - role: control-plane
    extraMounts:
      - hostPath: ${directory}
        containerPath: ${certsDirectory}
        readOnly: true
`;
}

function* notes(target: ClientTarget): Iterable<string> {
  yield 'Every node of the cluster needs the mount.';
  yield 'The nodes have a network of their own: 127.0.0.1 and localhost are not this machine there.';
  yield `A cluster that runs can be given ${directory}/${hostDirectory(target)}/hosts.toml with "docker cp", into ${certsDirectory} of each node, where its containerd has that config_path.`;
  yield* strangersNote(target, 'add ca = "/path/in/the/node" below capabilities');
}
