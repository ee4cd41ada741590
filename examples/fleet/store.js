// @ts-check
import { RedisCache } from 'advanced-caching';
import { Redis } from 'ioredis';

const client = new Redis({
  port: Number(process.env['REDIS_PORT']),
  // A command for a dead connection is worth nothing when the connection is back.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: (/** @type {number} */ times) => Math.min(times * 50, 500),
});
// The library says itself what it can't do; this would be told besides.
client.on('error', () => {});

export const store = new RedisCache(client, { prefix: 'shop:' });
export const closeStore = () => client.disconnect();
