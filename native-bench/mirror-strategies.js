// @ts-check
/**
 * How N threads, and N processes, get a value that is refreshed: ours beside what people do by hand. For each way what a read costs, how long a
 * publish takes to be seen, for how long it stops a reader's event loop, and its processor time and memory.
 *
 *     npm run bench -- mirror-strategies [--quick] [--readers 3] [--kind threads] [--size 10000000]
 */
import { measured, overall, runsOf } from './support/mirrors/matrix.js';
import { sizeText } from './support/mirrors/value.js';
import { noRedis, startRedis } from './support/redis-server.js';
import { bars, isQuick, lines, numberOption, skipped, table, wordOption } from './support/results.js';

const READERS = numberOption('readers') ?? (isQuick ? 2 : 3);
const KINDS = /** @type {const} */ (['threads', 'processes']);
const ONLY_KIND = wordOption('kind', KINDS);
const ONLY_SIZE = numberOption('size');
/** Of a value: bytes of JSON, rounds, publishes a round, milliseconds between two, seconds to wait for one. */
const SIZES = isQuick
  ? [{ bytes: 1e5, rounds: 1, publishes: 2, period: 30, limit: 5 }]
  : [
      { bytes: 1e3, rounds: 3, publishes: 30, period: 50, limit: 10 },
      { bytes: 1e5, rounds: 3, publishes: 30, period: 50, limit: 10 },
      { bytes: 1e7, rounds: 2, publishes: 5, period: 1000, limit: 30 },
      { bytes: 1e8, rounds: 1, publishes: 2, period: 3000, limit: 120 },
    ].filter(({ bytes }) => bytes === (ONLY_SIZE ?? bytes));

const redis = noRedis === undefined ? await startRedis(['--client-output-buffer-limit', 'pubsub 0 0 0']) : undefined;
if (noRedis) skipped('Redis', noRedis);
try {
  for (const kind of KINDS) if (kind === (ONLY_KIND ?? kind)) await compareKind(kind);
} finally {
  await redis?.stop();
}

/** @param {import('./support/mirrors/strategy.js').Kind} kind */
async function compareKind(kind) {
  const runs = runsOf(kind, redis?.socket);
  for (const { name, missing } of runs) if (missing) skipped(name, missing);
  const able = runs.filter(({ missing }) => missing === undefined);
  /** @type {Map<number, import('./support/mirrors/matrix.js').Figures[]>} */
  const bySize = new Map();
  for (const size of SIZES) {
    const figures = await measured(able, { ...size, kind, readers: READERS, redis: redis?.socket }, size.rounds);
    bySize.set(size.bytes, figures);
    table({
      title: `${READERS} ${kind}, a value of ${sizeText(size.bytes)}, every ${size.period} ms`,
      columns: [
        { key: 'name', label: 'way' },
        { key: 'read', label: 'a read', unit: 'ns' },
        { key: 'visible', label: 'visible p50', unit: 'ms' },
        { key: 'p99', label: 'p99', unit: 'ms' },
        { key: 'stall', label: 'longest stall', unit: 'ms' },
        { key: 'cpu', label: 'CPU a publish', unit: 'ms' },
        { key: 'memory', label: 'memory a reader', unit: 'MB' },
        { key: 'missed', label: 'missed' },
      ],
      rows: figures.map((one) => ({ ...one, missed: one.missed === 0 ? 'none' : String(one.missed), ours: one.ours ? 1 : 0 })),
      note: 'Memory and CPU beyond those of bare readers. The stall is the median over publishes of the worst reader; 1 ms is noise.',
    });
  }
  for (const [key, { label, unit }] of Object.entries(overall)) {
    const title = `${READERS} ${kind}: ${label}`;
    const of = (/** @type {import('./support/mirrors/matrix.js').Figures} */ one) => one[/** @type {keyof typeof overall} */ (key)].median;
    const names = (bySize.get(SIZES[0]?.bytes ?? 0) ?? []).map(({ name, ours }) => ({ name, ours }));
    if (SIZES.length === 1) {
      const [figures = []] = bySize.values();
      bars({ title, unit, bars: figures.map((one) => ({ label: one.name, value: of(one), ours: one.ours })) });
      continue;
    }
    lines({
      title,
      x: { label: 'size of the value', unit: 'bytes of JSON', log: true },
      y: { label, unit, log: true },
      series: names.map(({ name, ours }) => ({
        name,
        ours,
        points: [...bySize].flatMap(([bytes, figures]) =>
          figures.filter((one) => one.name === name).map((one) => ({ x: bytes, y: of(one) })),
        ),
      })),
    });
  }
}
