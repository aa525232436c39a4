import type { Clock } from '../observe/clock.ts';
import type { BlobSink } from './contract.ts';
import type { Place } from './limits.ts';

/** How long a reader may hold a transfer back before its place is somebody else's, in milliseconds. */
const holdMsMax = 100;

/** A sink whose reader may take all the time he likes: the transfer's place is for bytes that move. */
export function pacedSink(sink: BlobSink, place: Place, clock: Clock): BlobSink {
  const heldBack = async (wish: Promise<boolean>): Promise<boolean> => {
    const timer = clock.setTimer(holdMsMax, () => place.giveUp());
    try {
      if (!(await wish)) return false;
    } finally {
      timer.cancel();
    }
    await place.takeAgain();
    return true;
  };
  return {
    head: (head) => sink.head(head),
    data: (chunk) => {
      const wish = sink.data(chunk);
      return typeof wish === 'boolean' ? wish : heldBack(wish);
    },
  };
}
