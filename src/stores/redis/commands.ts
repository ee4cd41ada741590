/** What a store asks Redis for its entries: one command each, for many keys in a pipeline. */
import type { BatchCommand } from './batches.js';
import type { RedisClient } from './client.js';

/** An entry on its way: what is written, and for how long Redis is to hold it (milliseconds, `Infinity` for ever). */
export interface Outgoing {
  readonly name: string;
  readonly bytes: Buffer;
  readonly life: number;
}

/** Longer than this Redis needn't be told to forget: 30,000 years. */
export const LONGEST: number = 1e15;

export const GET: BatchCommand<string> = {
  keyOf: (name) => name,
  queue: (pipeline, name) => pipeline.getBuffer(name),
  alone: (client, name) => client.getBuffer(name),
};

export const SET: BatchCommand<Outgoing> = {
  keyOf: ({ name }) => name,
  queue: (pipeline, { name, bytes, life }) => (life > LONGEST ? pipeline.set(name, bytes) : pipeline.set(name, bytes, 'PX', life)),
  alone: (client, outgoing) => write(client, outgoing),
};

export const UNLINK: BatchCommand<string> = {
  keyOf: (name) => name,
  queue: (pipeline, name) => pipeline.unlink(name),
  alone: (client, name) => client.unlink(name),
};

/** Rounded up: Redis must not drop what is fresh. */
export function lifeOf(seconds: number): number {
  return Math.ceil(seconds * 1000);
}

export function write(client: RedisClient, { name, bytes, life }: Outgoing): Promise<unknown> {
  return life > LONGEST ? client.set(name, bytes) : client.set(name, bytes, 'PX', life);
}
