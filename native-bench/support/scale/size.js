// @ts-check
/** What a publish and the first read of it cost, by the size of the value. */
import { bg } from '../../../dist/index.js';
import { inTurns } from '../../harness.js';
import { makeValue, sizeText } from '../mirrors/value.js';
import { isQuick, lines, progress, table } from '../results.js';

const SIZES = isQuick ? [1e3, 1e5] : [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
const MAX_BYTES = 256 * 1024 * 1024;

/** Milliseconds a call, over as many as make it measurable. @param {number} calls @param {(i: number) => unknown} work */
async function time(calls, work) {
  const begin = performance.now();
  for (let i = 0; i < calls; i++) await work(i);
  return (performance.now() - begin) / calls;
}

/** @param {number} size */
async function costsOf(size) {
  progress(`a value of ${sizeText(size)}`);
  const value = makeValue(size);
  const calls = Math.max(1, Math.min(200, Math.floor(1e6 / size)));
  const rounds = isQuick ? 2 : size >= 1e8 ? 3 : 9;
  const copy = new Uint8Array(new SharedArrayBuffer(size * 2));
  const writer = bg.write(0, { key: `size ${size}`, runImmediately: false, maxBytes: MAX_BYTES, ref: false, loader: () => value });
  const refresh = () => {
    // The same bytes would be confirmed, and not be published.
    value.n += 1;
    return writer.refresh();
  };
  const publish = () => time(calls, refresh);
  const serialize = () => time(calls, () => copy.set(Buffer.from(JSON.stringify(value))));
  await inTurns(2, publish, serialize);
  const write = await inTurns(rounds, publish, serialize);

  const text = JSON.stringify(value);
  const parse = () => time(calls, () => JSON.parse(text));
  const reads = [];
  for (const freeze of [false, true]) {
    const mirror = bg.read(`size ${size}`, { freeze, maxBytes: MAX_BYTES });
    const first = async () => {
      let sum = 0;
      for (let i = 0; i < calls; i++) {
        await refresh();
        const begin = performance.now();
        mirror();
        sum += performance.now() - begin;
      }
      return sum / calls;
    };
    await inTurns(1, first, parse);
    reads.push(await inTurns(rounds, first, parse));
    mirror.close();
  }
  await writer.stop();
  return { size, write, loose: reads[0], frozen: reads[1] };
}

export async function bySize() {
  /** @type {Awaited<ReturnType<typeof costsOf>>[]} */
  const costs = [];
  for (const size of SIZES) costs.push(await costsOf(size));
  table({
    title: 'By the size of the value: a publish, and the first read of it in a thread',
    columns: [
      { key: 'size', label: 'size' },
      { key: 'publish', label: 'publish', unit: 'ms' },
      { key: 'serialize', label: 'JSON.stringify and a copy', unit: 'ms' },
      { key: 'publishRatio', label: 'ratio', unit: '×' },
      { key: 'loose', label: 'first read, freeze: false', unit: 'ms' },
      { key: 'frozen', label: 'first read', unit: 'ms' },
      { key: 'parse', label: 'JSON.parse', unit: 'ms' },
      { key: 'looseRatio', label: 'ratio, freeze: false', unit: '×' },
      { key: 'frozenRatio', label: 'ratio', unit: '×' },
    ],
    rows: costs.map(({ size, write, loose, frozen }) => ({
      size: sizeText(size),
      publish: write.ours.median,
      serialize: write.floor.median,
      publishRatio: write.ratio,
      loose: loose?.ours.median,
      frozen: frozen?.ours.median,
      parse: frozen?.floor.median,
      looseRatio: loose?.ratio,
      frozenRatio: frozen?.ratio,
    })),
    note: 'Target for 10 MB: a publish within 2 × of serializing and one copy.',
  });
  const series = (/** @type {string} */ name, /** @type {(of: typeof costs[0]) => number | undefined} */ of, ours = false) => ({
    name,
    ours,
    points: costs.map((one) => ({ x: one.size, y: of(one) ?? Number.NaN })),
  });
  lines({
    title: 'Cost by the size of the value',
    x: { label: 'size', unit: 'bytes of JSON', log: true },
    y: { label: 'time', unit: 'ms', log: true },
    series: [
      series('publish', ({ write }) => write.ours.median, true),
      series('JSON.stringify and a copy', ({ write }) => write.floor.median),
      series('first read', ({ frozen }) => frozen?.ours.median),
      series('first read, freeze: false', ({ loose }) => loose?.ours.median),
      series('JSON.parse', ({ frozen }) => frozen?.floor.median),
    ],
  });
}
