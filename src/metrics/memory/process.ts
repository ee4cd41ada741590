/**
 * How the threads of a process find the arena that they count in, and one another's. As the mirror's directory does (`mirror/directory.ts`):
 * 1. the environment data of worker threads: a thread started after the arena was made has it before its first line runs. So nearly
 *    always there is one arena, and the sum needs no message;
 * 2. a BroadcastChannel, for threads that ran before: one that finds no arena makes its own, and tells the others. Each counts in the
 *    one it has, and reads all that it knows.
 *
 * The channel never keeps a thread alive.
 */
import { BroadcastChannel, getEnvironmentData, setEnvironmentData, threadId } from 'node:worker_threads';
import { onThreadDeath } from '../../core/deaths.js';
import { report } from '../../core/report.js';
import { StoreError } from '../../core/errors.js';
import { Arena, type ArenaLane } from './arena.js';
import { type Memory, type Series, type SeriesKey, startAnew } from './memory.js';
import { PrivateMemory } from './private.js';

/** Bumped when messages or arenas change in a way that an older copy of the package would misread. */
const EDITION = 'advanced-caching/metrics/1';

/** `have`: the arenas that the sender knows. Who knows another one answers. */
interface Message {
  readonly have: readonly SharedArrayBuffer[];
}

class ProcessMemory implements Memory {
  readonly #arenas: Arena[] = [];
  readonly #mine = new Map<string, Int32Array>();
  readonly #channel = new BroadcastChannel(EDITION);
  #lane: ArenaLane | undefined;
  /** What had no room in the arena: counted here, and seen by this thread only. */
  #rest: PrivateMemory | undefined;

  constructor() {
    this.#learn(getEnvironmentData(EDITION));
    if (this.#arenas.length === 0) this.#learn([Arena.create().buffer]);
    const arena = this.#arena;
    this.#lane = arena.claim(threadId);
    if (this.#lane) this.#inherit(this.#lane);
    this.#channel.onmessage = (event) => {
      // @types/node types the event as unknown.
      const { data } = event as { data: unknown };
      if (typeof data === 'object' && data !== null && 'have' in data && Array.isArray(data.have)) this.#hear(data.have.length, data.have);
    };
    this.#channel.unref();
    this.#tell();
    onThreadDeath((thread) => {
      for (const known of this.#arenas) known.free(thread);
    });
  }

  get since(): number {
    return Math.min(...this.#arenas.map(({ since }) => since));
  }

  open(key: SeriesKey, words: number): Int32Array {
    const text = JSON.stringify(key);
    let mine = this.#mine.get(text);
    if (!mine) this.#mine.set(text, (mine = this.#make(key, words)));
    return mine;
  }

  series(): readonly Series[] {
    return [...this.#arenas.flatMap((arena) => arena.series()), ...(this.#rest?.series() ?? [])];
  }

  get #arena(): Arena {
    return this.#arenas[0] as Arena;
  }

  #make(key: SeriesKey, words: number): Int32Array {
    const made = this.#lane && this.#arena.add(this.#lane, key, words);
    if (made) return made;
    if (!this.#rest) {
      this.#rest = new PrivateMemory();
      report(
        new StoreError('There is no room left for the counts of another thread or cache'),
        undefined,
        'advanced-caching: some metrics are seen by this thread only',
      );
    }
    return this.#rest.open(key, words);
  }

  /** What the thread before in this lane counted goes on; what it had in memory is gone. */
  #inherit(lane: ArenaLane): void {
    for (const { key, words, lane: other } of this.#arena.series()) {
      if (other !== lane) continue;
      this.#mine.set(JSON.stringify(key), words);
      startAnew(key, words);
    }
  }

  #learn(buffers: unknown): void {
    if (!Array.isArray(buffers)) return;
    for (const buffer of buffers) {
      const arena = Arena.open(buffer);
      if (arena && !this.#arenas.some(({ instance }) => instance === arena.instance)) this.#arenas.push(arena);
    }
    setEnvironmentData(
      EDITION,
      this.#arenas.map(({ buffer }) => buffer),
    );
  }

  #hear(theirs: number, buffers: unknown): void {
    this.#learn(buffers);
    if (this.#arenas.length > theirs) this.#tell();
  }

  #tell(): void {
    const message: Message = { have: this.#arenas.map(({ buffer }) => buffer) };
    this.#channel.postMessage(message);
  }
}

let memory: ProcessMemory | undefined;

/** The memory that the collectors of one name share, in all threads of the process. */
export function processMemory(): Memory {
  memory ??= new ProcessMemory();
  return memory;
}
