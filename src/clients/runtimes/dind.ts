import { authorityFile } from '../client-config.ts';
import type { ClientConfig, ClientFile } from '../client-config.ts';
import { exampleImage, hostOf } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { daemonKeys, mirrorsHub, pullExamples } from './docker-mirror.ts';

/** Where the certificate is put on the machine that starts the container. */
const caPath = '/etc/entrepot/ca.crt';

/** A dockerd in a container takes dockerd's flags behind the name of its image. */
export function dindConfig(target: ClientTarget): ClientConfig {
  const command = [
    'docker run --detach --privileged --name dind',
    ...mounts(target),
    'docker:dind',
    ...flagsOf(target),
  ];
  return {
    runtime: 'dind',
    purpose: mirrorsHub(target)
      ? 'Docker in Docker pulls Docker Hub images through the cache'
      : 'Docker in Docker pulls from this registry',
    files: authorityFile(target, caPath),
    commands: [command.join(' ')],
    examples: pullExamples(target).map((each) => each.replace('docker pull', 'docker exec dind docker pull')),
    notes: dindNotes(target),
  };
}

/** GitLab's runners start one as a service beside a job; what the jobs themselves run in is pulled by the machine's dockerd. */
export function gitlabRunnerConfig(target: ClientTarget): ClientConfig {
  const service: ClientFile = {
    path: '/etc/gitlab-runner/config.toml',
    action: 'merge',
    when: 'executor = "docker"',
    content: serviceToml(target),
  };
  return {
    runtime: 'gitlab-runner',
    purpose: 'The Docker in Docker of GitLab jobs pulls through the cache',
    files: [service, ...authorityFile(target, caPath)],
    commands: [],
    examples: [
      `docker pull ${mirrorsHub(target) ? 'redis' : `${hostOf(target)}/NAME:TAG`}   # in a job with the service docker:dind`,
    ],
    notes: [
      ...dindNotes(target),
      'The images of the jobs are pulled by the dockerd that the runner uses: there, entrepot client docker-mirror; by Kubernetes\' containerd with executor = "kubernetes": on its nodes, entrepot client containerd.',
      'gitlab-runner reads the file again by itself.',
    ],
  };
}

function flagsOf(target: ClientTarget): readonly string[] {
  return Object.entries(daemonKeys(target)).flatMap(([key, values]) =>
    values.map((value) => `--${key.replace('mirrors', 'mirror').replace('registries', 'registry')}=${value}`),
  );
}

function mounts(target: ClientTarget): readonly string[] {
  return target.authority === undefined ? [] : [`--volume ${volumeOf(target)}`];
}

function volumeOf(target: ClientTarget): string {
  return `${caPath}:/etc/docker/certs.d/${new URL(target.url).host}/ca.crt:ro`;
}

function serviceToml(target: ClientTarget): string {
  const volume =
    target.authority === undefined ? '' : `    volumes = ["/cache", ${JSON.stringify(volumeOf(target))}]\n`;
  const command = flagsOf(target)
    .map((flag) => JSON.stringify(flag))
    .join(', ');
  return `[[runners]]
  [runners.docker]
    privileged = true
${volume}    [[runners.docker.services]]
      name = "docker:dind"
      alias = "docker"
      command = [${command}]
`;
}

function dindNotes(target: ClientTarget): readonly string[] {
  if (!mirrorsHub(target)) return [];
  const path =
    target.serves === 'every'
      ? ` Write other registries into the name: ${hostOf(target)}/${exampleImage(target)}.`
      : '';
  return [`Docker asks a mirror for Docker Hub images only.${path}`];
}
