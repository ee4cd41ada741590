// @ts-check
/**
 * Curves: what a mirror costs by the size of its value, the number of its readers, the number of mirrors, and the publishes a second.
 *
 *     npm run bench -- scale [--quick] [--by size]        `size`, `readers`, `keys` or `rate` alone
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bg } from '../dist/index.js';
import { wordOption } from './support/results.js';
import { byKeys } from './support/scale/keys.js';
import { byRate } from './support/scale/rate.js';
import { byReaders } from './support/scale/readers.js';
import { bySize } from './support/scale/size.js';

const directory = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'scale-'));
// By the environment: so it reaches the threads and processes of this one too.
Object.assign(process.env, { ADVANCED_CACHING_DIRECTORY: directory, ADVANCED_CACHING_NAMESPACE: 'scale' });
const parts = { size: bySize, readers: byReaders, keys: byKeys, rate: byRate };
const only = wordOption('by', Object.keys(parts));
try {
  for (const [name, measure] of Object.entries(parts)) if (name === (only ?? name)) await measure();
} finally {
  await bg.shutdown();
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}
