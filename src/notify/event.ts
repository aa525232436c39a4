import { randomUUID } from 'node:crypto';
import type { Change } from '../oci/change.ts';
import type { Asker, SentRequest } from '../oci/repository.ts';
import { referencesOf } from './references.ts';
import type { ReferenceRecord } from './references.ts';

/** What registry:2 calls its events; registry:3 sends the same as `.v2+json`. */
export const envelopeMediaType = 'application/vnd.docker.distribution.events.v1+json';

/** As registry's notifications have it (distribution's `notifications/event.go`): what is not known is left out. */
export interface RegistryEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly target: TargetRecord;
  readonly request: {
    readonly id: string;
    readonly addr: string | undefined;
    readonly host: string | undefined;
    readonly method: string;
    readonly useragent: string;
  };
  readonly actor: { readonly name?: string };
  readonly source: Source;
}

interface TargetRecord {
  readonly mediaType?: string;
  readonly size?: number | undefined;
  readonly digest?: string;
  /** The same as `size`. */
  readonly length?: number | undefined;
  readonly repository: string;
  readonly fromRepository?: string;
  readonly url?: string;
  readonly tag?: string | undefined;
  readonly references?: readonly ReferenceRecord[];
}

/** The process that tells. */
export interface Source {
  /** Host and port. */
  readonly addr: string;
  /** Another one after each start. */
  readonly instanceID: string;
}

export interface Occasion {
  readonly change: Change;
  readonly sent: SentRequest;
  readonly asker: Asker;
  readonly requestId: string;
  readonly atMs: number;
  readonly source: Source;
  readonly includeReferences: boolean;
}

export function eventOf(occasion: Occasion): RegistryEvent {
  const { change, sent, asker, requestId } = occasion;
  return {
    id: randomUUID(),
    timestamp: new Date(occasion.atMs).toISOString(),
    action: change.action,
    target: targetOf(occasion),
    request: {
      id: requestId,
      addr: sent.address || undefined,
      host: sent.host || undefined,
      method: sent.method,
      useragent: sent.userAgent,
    },
    actor: actorOf(asker),
    source: occasion.source,
  };
}

/** Indented like registry's own. */
export function envelopeText(event: RegistryEvent): string {
  return JSON.stringify({ events: [event] }, undefined, 3);
}

function targetOf({ change, sent, includeReferences }: Occasion): TargetRecord {
  const { repository } = sent;
  if (change.action === 'delete') {
    return change.kind === 'tag' ? { repository, tag: change.tag } : { digest: change.digest, repository };
  }
  if (change.kind === 'manifest') {
    const { mediaType, size, digest, bytes } = change.manifest;
    const references = includeReferences && bytes !== undefined ? { references: referencesOf(bytes) } : {};
    const url = sent.urlOf(`manifests/${digest}`);
    return { mediaType, ...sized(size), digest, repository, url, tag: change.tag, ...references };
  }
  const { digest, size } = change;
  const from = change.action === 'mount' ? { fromRepository: change.from.name } : {};
  const url = sent.urlOf(`blobs/${digest}`);
  return { mediaType: 'application/octet-stream', ...sized(size), digest, repository, ...from, url };
}

/** Go leaves a zero out. */
function sized(size: number): Pick<TargetRecord, 'size' | 'length'> {
  return size === 0 ? {} : { size, length: size };
}

function actorOf(asker: Asker): RegistryEvent['actor'] {
  return 'name' in asker && typeof asker.name === 'string' ? { name: asker.name } : {};
}
