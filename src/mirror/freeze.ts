/**
 * Freezes a decoded value and all that is in it: it is shared by every caller of the thread. A typed array can't be
 * frozen by the language; the contents of a `Map`, `Set` or `Date` stay mutable.
 */
export function deepFreeze<T>(value: T): T {
  if (!freezable(value)) return value;
  if (isFlat(value)) return Object.freeze(value);
  const open: object[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Object.isFrozen(next)) continue;
    Object.freeze(next);
    if (next instanceof Map) {
      for (const [key, inner] of next) {
        enqueue(key);
        enqueue(inner);
      }
    } else if (next instanceof Set) {
      for (const inner of next) enqueue(inner);
    } else {
      for (const name of Object.keys(next)) enqueue((next as Record<string, unknown>)[name]);
    }
  }
  return value;

  function enqueue(candidate: unknown): void {
    if (freezable(candidate)) open.push(candidate);
  }
}

/**
 * The same for what `JSON.parse` made, a fifth of the cost: it holds nothing but arrays without further properties and plain objects,
 * each of them once, and none is frozen yet.
 */
export function freezeParsed<T>(value: T): T {
  if (!isObject(value)) return value;
  const open: object[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next)) {
      for (let i = 0; i < next.length; i++) {
        const inner: unknown = next[i];
        if (isObject(inner)) open.push(inner);
      }
    } else {
      // No list of the names is made: V8 keeps one for all objects of a shape.
      for (const name in next) {
        if (!Object.hasOwn(next, name)) continue;
        const inner = (next as Record<string, unknown>)[name];
        if (isObject(inner)) open.push(inner);
      }
    }
    Object.freeze(next);
  }
  return value;
}

/** A plain object of primitives, as most records are. */
function isFlat(value: object): boolean {
  if (value.constructor !== Object) return false;
  for (const name in value) {
    const inner = (value as Record<string, unknown>)[name];
    if (typeof inner === 'object' && inner !== null) return false;
  }
  return true;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function freezable(value: unknown): value is object {
  return isObject(value) && !ArrayBuffer.isView(value) && !Object.isFrozen(value);
}
