/**
 * crictl.ts SOCKET pull|rmi IMAGE: what Kubernetes' crictl does, which Debian does not have, against the real CRI of a real
 * runtime. What was pulled is left to the runtime, which the test throws away.
 */
import { pullImage } from '../cri/cri.ts';

const [socket = '', verb, image = ''] = process.argv.slice(2);
if (verb === 'pull') await pullImage(socket, image);
