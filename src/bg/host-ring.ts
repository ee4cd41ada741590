import { systemClock } from '../core/clock.js';
import { type OnError, report } from '../core/report.js';
import { discard } from '../core/snapshot.js';
import { defaultNamespace } from '../link/host/namespace.js';
import { hostPlace } from '../link/host/place.js';
import { SnapshotFile } from '../link/host/snapshot-file.js';
import { aliasTarget } from '../link/thread/alias.js';
import { claim, createRing, disown, type Ring, writeHealth } from '../mirror/layout.js';
import { publish } from '../mirror/protocol.js';
import { threadId } from 'node:worker_threads';
import { currentSettings } from './settings.js';

/** Which files and sockets the keys of this process have. */
export function placeSettings(): { namespace: string; directory: string | undefined } {
  const { namespace, directory } = currentSettings();
  return { namespace: namespace ?? defaultNamespace(), directory };
}

export interface ColdRing {
  readonly ring: Ring;
  readonly target: string | undefined;
}

/**
 * A ring for a key of the host, or for a fleet's value by its name, with the snapshot that the last writer left, if there is one: a process that restarts
 * serves it at once. Or, where the value of the key is a fleet's, the name of that. It reads the file here and now; it is called when a
 * mirror or writer is made, never by a read.
 */
export function coldRing(key: string, scope: 'host' | 'fleet', maxBytes: number, onError: OnError | undefined): ColdRing {
  let target: string | undefined;
  const ring = createRing(maxBytes, { scope });
  try {
    const { namespace, directory } = placeSettings();
    const place = hostPlace({ namespace, ...(directory === undefined ? {} : { directory }) });
    const last = new SnapshotFile(place, key, { maxBytes }).readSync();
    target = last && aliasTarget(last);
    if (last && target === undefined) {
      claim(ring, threadId);
      publish(ring, last);
      discard(last);
      writeHealth(ring, { state: 'interrupted' }, systemClock.monotonic());
      disown(ring, threadId);
    }
  } catch (error) {
    report(error, onError, `the last snapshot of '${key}'`);
  }
  return { ring, target };
}
