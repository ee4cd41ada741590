/**
 * About how many bytes a value takes in memory: an estimate, since JavaScript has no way to ask.
 *
 * | what | counted as |
 * |---|---|
 * | string | 16 + 2 a character (V8 keeps Latin-1 text in 1) |
 * | number, boolean, `null`, `undefined`, symbol | 8 |
 * | bigint | 32 |
 * | Buffer, typed array, ArrayBuffer | 96 + its bytes |
 * | array, Set | 32 + 8 an element + the elements |
 * | Map | 32 + 32 a pair + the pairs |
 * | any other object | 32 + 16 an own property + the names' and the values' size |
 * | function | 64, and nothing of what it closes over |
 *
 * The work is bounded: of a long collection 64 members, evenly spread, stand for the rest, and past 4,096 visited values
 * each one counts as 8. An object met twice counts once.
 */
const SAMPLE = 64;
const MAX_VISITS = 4096;

interface Walk {
  visits: number;
  readonly seen: Set<object>;
}

export function sizeOf(value: unknown): number {
  return measure(value, { visits: 0, seen: new Set() });
}

function measure(value: unknown, walk: Walk): number {
  switch (typeof value) {
    case 'string':
      return 16 + 2 * value.length;
    case 'bigint':
      return 32;
    case 'function':
      return 64;
    case 'object':
      return value === null || ++walk.visits > MAX_VISITS ? 8 : measureObject(value, walk);
    default:
      return 8;
  }
}

function measureObject(object: object, walk: Walk): number {
  if (walk.seen.has(object)) return 8;
  walk.seen.add(object);
  if (ArrayBuffer.isView(object)) return 96 + object.byteLength;
  if (object instanceof ArrayBuffer || object instanceof SharedArrayBuffer) return 96 + object.byteLength;
  if (Array.isArray(object)) return 32 + 8 * object.length + sampled(object.length, (i) => measure(object[i], walk));
  if (object instanceof Map) {
    const pairs = firstOf(object);
    return 32 + 32 * object.size + scaled(object.size, pairs, ([key, item]) => measure(key, walk) + measure(item, walk));
  }
  if (object instanceof Set) return 32 + 8 * object.size + scaled(object.size, firstOf(object), (item) => measure(item, walk));
  const names = Object.keys(object);
  return (
    32 +
    sampled(names.length, (i) => {
      const name = names[i] as string;
      const descriptor = Object.getOwnPropertyDescriptor(object, name);
      // A getter isn't run: what it gives is not kept by the object.
      return 16 + 2 * name.length + (descriptor && 'value' in descriptor ? measure(descriptor.value, walk) : 8);
    })
  );
}

/** The sum over `length` members, from at most `SAMPLE` of them. */
function sampled(length: number, sizeAt: (index: number) => number): number {
  const step = Math.max(1, length / SAMPLE);
  let sum = 0;
  let count = 0;
  for (let at = 0; at < length; at += step, count++) sum += sizeAt(Math.floor(at));
  return count === 0 ? 0 : (sum / count) * length;
}

function firstOf<T>(items: Iterable<T>): T[] {
  const first: T[] = [];
  for (const item of items) {
    first.push(item);
    if (first.length === SAMPLE) break;
  }
  return first;
}

function scaled<T>(size: number, first: readonly T[], sizeOfOne: (item: T) => number): number {
  return first.length === 0 ? 0 : (first.reduce((sum, item) => sum + sizeOfOne(item), 0) / first.length) * size;
}
