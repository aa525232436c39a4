import type { StatisticsView, UsageView } from '../admin/views.ts';
import type { Context } from './context.ts';
import { printJson } from './output.ts';
import type { Program } from './program.ts';
import { configOption, connectTo, jsonOption, socketOption } from './server-options.ts';
import { printTable } from './table.ts';
import { agoText, bytesText, countText } from './units.ts';

export function addDu(program: Program, context: Context): void {
  program
    .command('du')
    .summary('show what takes how much space')
    .description('Shows how much each upstream, or each repository, takes of the store.')
    .argument('[prefix]', 'only repositories whose name begins so')
    .option('-r, --repositories', 'one row for each repository instead of each upstream')
    .addOption(socketOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (prefix, options) => {
      const client = await connectTo(context, options);
      const by = options.repositories === true ? 'repository' : 'upstream';
      const usage = await client.get<UsageView>('/v1/usage', { by, prefix });
      const statistics = await client.get<StatisticsView>('/v1/statistics');
      if (options.json === true) printJson(context.out, { ...usage, statistics });
      else printUsage(context, usage, statistics);
    });
}

function printUsage({ out, clock }: Context, usage: UsageView, statistics: StatisticsView): void {
  const nowMs = clock.now();
  printTable(
    out,
    [
      { title: 'NAME', of: ({ name }) => name, elastic: true },
      { title: 'IMAGES', of: ({ images }) => String(images), right: true },
      { title: 'HELD', of: ({ heldBytes }) => bytesText(heldBytes), right: true },
      { title: 'LAST USED', of: ({ lastUsedMs }) => agoText(lastUsedMs, nowMs), right: true },
    ],
    usage.rows,
  );
  const free = statistics.freeBytes === undefined ? '' : `, ${bytesText(statistics.freeBytes)} free on the disk`;
  out.print(`\n${bytesText(usage.heldBytes)} held in ${countText(statistics.blobs, 'blob')}${free}. `);
  out.print('What several images share is counted for each of them above, and once here.\n');
}
