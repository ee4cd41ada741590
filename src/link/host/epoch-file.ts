/** The last epoch that was granted for a key: epochs rise even when a writer dies before it published anything. */
import { crc32 } from 'node:zlib';
import { WireFormatError } from '../../core/errors.js';
import { readOwned } from '../../files/owned.js';
import type { HostPlace } from './place.js';
import { replaceIn } from './snapshot-file.js';

const PATTERN = /^(\d{1,16}) ([0-9a-f]{8})\n$/;

export class EpochFile {
  readonly path: string;
  readonly #place: HostPlace;

  constructor(place: HostPlace, key: string) {
    this.#place = place;
    this.path = `${place.path(key)}.epoch`;
  }

  /** 0 where none was granted yet. */
  async read(): Promise<number> {
    const file = await readOwned(this.path, 64);
    if (!file) return 0;
    const match = PATTERN.exec(file.bytes.toString('latin1'));
    const epoch = Number(match?.[1]);
    if (!Number.isSafeInteger(epoch) || match?.[2] !== sum(epoch)) throw new WireFormatError(`${this.path} doesn't hold an epoch`);
    return epoch;
  }

  async write(epoch: number): Promise<void> {
    await replaceIn(this.#place, this.path, [Buffer.from(`${epoch} ${sum(epoch)}\n`)]);
  }
}

function sum(epoch: number): string {
  return crc32(String(epoch)).toString(16).padStart(8, '0');
}
