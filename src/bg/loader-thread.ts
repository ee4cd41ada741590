/**
 * The dedicated worker thread: runs the loaders that were given as modules, with their schedules. A loader that blocks
 * blocks this thread and no event loop of the application. It publishes into the rings itself.
 */
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../core/clock.js';
import { ProtocolError } from '../core/errors.js';
import { checkFunction } from '../core/options.js';
import { packError } from '../core/packed-error.js';
import { toError } from '../core/report.js';
import { openRing } from '../mirror/layout.js';
import { loadLoader } from '../scheduler/load-module.js';
import { serveThread } from '../scheduler/thread-side.js';
import { resolveSerializer, type SerializerOption } from '../serializers/resolve.js';
import type { FromLoaderThread, ToLoaderThread } from './loader-messages.js';
import type { Validate, Work } from './plan.js';
import { RingWriter } from './ring-writer.js';

const writers = new Map<number, RingWriter<unknown>>();

serveThread({
  onMessage: (message) => handle(message as ToLoaderThread),
  onStop: async () => {
    await Promise.all([...writers.values()].map((writer) => writer.stop({ abort: true })));
  },
});

function tell(message: FromLoaderThread): void {
  parentPort?.postMessage(message);
}

async function handle(message: ToLoaderThread): Promise<void> {
  switch (message.type) {
    case 'add':
      writers.set(message.id, makeWriter(message));
      return;
    case 'lead':
      try {
        writers.get(message.id)?.lead(message.lead);
      } catch (thrown) {
        tell({ type: 'failed', id: message.id, error: packError(toError(thrown)), stuck: false, durationMs: 0, schedule: undefined });
      }
      return;
    case 'stand-by':
      writers.get(message.id)?.standBy();
      return;
    case 'refresh':
      await answer(message.call, writers.get(message.id)?.refresh());
      return;
    case 'stop': {
      // Known until it has stopped: a stop that waits may be followed by one that aborts.
      await answer(message.call, writers.get(message.id)?.stop({ abort: message.abort }));
      writers.delete(message.id);
      return;
    }
    default:
      throw new ProtocolError(`The owner of the dedicated thread said '${String((message as { type: unknown }).type)}'`);
  }
}

async function answer(call: number, work: Promise<void> | undefined): Promise<void> {
  try {
    await work;
    tell({ type: 'done', call });
  } catch (thrown) {
    tell({ type: 'done', call, error: packError(toError(thrown)) });
  }
}

function makeWriter({ id, plan, href, serializer, buffer }: Extract<ToLoaderThread, { type: 'add' }>): RingWriter<unknown> {
  let work: Promise<Work<unknown>> | undefined;
  let importError: unknown;
  let stuck = false;
  const writer = new RingWriter<unknown>(
    openRing(buffer),
    plan,
    () => {
      // Imported at the first run, so that a module that fails is a failed refresh: reported, and tried again.
      work ??= loadWork(href, serializer).catch((error: unknown) => {
        work = undefined;
        // The same object again: Node gave what it kept, and would for ever.
        stuck = error === importError;
        importError = error;
        throw error;
      });
      return work;
    },
    {
      onStarted: () => tell({ type: 'started', id }),
      onPublished: (meta, durationMs) => tell({ type: 'published', id, meta, durationMs, schedule: writer.schedule() }),
      onFailed: (error, durationMs) =>
        tell({ type: 'failed', id, error: packError(error), stuck, durationMs, schedule: writer.schedule() }),
    },
    systemClock,
  );
  return writer;
}

/** The module may export `validate` and `serializer` beside the loader: functions of the registration can't cross threads. */
async function loadWork(href: string, serializer: SerializerOption | undefined): Promise<Work<unknown>> {
  const { loader, exports } = await loadLoader(href);
  const { validate, serializer: own } = exports;
  checkFunction(`the export validate of ${href}`, validate);
  return {
    loader,
    serializer: resolveSerializer((own ?? serializer) as SerializerOption | undefined),
    validate: validate as Validate<unknown> | undefined,
  };
}
