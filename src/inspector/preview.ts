import { inspect, types } from 'node:util';

const LONGEST_TEXT = 8000;
const LONGEST_STRING = 1000;
/** Of an array, a Map, a Set or an object's properties. */
const MOST_ITEMS = 50;
const MOST_NODES = 2000;
const DEPTH = 4;

/**
 * A value as text, for somebody to look at. Bounded, however large the value is; and none of its code runs: no getter, no `toJSON`,
 * no `inspect` of its own, no trap of a Proxy.
 */
export function preview(value: unknown): string {
  const shown = inspect(bounded(value, 0, { nodes: 0 }), {
    depth: DEPTH,
    maxArrayLength: MOST_ITEMS + 1,
    maxStringLength: LONGEST_STRING,
    breakLength: 90,
    customInspect: false,
    getters: false,
  });
  const text = shown.replaceAll(/Note \[([^\]]*)\] \{\}/g, '[$1]');
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)} … (${text.length - LONGEST_TEXT} more characters)`;
}

/** What stands where something was left out. */
class Note {
  constructor(text: string) {
    Object.defineProperty(this, Symbol.toStringTag, { value: text });
  }
}

/** A copy of what will be shown: `inspect` itself would go through all the properties of an object with a million. */
function bounded(value: unknown, depth: number, seen: { nodes: number }): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (types.isProxy(value)) return new Note('Proxy');
  if (depth > DEPTH || ++seen.nodes > MOST_NODES) return new Note('…');
  const inner = (one: unknown): unknown => bounded(one, depth + 1, seen);
  const more = (count: number): Note[] => (count > MOST_ITEMS ? [new Note(`… ${count - MOST_ITEMS} more`)] : []);
  if (Array.isArray(value))
    return [...Array.from({ length: Math.min(value.length, MOST_ITEMS) }, (_, at) => inner(own(value, String(at)))), ...more(value.length)];
  if (types.isMap(value))
    return new Map(
      [...first(Map.prototype.entries.call(value) as Iterable<[unknown, unknown]>)].map(([key, one]) => [inner(key), inner(one)]),
    );
  if (types.isSet(value)) return new Set([...first(Set.prototype.values.call(value))].map(inner));
  // Dates, errors, typed arrays: they are bounded in themselves.
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  const names = Object.keys(value);
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<string, unknown>;
  for (const name of names.slice(0, MOST_ITEMS)) {
    Object.defineProperty(copy, name, { value: inner(own(value, name)), enumerable: true, configurable: true });
  }
  for (const note of more(names.length)) Object.defineProperty(copy, '…', { value: note, enumerable: true });
  return copy;
}

function own(value: object, name: string): unknown {
  const property = Object.getOwnPropertyDescriptor(value, name);
  return property?.get || property?.set ? new Note('Getter') : property?.value;
}

function* first<T>(items: Iterable<T>): Generator<T> {
  let count = 0;
  for (const item of items) {
    if (count++ === MOST_ITEMS) return;
    yield item;
  }
}
