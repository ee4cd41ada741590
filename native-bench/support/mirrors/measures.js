// @ts-check
/** What a process can say of itself. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of this process after a collection: on Linux those of shared memory count by its share. */
export function memory() {
  setFlagsFromString('--expose-gc');
  const collect = /** @type {() => void} */ (runInNewContext('gc'));
  collect();
  collect();
  try {
    const kilobytes = /^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1];
    return Number(kilobytes) * 1024;
  } catch {
    return process.memoryUsage.rss();
  }
}

/** Seconds of processor time of this process, all threads. */
export function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
