/**
 * What a follower has, and what a look at Redis means to it.
 *
 * | Redis has                     | and                                                                     | verdict     |
 * |-------------------------------|-------------------------------------------------------------------------|-------------|
 * | nothing                       | nothing was handed over                                                  | `nothing`   |
 * | nothing                       | something was                                                            | `regressed` |
 * | an announced snapshot         | it is what this process brought along, with numbers that aren't its own  | `same`      |
 * |                               | its numbers are higher than those seen                                   | `new`       |
 * |                               | they are lower                                                           | `regressed` |
 * |                               | they are the same, after a value without any that was another            | `new`       |
 * |                               | they are the same, loaded later                                          | `confirmed` |
 * |                               | they are the same                                                        | `same`      |
 * | a value that nobody announced | it was handed over last, or is what this process brought along           | `same`      |
 * |                               | it is the one that was announced, and only its numbers are lost          | `regressed` |
 * |                               | a writer holds the lease, so that somebody else has overwritten its value | `foreign`   |
 * |                               | it is older than the announced one that was seen                         | `regressed` |
 * |                               | else                                                                     | `new`       |
 *
 * What is handed over is numbered so that numbers never fall. An announced snapshot keeps its writer's numbers. A value that nobody announced
 * gets its moment in microseconds as the version, in the last one's epoch (0 where there was none): so all who follow it give it the same
 * number, and one of them can go on where another stopped. It is at least the version after the last one, since the clocks of its writers
 * may differ. An announced snapshot whose numbers such values have used up gets the version after the last one, too; a writer with
 * a lease comes with a higher epoch, so from its next grant on the numbers are its own again.
 */
import { crc32 } from 'node:zlib';
import { isNewer, type Snapshot } from '../../core/snapshot.js';
import { type News, NO_NEWS } from '../ports.js';
import type { Look, Meta } from './look.js';

export type At = News & { readonly at: number };

export type Verdict =
  | { readonly kind: 'nothing' | 'same' | 'new' | 'confirmed' }
  | { readonly kind: 'regressed' | 'foreign'; readonly why: string };

/** Enough to tell whether two values are the same. */
interface Content {
  readonly length: number;
  readonly checksum: number;
}

/** Versions from here on are moments in microseconds (this one is of 1973), not counted. */
export const FIRST_MOMENT = 1e14;

/** The version of a value that nobody announces. @param createdAt Unix seconds */
export function momentOf(createdAt: number): number {
  const moment = Math.round(createdAt * 1e6);
  return Number.isSafeInteger(moment) ? moment : 0;
}

const KEPT = 'what was read last is kept';

export class Position {
  /** What was handed over last, by the numbers it was handed over with. */
  have: News = NO_NEWS;
  /** The announced snapshot that was seen last, by its writer's numbers. */
  #there: At = { ...NO_NEWS, at: 0 };
  /** Of the value that was handed over last, where nobody announced it. */
  #mark: string | undefined;
  #content: Content | undefined;
  /** When what this process brought along was loaded, while it isn't known whether Redis has it, too. */
  #brought: number | undefined;

  /** The CRC32 of what was handed over last. */
  get checksum(): number {
    return this.#content?.checksum ?? 0;
  }

  get isEmpty(): boolean {
    return !isNewer(this.have, NO_NEWS);
  }

  /** What this process has from elsewhere. */
  bring({ epoch, version, createdAt, bytes }: Snapshot): void {
    this.have = { epoch, version };
    this.#content = { length: bytes.length, checksum: crc32(bytes) };
    this.#brought = createdAt;
    // A version that is a moment is none of a writer's. The time isn't taken over: it may be by another clock than Redis's.
    this.#there = { epoch, version: version < FIRST_MOMENT ? version : 0, at: 0 };
  }

  isLater(news: At): boolean {
    return isLater(news, this.#there);
  }

  judge(seen: Look): Verdict {
    if (!seen.exists) return this.isEmpty ? { kind: 'nothing' } : { kind: 'regressed', why: `Redis has lost this snapshot: ${KEPT}` };
    return seen.meta && seen.matches ? this.#judgeAnnounced(seen.meta) : this.#judgeUnannounced(seen);
  }

  /** Notes a time of what was handed over last. */
  confirmed(at: number): void {
    this.#there = { ...this.#there, at };
  }

  /** Notes what was fetched; answers whether it is to be handed over, under `have`. @param meta of an announced one */
  take(seen: Look, meta: Meta | undefined, content: Content): 'new' | 'old' | 'confirmed' {
    if (meta && !isNewer(meta, this.#there) && this.#mark === undefined) return 'old';
    const isSameContent = !meta && content.length === this.#content?.length && content.checksum === this.#content.checksum;
    this.#mark = meta ? undefined : seen.mark;
    if (isSameContent) return 'confirmed';
    this.have = this.numbersOf(seen, meta);
    this.#content = content;
    const { epoch, version, at } = meta ?? seen.meta ?? this.#there;
    this.#there = { epoch, version, at };
    return 'new';
  }

  /** What this process published itself. */
  published({ epoch, version }: News, at: number): void {
    if (isNewer({ epoch, version }, this.have)) this.have = { epoch, version };
    this.#there = { ...this.have, at };
    this.#mark = this.#content = undefined;
  }

  /** Whether what is seen was handed over last. */
  holds({ meta, matches }: Look): boolean {
    return matches && isSame(meta, this.#there) && this.#mark === undefined;
  }

  /** The numbers that what is seen would be handed over with. */
  numbersOf(seen: Look, meta: Meta | undefined): News {
    if (meta && this.holds(seen) && isSame(meta, this.#there)) return this.have;
    const { epoch, version } = meta ?? seen.meta ?? NO_NEWS;
    const isAhead = isNewer({ epoch, version }, this.have);
    if (meta && isAhead) return { epoch, version };
    const last = isAhead ? { epoch, version } : this.have;
    const moment = meta || !seen.header ? 0 : momentOf(seen.header.createdAt);
    return { epoch: last.epoch, version: Math.max(last.version + 1, moment) };
  }

  #judgeAnnounced(meta: Meta): Verdict {
    const isContent = meta.checksum === this.#content?.checksum;
    if (this.have.version >= FIRST_MOMENT && isContent && this.#isBrought(meta.at, meta.length)) {
      this.#there = { epoch: meta.epoch, version: meta.version, at: meta.at };
      return { kind: 'same' };
    }
    const { epoch, version, at } = this.#there;
    if (isNewer(meta, this.#there)) return { kind: 'new' };
    if (isNewer(this.#there, meta)) {
      const why = `Redis went back from epoch ${epoch}, version ${version} to ${meta.epoch}, ${meta.version}: ${KEPT}`;
      return { kind: 'regressed', why };
    }
    if (this.#mark !== undefined && !isContent) return { kind: 'new' };
    this.#mark = undefined;
    return { kind: meta.at > at ? 'confirmed' : 'same' };
  }

  #judgeUnannounced({ meta, header, length, mark, lease }: Look): Verdict {
    if (mark === this.#mark) return { kind: 'same' };
    // Where it doesn't begin as an entry does, fetching it says so.
    if (!header) return { kind: 'new' };
    const wasAnnounced = isNewer(this.#there, NO_NEWS);
    const at = header.createdAt * 1000;
    if (this.#isBrought(at, length)) {
      this.#mark = mark;
      return { kind: 'same' };
    }
    if (!meta && wasAnnounced && this.#mark === undefined && Math.round(at) === this.#there.at)
      return { kind: 'regressed', why: `Redis has lost the numbers of this snapshot: ${KEPT}` };
    if (meta && meta.writer !== '' && lease)
      return { kind: 'foreign', why: `Somebody overwrote this snapshot who isn't its writer: ${KEPT}` };
    if (wasAnnounced && at < this.#there.at)
      return { kind: 'regressed', why: `Redis went back to a value without numbers, older than what was read last: ${KEPT}` };
    return { kind: 'new' };
  }

  /** Asked once it is so: from then on the mark, or the numbers there, tell. */
  #isBrought(createdAt: number, length: number): boolean {
    if (this.#brought !== createdAt || this.#content?.length !== length) return false;
    this.#brought = undefined;
    return true;
  }
}

export function isLater(a: At, b: At): boolean {
  return isNewer(a, b) || (isSame(a, b) && a.at > b.at);
}

export function isSame(a: News | undefined, b: News): boolean {
  return a?.epoch === b.epoch && a.version === b.version;
}
