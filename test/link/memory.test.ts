/** What a link holds of a snapshot once it has gone on: nothing, however large it was. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import type { Snapshot } from '../../dist/core/snapshot.js';
import { leadHost } from '../../dist/link/host/lead.js';
import { SnapshotFile } from '../../dist/link/host/snapshot-file.js';
import type { Grant } from '../../dist/link/ports.js';
import { Inlet } from '../../dist/link/thread/inlet.js';
import { createRing } from '../../dist/mirror/layout.js';
import { take } from '../../dist/mirror/protocol.js';
import { collector } from '../support/collector.js';
import { scratchPlace, snapshotOf, until } from './support.js';

const LARGE = 2 * 1024 * 1024;

test('a writer keeps the numbers of what it published, and not the bytes', async (t) => {
  const collect = collector();
  const grants: Grant[] = [];
  const candidate = leadHost({
    place: scratchPlace(t),
    key: 'k',
    onSnapshot: () => undefined,
    onGranted: (grant) => grants.push(grant),
    onError: (error) => t.fail(error.message),
  });
  t.teardown(() => candidate.close());
  await until(() => grants.length === 1, 'that the role is granted');
  const published = async (): Promise<WeakRef<ArrayBufferLike>> => {
    const bytes = new Uint8Array(LARGE);
    await candidate.publish({ ...snapshotOf(grants[0]?.epoch ?? 0, 1), bytes });
    return new WeakRef(bytes.buffer);
  };
  const buffer = await published();
  await until(async () => {
    await nextTurn();
    collect();
    return buffer.deref() === undefined;
  }, 'that the bytes are let go');
  t.is(candidate.status().version, 1);
});

test('a writer that takes over keeps the snapshot before no longer than it takes to hand it on', async (t) => {
  const collect = collector();
  const place = scratchPlace(t);
  await new SnapshotFile(place, 'k').write({ ...snapshotOf(1, 7), bytes: new Uint8Array(LARGE) });
  const granted: { readonly version: number | undefined; readonly buffer: WeakRef<ArrayBufferLike> }[] = [];
  const candidate = leadHost({
    place,
    key: 'k',
    onSnapshot: () => undefined,
    onGranted: ({ last }) => granted.push({ version: last?.version, buffer: new WeakRef((last as Snapshot).bytes.buffer) }),
    onError: (error) => t.fail(error.message),
  });
  t.teardown(() => candidate.close());
  await until(async () => {
    await nextTurn();
    collect();
    return granted.length === 1 && granted[0]?.buffer.deref() === undefined;
  }, 'that the bytes are let go');
  t.is(granted[0]?.version, 7);
});

test('what comes in is in the ring, and its memory is given back at once', (t) => {
  const inlet = new Inlet('k', 'process', createRing(4 * LARGE), (error) => t.fail(error.message));
  const large = { ...snapshotOf(1, 1), bytes: new Uint8Array(LARGE).fill(7) };
  const small = { ...snapshotOf(1, 2), bytes: new Uint8Array(1000).fill(8) };
  inlet.own(4 * LARGE);
  inlet.takeIn(large);
  const taken = take(inlet.ring, LARGE);
  t.deepEqual('bytes' in taken && [taken.bytes.length, taken.bytes[0], taken.bytes.at(-1)], [LARGE, 7, 7]);
  // `transfer` came with Node 22.
  t.is(large.bytes.byteLength, 'transfer' in ArrayBuffer.prototype ? 0 : LARGE);
  const late = { ...large, bytes: new Uint8Array(LARGE) };
  inlet.takeIn(late);
  t.is(late.bytes.byteLength, large.bytes.byteLength, 'as well where it is no news');
  inlet.takeIn(small);
  t.is(small.bytes.byteLength, 1000);
  inlet.end();
});
