// @ts-check
/**
 * Operations a second of LocalFileCache against Node's bare `readFile`, and `writeFile` and `rename`, of the same bytes, by turns in one run.
 *
 *     npm run build && node native-bench/file-store.js [--quick]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { LocalFileCache } from 'advanced-caching';

const isQuick = process.argv.includes('--quick');
const ROUNDS = isQuick ? 3 : 15;
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

/** @param {number[]} numbers */
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/** @param {string} name @param {(i: number) => Promise<unknown>} ours @param {(i: number) => Promise<unknown>} bare */
async function compare(name, ours, bare) {
  /** @type {{ ours: number[], bare: number[], ratio: number[] }} */
  const rates = { ours: [], bare: [], ratio: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const a = await rate(ours);
    const b = await rate(bare);
    // The first round warms up.
    if (round === 0) continue;
    rates.ours.push(a);
    rates.bare.push(b);
    rates.ratio.push(a / b);
  }
  const [a, b] = [median(rates.ours), median(rates.bare)].map((n) => n.toFixed(0).padStart(7));
  console.log(`${name.padEnd(36)} ${a}/s  bare ${b}/s  ratio ${median(rates.ratio).toFixed(2)}`);
}

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
