// @ts-check
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('floor.cpp', import.meta.url));
const COMPILERS = process.env['CXX'] ? [process.env['CXX']] : ['g++', 'clang++'];

/** @returns {{ run: (milliseconds: number, sizes: readonly number[]) => Map<string, number>, remove: () => void } | string} or why there is none */
export function buildFloor() {
  if (process.platform === 'win32') return 'the program needs POSIX (mmap, fork)';
  const compiler = COMPILERS.find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined) return `there is no ${COMPILERS.join(' or ')} here (apt-get install g++, or set CXX)`;
  const folder = mkdtempSync(join(tmpdir(), 'advanced-caching-floor-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const program = join(folder, 'floor');
  const { status, stderr } = spawnSync(compiler, ['-O2', '-std=c++20', '-pthread', SOURCE, '-o', program], { encoding: 'utf8' });
  if (status !== 0) {
    remove();
    return `${compiler} failed: ${stderr.split('\n')[0]}`;
  }
  return { run: (milliseconds, sizes) => figures(program, [milliseconds, ...sizes]), remove };
}

/** Nanoseconds by `what` and bytes. @param {string} program @param {readonly number[]} words */
function figures(program, words) {
  const { status, signal, stdout } = spawnSync(program, words.map(String), { encoding: 'utf8', timeout: 120_000, killSignal: 'SIGKILL' });
  if (status !== 0) throw new Error(`The floor program ended with ${signal ?? status}`);
  /** @type {{ what: string, bytes: number, value: number }[]} */
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return new Map(lines.map(({ what, bytes, value }) => [`${what} ${bytes}`, value]));
}
