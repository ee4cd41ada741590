import type { RemoteCalls } from '../remote/calls.js';
import { type RedisClient, type RedisNode, nodesOf } from './client.js';
import { isElsewhere } from './replies.js';

/** Keys that one SCAN looks at and one pipeline unlinks: Redis serves others in between, after about a millisecond at the most. */
const STEP = 500;

/**
 * Deletes every key that begins with `prefix`, on every node. SCAN finds each key that is there from the beginning to the end; what others write
 * meanwhile may stay.
 */
export async function sweep(client: RedisClient, prefix: string, calls: RemoteCalls): Promise<void> {
  await Promise.all(nodesOf(client).map((node) => sweepNode(client, node, prefix, calls)));
}

async function sweepNode(client: RedisClient, node: RedisNode, prefix: string, calls: RemoteCalls): Promise<void> {
  const pattern = `${escapeGlob(prefix)}*`;
  let cursor = '0';
  do {
    const from = cursor;
    const [next, found] = await calls.write('clear', () => node.scan(from, 'MATCH', pattern, 'COUNT', STEP));
    // Not only the pattern's word for it: what is deleted is gone.
    const keys = found.filter((key) => key.startsWith(prefix));
    for (let i = 0; i < keys.length; i += STEP) {
      await calls.write('clear', () => unlinkAll(client, node, keys.slice(i, i + STEP)));
    }
    cursor = next;
  } while (cursor !== '0');
}

/** One command for each key, since the keys of one node of a Cluster are of many slots. */
async function unlinkAll(client: RedisClient, node: RedisNode, keys: readonly string[]): Promise<void> {
  const pipeline = node.pipeline();
  for (const key of keys) pipeline.unlink(key);
  const replies = (await pipeline.exec()) ?? [];
  await Promise.all(
    replies.map(async ([error], i) => {
      if (!error) return;
      if (!isElsewhere(error)) throw error;
      await client.unlink(keys[i] as string);
    }),
  );
}

/** In a pattern of Redis `\ * ? [ ]` mean something; the prefix is to be taken by the letter. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}
