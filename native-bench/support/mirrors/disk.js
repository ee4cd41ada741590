// @ts-check
import { watch } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** @typedef {import('./value.js').Value} Value */

/** Milliseconds between two looks at lmdb's counter: nobody tells a reader, and a look costs two microseconds. */
const LOOK = 5;

const load = () => import('lmdb').catch(() => undefined);
const hasLmdb = (await load()) !== undefined;

/** Decodes at every read, from a memory map that all share. @type {import('./strategy.js').Strategy} */
const lmdb = {
  name: 'lmdb',
  kinds: ['threads', 'processes'],
  missing: () => (hasLmdb ? undefined : 'the package lmdb is not installed'),
  async writer({ directory }) {
    const { open } = await import('lmdb');
    const db = open({ path: join(directory, 'lmdb'), noSync: true });
    return {
      publish: async (value) => {
        await db.put('value', value);
        await db.put('n', value.n);
      },
      stop: () => db.close(),
    };
  },
  async reader({ directory, seen }) {
    const { open } = await import('lmdb');
    const db = open({ path: join(directory, 'lmdb') });
    let n = 0;
    const timer = setInterval(() => {
      const newest = /** @type {number | undefined} */ (db.get('n')) ?? 0;
      if (newest === n) return;
      n = newest;
      seen(/** @type {Value} */ (db.get('value')));
    }, LOOK);
    return {
      read: () => db.get('value'),
      stop: () => {
        clearInterval(timer);
        return db.close();
      },
    };
  },
};

/** Renamed into its place, so that no reader sees half of it. @type {import('./strategy.js').Strategy} */
const watched = {
  name: 'a file, fs.watch',
  kinds: ['threads', 'processes'],
  writer: ({ directory }) => ({
    publish: async (value) => {
      await writeFile(join(directory, 'value.tmp'), JSON.stringify(value));
      await rename(join(directory, 'value.tmp'), join(directory, 'value.json'));
    },
    stop: () => {},
  }),
  reader({ directory, seen }) {
    /** @type {Value | undefined} */
    let last;
    let reading = false;
    let again = false;
    const read = async () => {
      if (reading) {
        again = true;
        return;
      }
      reading = true;
      do {
        again = false;
        const next = /** @type {Value} */ (JSON.parse(await readFile(join(directory, 'value.json'), 'utf8')));
        const isNew = next.n !== last?.n;
        last = next;
        if (isNew) seen(next);
      } while (again);
      reading = false;
    };
    const watcher = watch(directory, (_, name) => {
      if (name === 'value.json') void read();
    });
    return { read: () => last, stop: () => watcher.close() };
  },
};

export const disk = [lmdb, watched];
