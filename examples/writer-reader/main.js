// @ts-check
// One writer and two readers, each a process of its own. Nothing connects them but the key: no server, no port, no handle
// that was passed on. The writer refreshes every 100 ms; a fast reader looks every 100 ms, a slow one every 500 ms.
//   npm install advanced-caching && node main.js
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const start = (/** @type {string} */ file, /** @type {string[]} */ ...args) => fork(fileURLToPath(new URL(file, import.meta.url)), args);

// The readers come first: they wait for a writer that isn't there yet.
const readers = [start('./reader.js', 'fast', '100'), start('./reader.js', 'slow', '500')];
const writer = start('./writer.js');

await Promise.all(readers.map((reader) => once(reader, 'exit')));
writer.send('stop');
await once(writer, 'exit');
console.log('done');
