/** What a thread can be asked to do, and how it does it. Whether it may be asked is for the inspector to know. */
import { backgrounds, mirrors, writers } from '../bg/registry.js';
import { type CacheListing, listings } from '../cache/listing.js';
import { systemClock, type Timer } from '../core/clock.js';
import { toError } from '../core/report.js';
import { identityOf } from './caches.js';
import { preview } from './preview.js';
import { flag, matching, number, object, optional, type Shape, text } from './shape.js';

/**
 * | action       | target                   | key     | what happens                                           |
 * |--------------|--------------------------|---------|--------------------------------------------------------|
 * | `refresh`    | the key of a writer      |         | its loader runs now                                    |
 * | `invalidate` | the id of cached functions | the key | its entry is removed from their stores               |
 * | `clear`      | the id of cached functions |       | their stores are emptied                               |
 * | `value`      | the key of a mirror or writer |    | the value is shown                                     |
 * | `entry`      | the id of cached functions | the key | the entry is shown                                   |
 */
export interface Command {
  readonly action: string;
  readonly target: string;
  readonly key: string | undefined;
  /** Unix time in seconds: a thread that was stopped meanwhile must not do it minutes later. */
  readonly expires: number;
}
export const command: Shape<Command> = object({
  action: matching(/^(refresh|invalidate|clear|value|entry)$/),
  target: text(8192),
  key: optional(text(8192)),
  expires: number,
});
export const LARGEST_COMMAND = 100_000;

/** The actions that change nothing, and show a value. */
export const SHOWS: ReadonlySet<string> = new Set(['value', 'entry']);

export interface Outcome {
  readonly isDone: boolean;
  /** For the reader. Of a value: the value. */
  readonly text: string;
}
export const outcome: Shape<Outcome> = object({ isDone: flag, text: text(20_000) });
export const LARGEST_OUTCOME = 200_000;

/** A loader may run longer than somebody waits (milliseconds). */
const PATIENCE = 8000;

/** Never rejects. */
export async function perform(asked: Command): Promise<Outcome> {
  if (systemClock.wall() / 1000 > asked.expires) return { isDone: false, text: 'It came too late: this thread was blocked or stopped' };
  try {
    return await act(asked);
  } catch (thrown) {
    const error = toError(thrown) as Error & { code?: unknown };
    // Its message may hold anything.
    return { isDone: false, text: `It failed: ${error.name}${typeof error.code === 'string' ? ` (${error.code})` : ''}` };
  }
}

async function act({ action, target, key }: Command): Promise<Outcome> {
  switch (action) {
    case 'refresh':
      return refresh(target);
    case 'value':
      return value(target);
    case 'clear': {
      const found = functionsOf(target);
      for (const listing of found) await listing.clear();
      return found.length === 0 ? nothing('such cached function') : { isDone: true, text: 'Cleared' };
    }
    case 'invalidate': {
      if (key === undefined) return nothing('key in the request');
      const found = functionsOf(target);
      let removed = 0;
      for (const listing of found) if (await listing.remove(key)) removed++;
      if (found.length === 0) return nothing('such cached function');
      return { isDone: true, text: removed > 0 ? 'Removed' : 'There was nothing under that key' };
    }
    case 'entry': {
      if (key === undefined) return nothing('key in the request');
      for (const { store } of functionsOf(target)) {
        const entry = await store.getEntry(key);
        if (entry === undefined) continue;
        const now = systemClock.wall() / 1000;
        const fresh = entry.freshUntil > now ? `fresh for ${(entry.freshUntil - now).toFixed(1)} s more` : 'stale';
        return { isDone: true, text: `${(now - entry.createdAt).toFixed(1)} s old, ${fresh}\n${preview(entry.value)}` };
      }
      return nothing('entry under that key');
    }
    default:
      return nothing('such action');
  }
}

const nothing = (what: string): Outcome => ({ isDone: false, text: `There is no ${what} here` });

const functionsOf = (id: string): CacheListing[] => listings().filter((listing) => identityOf(listing).id === id);

function writerOf(key: string) {
  return writers.get(key) ?? [...backgrounds].find((one) => one.status().key === key);
}

async function refresh(key: string): Promise<Outcome> {
  const writer = writerOf(key);
  if (!writer) return nothing('writer of that key');
  let timer: Timer | undefined;
  const late = new Promise<Outcome>((resolve) => {
    timer = systemClock.setTimer(() => resolve({ isDone: true, text: 'It was started, and still runs' }), PATIENCE);
    timer.unref();
  });
  const done = writer.refresh().then((): Outcome => ({ isDone: true, text: 'Refreshed' }));
  // It may fail after the answer; the writer reports that itself.
  done.catch(() => {});
  try {
    return await Promise.race([done, late]);
  } finally {
    timer?.cancel();
  }
}

async function value(key: string): Promise<Outcome> {
  const mirror = [...mirrors].find((one) => one.status().key === key);
  const found = typeof mirror === 'function' ? mirror() : await writerOf(key)?.read();
  return found === undefined ? nothing('value of that key') : { isDone: true, text: preview(found) };
}
