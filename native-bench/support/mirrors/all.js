// @ts-check
import { disk } from './disk.js';
import { messages } from './messages.js';
import { ours } from './ours.js';
import { redis } from './redis.js';

/** With the file that has each, so that a run loads no more than its own: what the others import would count as its memory. */
export const strategies = Object.entries({ ours, messages, redis, disk }).flatMap(([name, of]) =>
  of.map((strategy) => ({ ...strategy, file: `./${name}.js` })),
);
