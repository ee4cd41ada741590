// @ts-check
import { percentile } from './samples.js';

/** @typedef {import('./state.js').State} State */

/**
 * @param {State} state
 * @param {{ workers: number, seconds: number | undefined }} options
 */
export function judge(state, options) {
  const { seconds, load, kill, errors } = state;
  const workers = [...state.workers.values()];
  const lost = workers.filter(({ gone }) => gone).length;
  const readers = workers.flatMap(({ worker, readers: own }) => own.map((reader) => ({ worker, ...reader })));
  const sum = (/** @type {(reader: import('./probe.js').ReaderReport) => number} */ pick) =>
    readers.reduce((total, reader) => total + pick(reader), 0);
  const visible = readers.flatMap((reader) => reader.visible);
  const small = workers.flatMap(({ boardVisible }) => boardVisible);
  const result = {
    seconds,
    requests: load?.requests ?? 0,
    requestsPerSecond: load?.averagePerSecond ?? 0,
    requestErrors: load?.errors ?? 0,
    readers: readers.map(({ worker, where, pid, version, versionsSeen, reads }) => ({ worker, where, pid, version, versionsSeen, reads })),
    publishToVisibleMs: { p50: percentile(visible, 50), p99: percentile(visible, 99), samples: visible.length },
    smallPublishToVisibleMs: { p50: percentile(small, 50), p99: percentile(small, 99), samples: small.length },
    readsChecked: sum((reader) => reader.reads),
    emptyReads: sum((reader) => reader.empty),
    tornReads: sum((reader) => reader.torn),
    backwardReads: sum((reader) => reader.backward) + (load?.backward ?? 0),
    longestStallMs: Math.max(0, ...readers.map((reader) => reader.longestStall)),
    takeoverMs: kill?.tookOver,
    failedRefreshes: errors.length,
    lostWorkers: lost,
    /** @type {string[]} */
    faults: [],
  };
  const { faults } = result;
  if (result.tornReads > 0) faults.push(`${result.tornReads} torn reads`);
  if (result.backwardReads > 0) faults.push(`${result.backwardReads} backward reads`);
  if (result.emptyReads > 0) faults.push(`${result.emptyReads} reads without a value`);
  if (result.requestErrors > 0) faults.push(`${result.requestErrors} failed requests, the last one: ${load?.lastError}`);
  if (lost > 0) faults.push(`${lost} workers ended on their own`);
  if (options.seconds !== undefined && readers.length < options.workers * 2) {
    faults.push(`only ${readers.length} of ${options.workers * 2} readers reported`);
  }
  if (kill && kill.tookOver === undefined) faults.push('nobody took over from the killed writer');
  return result;
}

const number = (/** @type {number} */ value) => Math.round(value).toLocaleString('en-US');
const ms = (/** @type {number} */ value) => `${value < 10 ? value.toFixed(1) : number(value)} ms`;

/**
 * @param {State} state
 * @param {ReturnType<typeof judge>} verdict
 */
export function describe({ kill, workers }, verdict) {
  const { publishToVisibleMs: large, smallPublishToVisibleMs: small } = verdict;
  const rows = [
    ['ran for', `${verdict.seconds.toFixed(1)} s`],
    ['requests', `${number(verdict.requestsPerSecond)} per second, ${number(verdict.requests)} in all, ${verdict.requestErrors} failed`],
    ...[...workers.values()].flatMap(({ worker, readers }) =>
      readers.map((reader) => [
        `worker ${worker}, ${reader.where}`,
        `saw ${reader.versionsSeen} versions, up to ${reader.version}; ${number(reader.reads)} reads`,
      ]),
    ),
    ['publish to visible', `p50 ${ms(large.p50)}, p99 ${ms(large.p99)} (cities, 25 MB in records)`],
    ['', `p50 ${ms(small.p50)}, p99 ${ms(small.p99)} (status, 2 kB)`],
    ['reads checked', number(verdict.readsChecked)],
    ['torn reads', number(verdict.tornReads)],
    ['backward reads', number(verdict.backwardReads)],
    ['reads without a value', number(verdict.emptyReads)],
    ['longest event-loop stall', ms(verdict.longestStallMs)],
  ];
  if (kill) {
    const took =
      kill.tookOver === undefined
        ? 'nobody took over'
        : `the primary took over, loaded the list, and a reader had it ${ms(kill.tookOver)} later`;
    rows.push(['the writer was killed', took]);
  }
  const width = Math.max(...rows.map(([name = '']) => name.length));
  const table = rows.map(([name = '', value]) => `  ${name.padEnd(width)}  ${value}`);
  const end = verdict.faults.length === 0 ? 'All well.' : `NOT well: ${verdict.faults.join('; ')}.`;
  return ['', 'Summary', ...table, '', end].join('\n');
}

/** @param {import('./state.js').Board} board */
export function liveLine({ seconds, load, readers }) {
  const versions = readers.map(({ version }) => version);
  const reads = readers.reduce((total, { readsPerSecond }) => total + readsPerSecond, 0);
  const stall = Math.max(0, ...readers.map((reader) => reader.stall));
  const span = [...new Set([Math.min(...versions), Math.max(...versions)])].join('–');
  return `${seconds.toFixed(0).padStart(4)} s  version ${span}  ${number(load?.requestsPerSecond ?? 0)} requests/s  ${number(reads)} reads/s  longest stall ${ms(stall)}`;
}
