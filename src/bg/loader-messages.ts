import type { PackedError } from '../core/packed-error.js';
import type { SnapshotMeta } from '../core/snapshot.js';
import type { RepeaterStatus } from '../scheduler/repeater.js';
import type { SerializerName } from '../serializers/resolve.js';
import type { WriterPlan } from './plan.js';
import type { Lead } from './ring-writer.js';

/** What a registration asks of the dedicated thread. `id` is the registration's; `call` is answered by a `done`. */
export type ToLoaderThread =
  | {
      readonly type: 'add';
      readonly id: number;
      readonly plan: WriterPlan;
      readonly href: string;
      readonly serializer: SerializerName | undefined;
      readonly buffer: SharedArrayBuffer;
    }
  | { readonly type: 'lead'; readonly id: number; readonly lead: Lead }
  | { readonly type: 'stand-by'; readonly id: number }
  | { readonly type: 'refresh'; readonly id: number; readonly call: number }
  | { readonly type: 'stop'; readonly id: number; readonly call: number; readonly abort: boolean };

export type FromLoaderThread =
  | { readonly type: 'started'; readonly id: number }
  | {
      readonly type: 'published';
      readonly id: number;
      readonly meta: SnapshotMeta;
      readonly durationMs: number;
      readonly schedule: RepeaterStatus | undefined;
    }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly error: PackedError;
      /** This thread can never load the module: Node keeps the error of one that failed while it was evaluated. */
      readonly stuck: boolean;
      readonly durationMs: number;
      readonly schedule: RepeaterStatus | undefined;
    }
  | { readonly type: 'done'; readonly call: number; readonly error?: PackedError };
