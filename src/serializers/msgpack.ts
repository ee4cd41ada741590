import { AdvancedCachingError, SerializationError } from '../core/errors.js';
import { loadPeer } from '../core/peer.js';
import type { Serializer } from '../core/serializer.js';
import { checkPlainMessagePack } from './msgpack-check.js';

/** What is used of msgpackr. */
interface Packr {
  pack(value: unknown): Uint8Array;
  unpack(bytes: Uint8Array): unknown;
}

interface Msgpackr {
  readonly Packr: new (options: Readonly<Record<string, unknown>>) => Packr;
  addExtension(extension: { readonly Class: unknown; readonly write: (value: unknown) => unknown }): void;
}

/** msgpackr 2.1.3 writes these as bytes that it never filled: what the process had in that memory would go to the store. */
const UNHELD: readonly { readonly name: string }[] = [
  Int8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  ...('Float16Array' in globalThis ? [(globalThis as unknown as { Float16Array: { readonly name: string } }).Float16Array] : []),
];

let loaded: Packr | undefined;

/** @throws MissingDependencyError without the package `msgpackr` */
export function loadMsgpackr(): Packr {
  if (loaded) return loaded;
  // The entry point that never makes code from data, and so works where the process forbids that.
  const { Packr, addExtension } = loadPeer<Msgpackr>('msgpackr/index-no-eval', 'The serializer msgpack', { isPrivate: true });
  for (const Class of UNHELD) {
    addExtension({
      Class,
      write() {
        throw new SerializationError(`MessagePack can't hold a ${Class.name}: give its bytes as a Uint8Array`);
      },
    });
  }
  // No records, since only msgpackr reads those; no shared structures, since those bytes don't stand alone; a copy of each
  // `bin`, since a view would keep, and show, the whole buffer that it came in. The shortest form of a map, as others write it, and
  // a 64-bit integer, of which another language makes no fuss, as a number where that is exact.
  loaded = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, copyBuffers: true, int64AsType: 'auto' });
  return loaded;
}

/**
 * Plain MessagePack, which every language reads: smaller than JSON, and it holds bytes and dates. A `Map` or an instance of a class
 * comes back as a plain object, a `Set` as an array, a small `bigint` as a number; typed arrays but `Uint8Array` are refused. Bytes that are no plain MessagePack are refused before anything is made of them.
 * Needs the package `msgpackr`.
 */
export const msgpack: Serializer = {
  name: 'msgpack',
  dumps(value) {
    const packr = loadMsgpackr();
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new SerializationError(`MessagePack can't hold a value of type ${typeof value}`);
    }
    try {
      return packr.pack(value);
    } catch (cause) {
      if (AdvancedCachingError.is(cause)) throw cause;
      // The message may quote the value.
      throw new SerializationError(`MessagePack can't hold this value (${(cause as Error).name})`);
    }
  },
  loads(bytes) {
    const packr = loadMsgpackr();
    checkPlainMessagePack(bytes);
    try {
      return packr.unpack(bytes);
    } catch (cause) {
      throw new SerializationError(`These ${bytes.byteLength} bytes are not MessagePack (${(cause as Error).name})`);
    }
  },
};
