// @ts-check
/** Runs each way of one kind by turns, round after round, and brings what they answered to figures that can stand side by side. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { progress } from '../results.js';
import { quantile, spread } from '../stats.js';
import { strategies } from './all.js';
import { sizeText } from './value.js';

const HOST = fileURLToPath(new URL('host.js', import.meta.url));

/**
 * @typedef {import('../stats.js').Spread} Spread
 * @typedef {{ name: string, file: string, ours: boolean, missing: string | undefined }} Way
 * @typedef {{ name: string, ours: boolean, read: Spread, visible: Spread, slowest: Spread, p99: number, stall: Spread, cpu: Spread, memory: Spread, missed: number }} Figures
 * nanoseconds for `read`, MB for `memory`, else milliseconds; `slowest` is of the last reader of each publish
 * @typedef {Omit<import('./host.js').Run, 'directory' | 'file' | 'strategy'>} Plan
 */

/** The figures that become charts. */
export const overall = /** @type {const} */ ({
  visible: { label: 'publish to visible, p50', unit: 'ms' },
  stall: { label: "longest stall of a reader's event loop", unit: 'ms' },
  cpu: { label: 'processor time a publish, all processes', unit: 'ms' },
  memory: { label: 'memory of a further reader, beyond a bare one', unit: 'MB' },
});

/** @param {import('./strategy.js').Kind} kind @param {string | undefined} redis @returns {Way[]} */
export function runsOf(kind, redis) {
  return strategies
    .filter(({ kinds }) => kinds.includes(kind))
    .map(({ name, file, ours = false, needs, missing }) => ({
      name,
      file,
      ours,
      missing: needs === 'redis' && redis === undefined ? 'there is no Redis' : missing?.(),
    }));
}

/** @param {Plan} plan @param {string} file @param {string} strategy @returns {Promise<import('./host.js').Outcome | undefined>} of a run that failed nothing */
async function runOnce(plan, file, strategy) {
  progress(`${plan.readers} ${plan.kind}, ${sizeText(plan.bytes)}: ${strategy}`);
  const directory = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'mirror-strategies-'));
  const env = { ...process.env, ADVANCED_CACHING_DIRECTORY: directory, ADVANCED_CACHING_NAMESPACE: 'mirror-strategies' };
  const child = fork(HOST, [JSON.stringify({ ...plan, file, strategy, directory })], { env, serialization: 'advanced' });
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  try {
    const exit = once(child, 'exit');
    const answer = await Promise.race([once(child, 'message'), exit.then(() => undefined)]);
    if (!answer) {
      console.error(`${strategy}, ${plan.kind}, ${sizeText(plan.bytes)}: the run ended without an answer`);
      return undefined;
    }
    await exit;
    return answer[0];
  } finally {
    end();
    process.off('exit', end);
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** @param {readonly Way[]} ways @param {Plan} plan @param {number} rounds @returns {Promise<Figures[]>} */
export async function measured(ways, plan, rounds) {
  /** @type {Map<string, { outcome: import('./host.js').Outcome, bare: import('./host.js').Outcome }[]>} */
  const outcomes = new Map(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const bare = await runOnce(plan, './strategy.js', 'none');
    if (!bare) throw new Error('Readers that do nothing failed');
    // Another first one each round.
    for (const { name, file } of [...ways.slice(round), ...ways.slice(0, round)]) {
      const outcome = await runOnce(plan, file, name);
      if (outcome) outcomes.get(name)?.push({ bare, outcome });
    }
  }
  return ways.map(({ name, ours }) => {
    const of = outcomes.get(name) ?? [];
    const all = (/** @type {'took' | 'slowest' | 'stalls'} */ key) => of.flatMap(({ outcome }) => outcome[key]).filter(Number.isFinite);
    return {
      name,
      ours,
      read: spread(of.map(({ outcome }) => outcome.read)),
      visible: spread(all('took')),
      slowest: spread(all('slowest')),
      p99: quantile(all('took'), 0.99),
      stall: spread(all('stalls')),
      cpu: spread(of.map(({ outcome, bare }) => ((outcome.cpu - (bare.cpu / bare.seconds) * outcome.seconds) / plan.publishes) * 1000)),
      memory: spread(of.map(({ outcome, bare }) => (outcome.memory - bare.memory) / 1e6)),
      missed: of.reduce((sum, { outcome }) => sum + outcome.missed, 0),
    };
  });
}
