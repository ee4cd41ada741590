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

/** A plain object of primitives, as most records are. */
function isFlat(value: object): boolean {
  if (value.constructor !== Object) return false;
  for (const name in value) {
    const inner = (value as Record<string, unknown>)[name];
    if (typeof inner === 'object' && inner !== null) return false;
  }
  return true;
}

function freezable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value);
}
