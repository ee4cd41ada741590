/** What the tests of keyed snapshots share: a ring with a publisher, and readers of it. */
import { systemClock } from '../../dist/core/clock.js';
import type { Serializer } from '../../dist/core/serializer.js';
import { earlierIn } from '../../dist/keyed/adoption.js';
import { type Built, KeyedBuilder } from '../../dist/keyed/builder.js';
import { oldStates } from '../../dist/keyed/changes.js';
import type { Packed } from '../../dist/keyed/layout.js';
import { ChangeFeed, type KeyedChange } from '../../dist/keyed/feed.js';
import { Memory } from '../../dist/keyed/memory.js';
import { createKeyedReader, type KeyedReader, type KeyedReaderOptions } from '../../dist/keyed/reader.js';
import { createRing, type Ring } from '../../dist/mirror/layout.js';
import { publish } from '../../dist/mirror/protocol.js';
import { serializers } from '../../dist/serializers/resolve.js';

export type Records = Iterable<readonly [string, unknown]>;

export interface PublisherOptions {
  readonly slots?: 2 | 4;
  readonly maxBytes?: number;
  readonly serializer?: Serializer;
  readonly startVersion?: number;
}

/** Publishes keyed snapshots, as a writer does. */
export class Publisher {
  readonly ring: Ring;
  readonly #memory = new Memory();
  readonly #maxBytes: number;
  serializer: Serializer;
  version = 0;
  epoch = 1;

  constructor({ slots = 2, maxBytes = 1 << 20, serializer = serializers.json, startVersion = 0 }: PublisherOptions = {}) {
    this.ring = createRing(maxBytes, { slots, startVersion });
    this.#maxBytes = maxBytes;
    this.serializer = serializer;
  }

  build(records: Records, { fromNothing = false }: { fromNothing?: boolean } = {}): Built {
    const earlier = fromNothing ? undefined : earlierIn(this.ring);
    const builder = new KeyedBuilder({ serializer: this.serializer, maxBytes: this.#maxBytes, earlier, memory: this.#memory });
    for (const [key, value] of records) builder.add(key, value);
    return builder.finish();
  }

  publish(records: Records, options: { fromNothing?: boolean } = {}): Built {
    const built = this.build(records, options);
    this.put(built.bytes);
    return built;
  }

  /** Publishes bytes as they are. */
  put(bytes: Uint8Array): void {
    const now = ++this.version;
    publish(this.ring, {
      epoch: this.epoch,
      version: now,
      createdAt: now,
      createdAtMonotonic: now,
      freshFor: Infinity,
      codec: 'keyed',
      bytes,
    });
  }
}

export interface Reading {
  readonly reader: KeyedReader<unknown>;
  readonly errors: Error[];
}

export function readerOf(ring: Ring, options: Partial<KeyedReaderOptions> = {}): Reading {
  const errors: Error[] = [];
  const reader = createKeyedReader<unknown>({
    key: 'k',
    maxBytes: Infinity,
    freeze: true,
    clock: systemClock,
    memo: { maxEntries: 1000, maxBytes: 1 << 20 },
    onError: (error) => errors.push(error),
    ...options,
  });
  reader.attach(ring);
  return { reader, errors };
}

export interface Feeding {
  readonly feed: ChangeFeed<unknown>;
  readonly errors: Error[];
  /** As a publication would. */
  wake(): void;
}

export function feedOf(reader: KeyedReader<unknown>): Feeding {
  const errors: Error[] = [];
  let onWake = (): void => {};
  const feed = new ChangeFeed<unknown>({
    key: 'k',
    reader,
    watch: (wake) => {
      onWake = wake;
      return () => (onWake = () => {});
    },
    onError: (error) => errors.push(error),
  });
  return { feed, errors, wake: () => onWake() };
}

/** The differences of two maps, as a change would have them. */
export function differences(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>) {
  const text = (value: unknown): string => JSON.stringify(value);
  return {
    added: [...after.keys()].filter((key) => !before.has(key)).sort(),
    changed: [...after]
      .filter(([key, value]) => before.has(key) && text(before.get(key)) !== text(value))
      .map(([key]) => key)
      .sort(),
    removed: [...before.keys()].filter((key) => !after.has(key)).sort(),
  };
}

export function keysOf({ added, changed, removed }: KeyedChange) {
  return { added: [...added].sort(), changed: [...changed].sort(), removed: [...removed].sort() };
}

/** The keys that a snapshot says were touched since another one; `undefined` where it doesn't say. */
export function changesOf(packed: Packed, since: { epoch: number; version: number }): string[] | undefined {
  const section = packed.words.slice(packed.changesAt, packed.changesAt + packed.changesWords);
  const keys: string[] = [];
  for (const states = oldStates(section, since); ; ) {
    const { done, value } = states.next();
    if (done) return value ? keys : undefined;
    keys.push(value.key);
  }
}
