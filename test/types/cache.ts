/**
 * The types of `cache`, tested like behaviour. Nothing here runs: the compiler reads it.
 *
 *     npx tsc -p test/types
 */
import {
  type CacheStorage,
  type Cached,
  InMemCache,
  InMemoryMetrics,
  InstrumentedStorage,
  type SyncCacheStorage,
  cache,
} from '../../dist/index.js';
import { storeContract } from '../../dist/testing/index.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<Expected>(): <Actual>(value: Actual, ...same: Equal<Actual, Expected> extends true ? [] : [never]) => void {
  return () => {};
}

interface AsyncStore extends CacheStorage {
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
}
declare const remote: AsyncStore;
declare const some: CacheStorage;
declare const sync: SyncCacheStorage;

// A synchronous function on the default store stays synchronous.
const plain = cache(60, { key: 'user:{id}' })((id: number, more?: string) => ({ id, more }));
expectType<{ id: number; more: string | undefined }>()(plain(1));
expectType<boolean>()(plain.invalidate(1, 'x'));
expectType<InMemCache>()(plain.store);
expectType<string>()(plain.key(1));
expectType<(id: number, more?: string) => { id: number; more: string | undefined }>()(plain.wrapped);
// @ts-expect-error a wrong argument
plain('1');
// @ts-expect-error a missing argument
plain();
// @ts-expect-error the arguments of invalidate are the function's
plain.invalidate('1');

// The same, with the function as the third argument.
const direct = cache('1m', { key: 'a' }, (id: number) => id);
expectType<number>()(direct(1));
expectType<InMemCache>()(direct.store);

// An asynchronous function keeps its Promise.
const load = cache('1m', { key: 'a' })(async (id: number) => `${id}`);
expectType<Promise<string>>()(load(1));

// With an asynchronous store a synchronous function answers Promises; an asynchronous one is as it was.
const far = cache(60, { key: 'a', store: remote })((id: number) => id);
expectType<Promise<number>>()(far(1));
expectType<Promise<boolean>>()(far.invalidate(1));
expectType<Promise<void>>()(far.clear());
const farAsync = cache(60, { key: 'a', store: remote })(async (id: number) => id);
expectType<Promise<number>>()(farAsync(1));
const either = cache(60, { key: 'a', store: some })((id: number) => id);
expectType<Promise<number>>()(either(1));
expectType<boolean | Promise<boolean>>()(either.invalidate(1));
const onSync = cache(60, { key: 'a', store: sync })((id: number) => id);
expectType<number>()(onSync(1));

// Instances, classes, factories, decorators of stores.
expectType<InMemCache>()(cache(60, { key: 'a', store: InMemCache })(() => 1).store);
expectType<InMemCache>()(cache(60, { key: 'a', store: () => new InMemCache({ maxEntries: 5 }) })(() => 1).store);
const counted = cache(60, { key: 'a', store: new InstrumentedStorage(new InMemCache(), new InMemoryMetrics(), 'L1') })(() => 1);
expectType<number>()(counted());
const countedFar = cache(60, { key: 'a', store: new InstrumentedStorage(remote, new InMemoryMetrics(), 'L2') })(() => 1);
expectType<Promise<number>>()(countedFar());

// Generics and overloads are kept.
const generic = cache(60, { key: 'a' })(<T>(value: T): T[] => [value]);
expectType<number[]>()(generic<number>(1));
function overloaded(id: number): 'number';
function overloaded(id: string): 'string';
function overloaded(id: unknown): string {
  return typeof id;
}
const kept = cache(60, { key: 'a' })(overloaded);
expectType<'number'>()(kept(1));
expectType<'string'>()(kept('1'));

// Key functions.
cache(60, { key: (id: number) => `user:${id}` })((id: number) => id);
// @ts-expect-error a key is a string
cache(60, { key: (id: number) => id });

// A method keeps its type; `this` is its class.
class Users {
  prefix = 'u';

  @cache(60, { key: 'user:{id}' })
  byId(id: number): string {
    return `${this.prefix}${id}`;
  }

  @cache(60, { key: 'user:{id}', store: remote })
  async byIdAsync(id: number): Promise<string> {
    return `${this.prefix}${id}`;
  }

  // @ts-expect-error with an asynchronous store the method would answer a Promise, which its type does not say
  @cache(60, { key: 'user:{id}', store: remote })
  bySync(id: number): string {
    return `${this.prefix}${id}`;
  }

  // @ts-expect-error a field is no method
  @cache(60, { key: 'user' })
  field = 1;
}
expectType<string>()(new Users().byId(1));

// Options.
// @ts-expect-error the key is required
cache(60, {});
// @ts-expect-error a misspelt option
cache(60, { key: 'a', staleness: 30 });
// @ts-expect-error no such unit
cache('1 minute', { key: 'a' });
// @ts-expect-error not a store
cache(60, { key: 'a', store: {} });
// @ts-expect-error not a function
cache(60, { key: 'a' }, 42);

const named: Cached<(id: number) => string> = cache(60, { key: 'a' })((id: number) => `${id}`);
expectType<string>()(named(1));
storeContract(() => remote);
