import test from 'ava';
import { deepFreeze, freezeParsed } from '../../dist/mirror/freeze.js';

test('everything plain is frozen, at any depth', (t) => {
  const value = { a: [{ b: { c: [1, [2, {}]] } }], d: new Date(0), e: null, f: undefined, g: 'text' };
  t.is(deepFreeze(value), value);
  for (const part of [
    value,
    value.a,
    value.a[0],
    value.a[0]?.b,
    value.a[0]?.b.c,
    value.a[0]?.b.c[1],
    (value.a[0]?.b.c[1] as unknown[] | undefined)?.[1],
    value.d,
  ]) {
    t.true(Object.isFrozen(part));
  }
  t.throws(() => value.a.push({ b: { c: [] } }), { instanceOf: TypeError });
});

test('keys and values of maps and sets are frozen', (t) => {
  const key = { id: 1 };
  const inner = { x: [1] };
  const member = { y: 1 };
  deepFreeze(new Map<object, unknown>([[key, new Set([member, inner])]]));
  t.true([key, inner, inner.x, member].every(Object.isFrozen));
});

test('what is not freezable is left as it is', (t) => {
  for (const value of [undefined, null, 1, 'text', 1n, true, new Uint8Array([1]), Buffer.from('ab'), new DataView(new ArrayBuffer(1))]) {
    t.is(deepFreeze(value), value);
  }
  const bytes = new Uint8Array([1]);
  deepFreeze({ bytes });
  bytes[0] = 2;
  t.is(bytes[0], 2);
});

test('cycles end, depth does not overflow the stack, and a shared part is walked once', (t) => {
  interface Node {
    next?: Node;
  }
  const cycle: Node = {};
  cycle.next = { next: cycle };
  deepFreeze(cycle);
  t.true(Object.isFrozen(cycle.next));

  let deep: Node = {};
  const bottom = deep;
  for (let level = 0; level < 200_000; level++) deep = { next: deep };
  deepFreeze(deep);
  t.true(Object.isFrozen(bottom));

  let reads = 0;
  const shared = new Proxy({ part: 1 }, { get: (target, name) => (reads++, Reflect.get(target, name) as unknown) });
  deepFreeze([shared, shared]);
  t.is(reads, 1);
});

test('what was parsed is frozen, at any depth and under any name', (t) => {
  const text = '{"a":[{"b":{"c":[1,[2,{}],null]}},"text"],"__proto__":{"d":{}},"constructor":{"e":[]},"toString":[[]]}';
  const value: unknown = JSON.parse(text);
  t.is(freezeParsed(value), value);
  const isFrozen = (part: unknown): boolean =>
    typeof part !== 'object' || part === null || (Object.isFrozen(part) && Object.values(part).every((inner) => isFrozen(inner)));
  t.true(isFrozen(value));
  t.is(JSON.stringify(value), text);
  for (const one of [null, 1, 'text', true]) t.is(freezeParsed(one), one);
  t.false(Object.isFrozen(Object.prototype));

  let deep: unknown = JSON.parse('[]');
  for (let level = 0; level < 200_000; level++) deep = [deep];
  t.true(Object.isFrozen(freezeParsed(deep)));
});

test('a name that everything inherits is not followed', (t) => {
  const inherited = { x: 1 };
  Object.defineProperty(Object.prototype, 'inherited', { value: inherited, enumerable: true, configurable: true });
  try {
    t.true(Object.isFrozen(freezeParsed(JSON.parse('{"a":{}}'))));
  } finally {
    Reflect.deleteProperty(Object.prototype, 'inherited');
  }
  t.false(Object.isFrozen(inherited));
});
