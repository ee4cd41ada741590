import { type RedisClient, type RedisPipeline, clusterParts } from './client.js';
import { isElsewhere } from './replies.js';
import { slotOf } from './slots.js';

/** Commands in one pipeline: enough that the round trip is no cost, few enough that one deadline does for all. */
const BATCH = 1000;

/** One command for one item, in a pipeline and alone. */
export interface BatchCommand<T> {
  readonly keyOf: (item: T) => string;
  readonly queue: (pipeline: RedisPipeline, item: T) => void;
  readonly alone: (client: RedisClient, item: T) => Promise<unknown>;
}

/**
 * Runs the command for each item, in one pipeline for each node and each thousand. Answers each item's result or error, in order of nodes.
 * In a Cluster whose slots are moving, what a node no longer has is asked again alone, since then the client follows it.
 */
export async function runBatch<T>(
  client: RedisClient,
  items: readonly T[],
  command: BatchCommand<T>,
): Promise<[item: T, result: unknown][]> {
  const groups = await Promise.all(groupByNode(client, items, command.keyOf).map((group) => runGroup(client, group, command)));
  return groups.flat();
}

async function runGroup<T>(client: RedisClient, items: readonly T[], command: BatchCommand<T>): Promise<[item: T, result: unknown][]> {
  const pipeline = client.pipeline();
  for (const item of items) command.queue(pipeline, item);
  const replies = (await pipeline.exec()) ?? [];
  return Promise.all(
    items.map(async (item, i): Promise<[T, unknown]> => {
      const [error, result] = replies[i] ?? [new Error('No reply'), undefined];
      if (!error) return [item, result];
      if (!isElsewhere(error)) return [item, error];
      try {
        return [item, await command.alone(client, item)];
      } catch (thrown) {
        return [item, thrown];
      }
    }),
  );
}

/** Groups of at most `BATCH` items whose keys one node serves. */
function groupByNode<T>(client: RedisClient, items: readonly T[], keyOf: (item: T) => string): T[][] {
  const slots = clusterParts(client)?.slots;
  const full: T[][] = [];
  const byNode = new Map<string, T[]>();
  for (const item of items) {
    const slot = slots ? slotOf(keyOf(item)) : 0;
    // A slot whose node isn't known yet makes a group of its own: ioredis takes a pipeline to one node only.
    const node = slots?.[slot]?.join() ?? `slot ${slot}`;
    let group = byNode.get(node);
    if (!group || group.length === BATCH) {
      group = [];
      full.push(group);
      byNode.set(node, group);
    }
    group.push(item);
  }
  return full;
}
