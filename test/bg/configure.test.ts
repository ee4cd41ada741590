import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import test from 'ava';
import { bg, configure } from '../../dist/index.js';
import { tempDir } from '../support/process.js';
import { endAfterwards, newKey, place } from './support.js';

endAfterwards();

const idOf = (namespace: string): string => createHash('sha256').update(namespace).digest('hex').slice(0, 16);

function namespacesIn(directory: string): string[] {
  return readdirSync(directory).flatMap((user) => readdirSync(`${directory}/${user}`));
}

test.serial('what configure sets goes before the environment, for what is registered after it', (t) => {
  const { ADVANCED_CACHING_DIRECTORY: first = '', ADVANCED_CACHING_NAMESPACE: namespace = '' } = place;
  bg.read(newKey()).close();
  t.deepEqual(namespacesIn(first), [idOf(namespace)]);
  const second = tempDir(t);
  configure({ directory: second });
  bg.read(newKey()).close();
  t.deepEqual(namespacesIn(second), [idOf(namespace)]);
  configure({ namespace: 'shop@2.4.1' });
  bg.read(newKey()).close();
  t.deepEqual(namespacesIn(second).sort(), [idOf(namespace), idOf('shop@2.4.1')].sort(), 'one setting leaves the other as it was');
  t.deepEqual(namespacesIn(first), [idOf(namespace)]);
});
