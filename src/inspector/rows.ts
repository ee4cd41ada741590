/** What the page shows, as rows that it can be sent the changes of. */

import type { Pace } from './pace.js';

export interface Row {
  readonly id: string;
  readonly kind: 'value' | 'function' | 'thread' | 'error';
}

/** Removals that are remembered. Who has missed more gets everything anew. */
const REMEMBERED = 20_000;

export interface Changes {
  /** Rows as JSON. */
  readonly rows: string[];
  readonly removed: string[];
  /** What to ask from next. */
  readonly revision: number;
  /** Whether that is all there is. */
  readonly isComplete: boolean;
}

/** Each change of a row gets the next revision. Nothing is kept for whoever asks: they say which revision they have. */
export class Rows {
  /** In the order of their revisions, since a row that changes goes to the end. */
  readonly #rows = new Map<string, { readonly revision: number; readonly json: string }>();
  readonly #removed = new Map<string, number>();
  #revision = 0;
  #forgotten = 0;

  get size(): number {
    return this.#rows.size;
  }

  /** Puts these rows in the place of all there were. */
  async replace(rows: readonly Row[], pace: Pace): Promise<void> {
    const seen = new Set<string>();
    for (const row of rows) {
      if (pace.isDue()) await pace.rest();
      seen.add(row.id);
      const json = JSON.stringify(row);
      if (this.#rows.get(row.id)?.json === json) continue;
      this.#rows.delete(row.id);
      this.#removed.delete(row.id);
      this.#rows.set(row.id, { revision: ++this.#revision, json });
    }
    if (seen.size === this.#rows.size) return;
    for (const id of this.#rows.keys()) {
      if (seen.has(id)) continue;
      this.#rows.delete(id);
      this.#removed.delete(id);
      this.#removed.set(id, ++this.#revision);
    }
    for (const [id, revision] of this.#removed) {
      if (this.#removed.size <= REMEMBERED) break;
      this.#removed.delete(id);
      this.#forgotten = revision;
    }
  }

  /** Whether `changes` can bring somebody who has this revision up to date; if not they begin anew, from 0. */
  reaches(revision: number): boolean {
    return revision === 0 || revision >= this.#forgotten;
  }

  /** At most `most` rows; what was removed comes with the last of them. */
  changes(since: number, most: number): Changes {
    const rows: string[] = [];
    let revision = since;
    let isComplete = true;
    for (const row of this.#rows.values()) {
      if (row.revision <= since) continue;
      if (rows.length === most) {
        isComplete = false;
        break;
      }
      rows.push(row.json);
      revision = row.revision;
    }
    if (!isComplete) return { rows, removed: [], revision, isComplete };
    const removed = since === 0 ? [] : [...this.#removed].filter(([, at]) => at > since).map(([id]) => id);
    return { rows, removed, revision: this.#revision, isComplete };
  }
}
