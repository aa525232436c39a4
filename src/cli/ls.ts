import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { DownloadViewJson, ImageView, PageView } from '../admin/views.ts';
import type { AdminClient } from './admin-client.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { printTable } from './table.ts';
import { agoText, bytesText, shortDigest } from './units.ts';

/** Images shown unless --limit says otherwise. */
const limitDefault = 1000;
const pageEntries = 200;

export function addLs(program: Program, context: Context): void {
  program
    .command('ls')
    .summary('list the images that are held')
    .description('Lists the images that the running server holds, by name.')
    .argument('[prefix]', 'only images whose name begins so: quay.io, docker.io/library/redis')
    .option('-a, --all', 'also manifests without a tag, such as the platforms of an index')
    .option('-d, --downloads', 'what is arriving now, instead')
    .option('--limit <count>', 'at most so many', countOf, limitDefault)
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (prefix, options) => {
      const client = await connectTo(context, options);
      if (options.downloads === true) {
        const downloads = await client.get<readonly DownloadViewJson[]>('/v1/downloads');
        return options.json === true ? printJson(context.out, downloads) : printDownloads(context, downloads);
      }
      const { images, more } = await imagesOf(client, prefix, options.all === true, options.limit);
      if (options.json === true) printJson(context.out, images);
      else printImages(context, images);
      if (more) context.out.note(`There are more; see them with --limit ${options.limit * 10}.\n`);
    });
}

async function imagesOf(client: AdminClient, prefix: string | undefined, all: boolean, limit: number) {
  const images: ImageView[] = [];
  let last: string | undefined;
  do {
    const page: PageView<ImageView> = await client.get('/v1/images', { prefix, last, limit: pageEntries });
    images.push(...page.items.filter(({ tags }) => all || tags.length > 0));
    last = page.next;
  } while (last !== undefined && images.length < limit);
  return { images: images.slice(0, limit), more: last !== undefined || images.length > limit };
}

function countOf(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`"${text}" is not a count; write a whole number from 1.`);
}

function printImages({ out, clock }: Context, images: readonly ImageView[]): void {
  const nowMs = clock.now();
  printTable(
    out,
    [
      { title: 'IMAGE', of: (image) => image.repository, elastic: true },
      { title: 'TAGS', of: ({ tags }) => (tags.length === 0 ? '-' : tags.join(', ')), elastic: true },
      { title: 'DIGEST', of: ({ digest }) => shortDigest(digest) },
      { title: 'HELD', of: ({ heldBytes }) => bytesText(heldBytes), right: true },
      { title: 'WHOLE', of: ({ describedBytes }) => bytesText(describedBytes), right: true },
      { title: 'LAST USED', of: ({ lastUsedMs }) => agoText(lastUsedMs, nowMs), right: true },
      {
        title: '',
        of: ({ pinned, gone }) => [pinned ? 'pinned' : '', gone ? 'gone upstream' : ''].filter(Boolean).join(', '),
      },
    ],
    images,
  );
}

function printDownloads({ out }: Context, downloads: readonly DownloadViewJson[]): void {
  printTable(
    out,
    [
      { title: 'REPOSITORY', of: ({ repository }) => repository, elastic: true },
      { title: 'DIGEST', of: ({ digest }) => shortDigest(digest) },
      { title: 'ARRIVED', of: ({ arrived }) => bytesText(arrived), right: true },
      { title: 'OF', of: ({ size }) => (size === undefined ? '?' : bytesText(size)), right: true },
      { title: 'READERS', of: ({ readers }) => String(readers), right: true },
      { title: 'STATE', of: ({ state }) => state },
    ],
    downloads,
  );
}
