// @ts-check
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/**
 * @typedef {{ node: string, v8: string, processor: string, cores: number, memoryGB: number, system: string, governor: string, load: number, commit: string, date: string }} Machine
 */

/** What a figure can't be read without. @returns {Machine} */
export function describeMachine() {
  return {
    node: process.version,
    v8: process.versions.v8,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch} ${release()}`,
    governor: firstLine('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    load: Number(loadavg()[0]?.toFixed(2)),
    commit: commit(),
    date: new Date().toISOString(),
  };
}

/** @param {Machine} machine */
export function machineText({ node, v8, processor, cores, memoryGB, system, governor, load, commit: at }) {
  const clock = governor === '' ? '' : `, governor ${governor}`;
  return `Node ${node} (V8 ${v8}), ${cores} × ${processor}, ${memoryGB} GB, ${system}${clock}, load at the start ${load}, commit ${at}`;
}

/** @param {string} file */
function firstLine(file) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    // Only some Linux machines tell.
    return '';
  }
}

function commit() {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const id = git('rev-parse', '--short', 'HEAD');
    const changed = git('status', '--porcelain', '--', '../../src', '..') !== '';
    return changed ? `${id} with changes` : id;
  } catch {
    return 'unknown';
  }
}
