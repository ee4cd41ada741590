/**
 * The dedicated worker thread: runs the loaders that were given as modules, with their schedules. A loader that blocks
 * blocks this thread and no event loop of the application. It publishes into the rings itself.
 */
import { systemClock } from '../core/clock.js';
import { packError } from '../core/packed-error.js';
import { toError } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import { openRing } from '../mirror/layout.js';
import { loadModule } from '../scheduler/load-module.js';
import { serveThread } from '../scheduler/thread-side.js';
import { postToOwner } from '../scheduler/thread-side.js';
import { resolveSerializer, type SerializerOption } from '../serializers/resolve.js';
import type { FromLoaderThread, ToLoaderThread } from './loader-messages.js';
import { RingWriter, type Validate } from './ring-writer.js';

const writers = new Map<number, RingWriter<unknown>>();

serveThread({
  onMessage: (message) => handle(message as ToLoaderThread),
  onStop: async () => {
    await Promise.all([...writers.values()].map((writer) => writer.stop({ abort: true })));
  },
});

function tell(message: FromLoaderThread): void {
  postToOwner(message);
}

async function handle(message: ToLoaderThread): Promise<void> {
  switch (message.type) {
    case 'add':
      writers.set(message.id, makeWriter(message));
      return;
    case 'lead':
      writers.get(message.id)?.lead(message.lead);
      return;
    case 'stand-by':
      writers.get(message.id)?.standBy();
      return;
    case 'refresh':
      await answer(message.call, writers.get(message.id)?.refresh());
      return;
    case 'stop': {
      const writer = writers.get(message.id);
      writers.delete(message.id);
      await answer(message.call, writer?.stop({ abort: message.abort }));
      return;
    }
    default:
      throw new TypeError(`Unknown message ${(message as { type: unknown }).type}`);
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
  // The module is imported at its first run, so that a module that fails is a failed refresh: reported, and retried.
  const parts = lazy(() => loadModule(href));
  let own: Serializer | undefined;
  const writer = new RingWriter<unknown>(
    openRing(buffer),
    plan,
    {
      clock: systemClock,
      loader: async (context) => {
        const module = await parts();
        own = module.exports['serializer'] === undefined ? undefined : resolveSerializer(module.exports['serializer'] as SerializerOption);
        return module.loader(context);
      },
      serializer: {
        get name() {
          return (own ?? resolveSerializer(serializer as SerializerOption | undefined)).name ?? '';
        },
        dumps: (value) => (own ?? resolveSerializer(serializer as SerializerOption | undefined)).dumps(value),
        loads: (bytes) => (own ?? resolveSerializer(serializer as SerializerOption | undefined)).loads(bytes),
      },
      validate: async (next, previous) => {
        const validate = (await parts()).exports['validate'];
        return typeof validate === 'function' ? (validate as Validate<unknown>)(next, previous) : true;
      },
    },
    {
      onPublished: (meta, durationMs) => tell({ type: 'published', id, meta, durationMs, schedule: writer.schedule() }),
      onFailed: (error, durationMs) => tell({ type: 'failed', id, error: packError(error), durationMs, schedule: writer.schedule() }),
    },
  );
  return writer;
}

function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
