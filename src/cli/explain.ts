import type { ExplainedManifest, ExplainView, MemberView } from '../admin/views.ts';
import type { Context } from './context.ts';
import { harmless, printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { printTable } from './table.ts';
import { agoText, bytesText, durationText, shortDigest } from './units.ts';

export function addExplain(program: Program, context: Context): void {
  program
    .command('explain')
    .summary('say what is known of an image, why it is kept, and what a pull would get')
    .description('Says what the running server knows of an image. Asks no upstream.')
    .argument('<image>', 'as in docker pull: redis:7, quay.io/coreos/etcd:v3.5.0, NAME@sha256:...')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (image, options) => {
      const client = await connectTo(context, options);
      const view = await client.get<ExplainView>('/v1/explain', { image });
      if (options.json === true) printJson(context.out, view);
      else printExplained(context, view);
    });
}

function printExplained({ out, clock }: Context, view: ExplainView): void {
  const nowMs = clock.now();
  out.print(`${harmless(view.image)}\n${harmless(view.verdict)}\n\n`);
  const rows = [
    ...view.routes.map((route, at) => [at === 0 ? 'clients ask for' : '', route] as const),
    ...upstreamRows(view),
    ...tagRows(view, nowMs),
    ...manifestRows(view.manifest, nowMs),
  ];
  for (const [name, value] of rows) out.print(`${name.padEnd(16)}${harmless(value)}\n`);
  const members = view.manifest?.members ?? [];
  if (members.length > 0) {
    out.print('\n');
    printMembers({ out }, members);
  }
}

type Row = readonly [name: string, value: string];

function upstreamRows({ upstream, visibility }: ExplainView): readonly Row[] {
  if (upstream === undefined) return [['hosted', 'here; no upstream is ever asked']];
  const state =
    upstream.circuit === 'open'
      ? `failed when it was last asked (${upstream.lastError ?? 'no reason known'}), and is asked again when next needed`
      : 'no trouble known';
  const access = upstream.hasCredentials ? `with credentials; exposure: ${upstream.exposure}` : 'without credentials';
  const seen = visibilityText(upstream, visibility);
  return [
    ['upstream', `${upstream.name} at ${upstream.url}, ${access}; ${state}`],
    ['visibility', seen],
  ];
}

function visibilityText(
  { hasCredentials, exposure }: NonNullable<ExplainView['upstream']>,
  visibility: ExplainView['visibility'],
): string {
  if (!hasCredentials) return 'public: whatever is asked for without credentials is';
  if (visibility === undefined) return 'not known yet';
  return visibility.public ? 'public' : `not public; exposure: ${exposure}`;
}

function tagRows({ tag }: ExplainView, nowMs: number): readonly Row[] {
  if (tag === undefined) return [];
  const due =
    tag.dueAtMs === undefined
      ? 'never asked about again'
      : tag.state === 'fresh'
        ? `asked about again in ${durationText(tag.dueAtMs - nowMs)}`
        : tag.state;
  return [
    ['tag', `${tag.name} -> ${tag.digest ?? 'nothing held'}`],
    ...(tag.seenDigest === undefined ? [] : [['', `the upstream has moved it to ${tag.seenDigest}`] as const]),
    ['checked', `${agoText(tag.checkedAtMs, nowMs)}; ${due}`],
  ];
}

function manifestRows(manifest: ExplainedManifest | undefined, nowMs: number): readonly Row[] {
  if (manifest === undefined) return [['held', 'no']];
  return [
    ['held', `since ${agoText(manifest.storedAtMs, nowMs)}; last used ${agoText(manifest.lastUsedMs, nowMs)}`],
    ['kept', manifest.kept],
    ['media type', manifest.mediaType],
  ];
}

function printMembers({ out }: Pick<Context, 'out'>, members: readonly MemberView[]): void {
  printTable(
    out,
    [
      { title: 'PART', of: ({ kind }) => kind },
      { title: 'DIGEST', of: ({ digest }) => shortDigest(digest) },
      { title: 'SIZE', of: ({ size }) => bytesText(size), right: true },
      { title: 'PLATFORM', of: ({ platform }) => platform ?? '' },
      {
        title: 'STATE',
        of: ({ state, parts }) => (parts === undefined ? state : `${state}, ${parts.held} of ${parts.all} parts`),
      },
      { title: 'MEDIA TYPE', of: ({ mediaType }) => mediaType, elastic: true },
    ],
    members,
  );
}
