import type { Event, Observer } from './events.ts';

/** Tells several observers of each event, in the order given. */
export function fanOut(...observers: readonly Observer[]): Observer {
  return {
    emit(event: Event): void {
      for (const observer of observers) observer.emit(event);
    },
  };
}
