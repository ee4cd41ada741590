import test from 'ava';
import { objectName } from '../../../dist/stores/objects/name.js';

test('names that are safe stay readable, all others are percent-encoded by the segment', (t) => {
  for (const [key, name] of [
    ['user:42', 'user:42'],
    ['a/b/c', 'a/b/c'],
    ['a@b,c', 'a@b,c'],
    ['a b', 'a%20b'],
    ['a%2Fb', 'a%252Fb'],
    ['a=b', 'a%3Db'],
    ['/', '%2F'],
    ['/a', '%2Fa'],
    ['a/', 'a%2F'],
    ['a//b', 'a%2F%2Fb'],
    ['.', '%2E'],
    ['..', '%2E%2E'],
    ['a/../b', 'a/%2E%2E/b'],
    ['a/..', 'a/%2E%2E'],
    ['a/./b/.c', 'a/%2E/b/.c'],
    ['...', '...'],
    ['é\n', '%C3%A9%0A'],
    ['__proto__', '__proto__'],
  ] as const) {
    t.is(objectName('v1/', key), `v1/${name}`);
    t.is(decodeURIComponent(name), key);
  }
});

test('a URL keeps every name as it is', (t) => {
  const keys = ['a//b', '/', '//', '..', '../..', './a', 'a/..', 'a/.', '/..', '?x#y', 'a\\b', ' ', '%2e%2e', '+'];
  for (const key of keys) {
    const path = `/bucket/v1/${objectName('', key).split('/').map(encodeURIComponent).join('/')}`;
    t.is(new URL(`http://localhost${path}`).pathname, path, key);
  }
});

test('names are at most 900 bytes, the prefix among them, and no two keys share one', (t) => {
  const prefix = 'é'.repeat(100);
  const names = new Set<string>();
  let count = 0;
  for (const unit of ['k', 'ü', '/', '%', '.', '😀', 'a/']) {
    for (let length = 1; length <= 1500; length++) {
      const key = unit.repeat(length);
      const name = objectName(prefix, key);
      t.true(Buffer.byteLength(name) <= 900);
      names.add(name);
      count++;
    }
  }
  t.is(names.size, count);
  const long = objectName('', 'k'.repeat(2000));
  t.is(long.length, 900);
  t.not(objectName('', long), long, 'a key that looks like a hashed name has another name');
});
