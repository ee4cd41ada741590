/** What can be asked of the records of one key, whoever answers. Synchronous; it touches no lock, network or disk, and never waits. */
export interface Lookups<V> {
  /** The record's value; `undefined` where there is no such record. The same object each time, for as long as the record's bytes stay. */
  get(key: string): V | undefined;
  has(key: string): boolean;
  /** How many records there are. */
  readonly size: number;
  /**
   * The keys of one version, in the order in which the loader gave them.
   *
   * @throws ViewExpiredError in the middle, when that version is overwritten meanwhile. Those of up to 256 kB of records are all there
   * from the start.
   */
  keys(): IterableIterator<string>;
  /** The records of one version. What isn't known already is decoded, and not kept. @throws ViewExpiredError as `keys` does */
  entries(): IterableIterator<[string, V]>;
  /** Those that there are, each as `get` gives it. */
  getMany(keys: Iterable<string>): Map<string, V>;
}

/** Answers from one version, until that is overwritten: then each call throws a `ViewExpiredError`. */
export interface KeyedView<V> extends Lookups<V> {
  /** The mirror's number of it; 0 for a view made before the first one, which is empty. */
  readonly version: number;
  /** Unix time in seconds at which it was loaded. */
  readonly createdAt: number | undefined;
}

/** Answers from the newest version. */
export interface KeyedLookups<V> extends Lookups<V> {
  /** The newest version, pinned: all that is asked through it is of this one version. */
  view(): KeyedView<V>;
}

/** `getMany` by `get` and `has`. */
export function getMany<V>(from: Pick<Lookups<V>, 'get' | 'has'>, keys: Iterable<string>): Map<string, V> {
  const found = new Map<string, V>();
  for (const key of keys) {
    const value = from.get(key);
    // A serializer may make `undefined` of a record.
    if (value !== undefined || from.has(key)) found.set(key, value as V);
  }
  return found;
}
