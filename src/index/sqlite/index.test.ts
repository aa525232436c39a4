import { indexContract } from '../../../test/contracts/index.ts';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { openSqliteIndex } from './index.ts';

indexContract('SQLite', async () => {
  const dir = await TempDir.make();
  const path = dir.join('entrepot', 'index.db');
  const index = await openSqliteIndex({ path });
  return {
    index,
    second: () => openSqliteIndex({ path }),
    [Symbol.asyncDispose]: async () => {
      await index[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
});
