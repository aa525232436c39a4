import { together } from '../../support/client.ts';
import { Random } from '../random.ts';
import type { Moment, Step } from './step-names.ts';

export interface Kills {
  /** How many at each step. */
  readonly eachStep: number;
  readonly atRandom: number;
}

/** One store, and one server process after another over it. */
export interface Victims extends AsyncDisposable {
  /** One life of a server, which ends at that moment of something new. */
  kill(moment: Moment, nth: number): Promise<void>;
  /** A last life in peace: nothing was lost, and nothing is left behind. */
  settle(): Promise<void>;
}

/** Two stores side by side, one for each core. Resolves to the number of kills by where they hit. */
export async function killMany(
  { eachStep, atRandom }: Kills,
  steps: readonly Step[],
  open: (random: Random) => Promise<Victims>,
): Promise<ReadonlyMap<Moment, number>> {
  const random = new Random();
  const moments: Moment[] = [
    ...steps.flatMap((step) => Array<Moment>(eachStep).fill(step)),
    ...Array<Moment>(atRandom).fill('at random'),
  ];
  const shuffled = moments.map((moment) => ({ moment, rank: random.below(2 ** 30) }));
  const order = shuffled.toSorted((a, b) => a.rank - b.rank).map(({ moment }) => moment);
  const hits = new Map<Moment, number>();
  await random.tell(() =>
    together(2, async (which) => {
      await using lane = await open(new Random(random.seed + which));
      for (const [nth, moment] of order.entries()) {
        if (nth % 2 !== which) continue;
        await lane.kill(moment, nth);
        hits.set(moment, (hits.get(moment) ?? 0) + 1);
      }
      await lane.settle();
    }),
  );
  return hits;
}
