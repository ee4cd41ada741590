/** What this thread can tell of itself now. */
import cluster from 'node:cluster';
import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { basename } from 'node:path';
import { isMainThread, threadId } from 'node:worker_threads';
import type { MirrorStatus } from '../bg/mirror.js';
import { backgrounds, dedicatedThreadStatus, mirrors, writers } from '../bg/registry.js';
import type { WriterStatus } from '../bg/writer.js';
import { systemClock } from '../core/clock.js';
import { ownTask } from '../files/task.js';
import { linkClient } from '../link/thread/link-client.js';
import { cacheReports } from './caches.js';
import type { Pace } from './pace.js';
import { type HelperReport, type MirrorReport, MOST, type ThreadReport, type WriterReport } from './report.js';

/** How finely the event loop is watched (milliseconds): what a timer of that length is late by is the delay. */
const RESOLUTION = 10;
const NS_PER_SECOND = 1e9;

interface Followed {
  readonly reads: number;
  readonly at: number;
  /** How many of the reads one `status()` makes. */
  readonly own: number;
}

/** When this thread began (Unix seconds), as far as can be told: a suspend of the machine before this module was loaded is missing. */
const startedAt = (systemClock.wall() - performance.now()) / 1000;

/** While it is open it watches the event loop, and knows what it told last. */
export class Collector {
  readonly #name: string;
  readonly #task = ownTask();
  readonly #followed = new WeakMap<object, Followed>();
  #loop: IntervalHistogram | undefined;
  #utilization = performance.eventLoopUtilization();

  constructor(name: string | undefined) {
    this.#name = name ?? nameOfThread();
  }

  open(): void {
    if (this.#loop) return;
    this.#loop = monitorEventLoopDelay({ resolution: RESOLUTION });
    this.#loop.enable();
    this.#utilization = performance.eventLoopUtilization();
  }

  close(): void {
    this.#loop?.disable();
    this.#loop = undefined;
  }

  async report(pace: Pace): Promise<Omit<ThreadReport, 'every'>> {
    const writing: WriterReport[] = [];
    for (const writer of [...writers.values(), ...backgrounds]) {
      if (pace.isDue()) await pace.rest();
      writing.push(writerOf(writer.status()));
    }
    const followed: MirrorReport[] = [];
    for (const mirror of [...mirrors]) {
      if (pace.isDue()) await pace.rest();
      followed.push(this.#mirror(mirror));
    }
    const caches = await cacheReports(pace);
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    const bounded = [writing, followed, caches].reduce((left, { length }) => left + Math.max(0, length - MOST), 0);
    return {
      pid: process.pid,
      thread: threadId,
      task: this.#task,
      name: this.#name,
      isMain: isMainThread,
      node: process.version,
      startedAt: startedAt,
      at: systemClock.wall() / 1000,
      memory: { rss, heapUsed, heapTotal, external },
      loop: this.#delays(),
      writers: writing.slice(0, MOST),
      mirrors: followed.slice(0, MOST),
      caches: caches.slice(0, MOST),
      helpers: [helper('loaders', dedicatedThreadStatus()), helper('link', linkClient.status())].filter((one) => one !== undefined),
      leftOut: bounded,
    };
  }

  #mirror(mirror: { status(): MirrorStatus }): MirrorReport {
    const before = this.#followed.get(mirror);
    const first = before ? 0 : mirror.status().reads;
    const { key, state, since, via, epoch, version, createdAt, isStale, reads, decodes, fallbacks, refused, lastError } = mirror.status();
    const now: Followed = { reads, at: performance.now(), own: before?.own ?? reads - first };
    this.#followed.set(mirror, now);
    const rate = before ? (Math.max(0, reads - before.reads - before.own) * 1000) / Math.max(1, now.at - before.at) : 0;
    return { key, state, since, via, epoch, version, createdAt, isStale, rate, decodes, fallbacks, refused, lastError: errorOf(lastError) };
  }

  #delays(): ThreadReport['loop'] {
    const loop = this.#loop;
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    this.#utilization = performance.eventLoopUtilization();
    if (!loop || loop.count === 0) return { p50: 0, p99: 0, max: 0, busy: utilization };
    const late = (ns: number): number => Math.max(0, ns / NS_PER_SECOND - RESOLUTION / 1000);
    const delays = { p50: late(loop.percentile(50)), p99: late(loop.percentile(99)), max: late(loop.max), busy: utilization };
    loop.reset();
    return delays;
  }
}

function errorOf(error: MirrorStatus['lastError']): MirrorReport['lastError'] {
  return error && { name: error.name, code: error.code, message: error.message, time: error.time };
}

function writerOf(status: WriterStatus): WriterReport {
  const { key, name, scope, state, since, epoch, version, createdAt } = status;
  const { refreshes, failures, consecutiveFailures, late, lastDuration, nextAt } = status;
  const lastError = errorOf(status.lastError);
  const counts = { refreshes, failures, consecutiveFailures, late };
  return { key, name, scope, state, since, epoch, version, createdAt, ...counts, lastDuration, nextAt, lastError };
}

function helper(what: string, thread: ReturnType<typeof linkClient.status>): HelperReport | undefined {
  if (thread === undefined || thread.state === 'idle') return undefined;
  return { what, state: thread.state, restarts: thread.restarts, lastError: thread.lastError?.name };
}

/** The file that it runs, without its path and arguments, which are nobody's business. */
function nameOfThread(): string {
  const file = process.argv[1] === undefined ? 'node' : basename(process.argv[1]);
  return isMainThread && cluster.worker ? `${file}, worker ${cluster.worker.id}` : file;
}
