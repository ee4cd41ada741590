// @ts-check
/**
 * Operations a second of LocalFileCache against Node's bare `readFile`, and `writeFile` and `rename`, of the same bytes, by turns in one run.
 *
 *     npm run bench -- file-store [--quick]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { LocalFileCache } from 'advanced-caching';
import { compareRates, isQuick } from './harness.js';

const ROUNDS = isQuick ? 2 : 14;
const CALLS = isQuick ? 100 : 2000;
const WIDTH = 8;
const KEYS = 64;

/** @param {(i: number) => Promise<unknown>} run */
async function rate(run) {
  const started = performance.now();
  let next = 0;
  const work = async () => {
    while (next < CALLS) await run(next++ % KEYS);
  };
  await Promise.all(Array.from({ length: WIDTH }, work));
  return (CALLS / (performance.now() - started)) * 1000;
}

/** @param {string} name @param {(i: number) => Promise<unknown>} ours @param {(i: number) => Promise<unknown>} bare */
const compare = (name, ours, bare) =>
  compareRates(
    name,
    ROUNDS,
    () => rate(ours),
    () => rate(bare),
  );

const directory = mkdtempSync(join(tmpdir(), 'advanced-caching-bench-'));
try {
  for (const [size, text] of /** @type {const} */ ([
    ['200 B', 'x'.repeat(180)],
    ['4 KB', JSON.stringify(Array.from({ length: 110 }, (_, i) => ({ id: i, name: `user ${i * 7919}` }))).slice(0, 4000)],
    ['100 KB', JSON.stringify(Array.from({ length: 2800 }, (_, i) => ({ id: i, name: `user ${i * 7919}` }))).slice(0, 100_000)],
  ])) {
    for (const compress of /** @type {const} */ (['none', 'gzip'])) {
      const folder = join(directory, `${size}-${compress}`.replace(' ', ''));
      const store = new LocalFileCache(folder, { compress });
      const value = { text };
      for (let i = 0; i < KEYS; i++) await store.set(`key ${i}`, value, 3600);
      const files = [];
      for (const shard of await readdir(folder))
        for (const name of await readdir(join(folder, shard))) files.push(join(folder, shard, name));
      const json = Buffer.from(JSON.stringify(value));
      const content = compress === 'gzip' ? gzipSync(json) : json;
      const plain = files.map((_, i) => join(folder, `plain-${i}`));
      for (const file of plain) await writeFile(file, content);
      await compare(
        `get, ${size}, ${compress}`,
        (i) => store.get(`key ${i}`),
        async (i) => {
          const bytes = await readFile(/** @type {string} */ (plain[i]));
          return JSON.parse((compress === 'gzip' ? gunzipSync(bytes) : bytes).toString());
        },
      );
      let n = 0;
      await compare(
        `set, ${size}, ${compress}`,
        (i) => store.set(`key ${i}`, value, 3600),
        async (i) => {
          const bytes = Buffer.from(JSON.stringify(value));
          const temporary = `${plain[i]}.${n++}`;
          await writeFile(temporary, compress === 'gzip' ? gzipSync(bytes) : bytes);
          await rename(temporary, /** @type {string} */ (plain[i]));
        },
      );
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
