import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

// Reading and compiling some hundred sources is more than half of a start: what came of it is kept beside the packages, where
// whoever could change it could change them as well. Where that cannot be written to, every start is like the first.
const isBuilt = !import.meta.url.endsWith('.ts');
if (!isBuilt) enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/entrepot', import.meta.url)));

// Before the first use of the pool: with Node's four threads, four syncs of large files would hold up every reader.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

// By itself the heap grows to four times what is in use before it is marked as a whole (docs/decisions/0036).
v8.setFlagsFromString('--heap-growing-percent=75');

// A diagnostic report, which Node writes of a crash where it is told to, is given away. It has neither the environment, where
// passwords may be, nor does it wait for name servers to say who is connected.
const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report;
[report.excludeEnv, report.excludeNetwork] = [true, true];

const { runProgram } = await import('./program.ts');
await runProgram();
