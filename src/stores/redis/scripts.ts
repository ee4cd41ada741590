/** Constant texts; every datum goes through KEYS and ARGV. The keys of each are of one slot, so that they run in a Cluster. */
import { createHash } from 'node:crypto';
import type { RedisClient } from './client.js';
import { kindOf } from './replies.js';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

export const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') });

/** For an entry that expires never, where the scripts below take milliseconds. */
export const NEVER = '';

/** What the key's first bytes are called for `REPLACE` where it holds no string. No header is as short. */
export const NO_STRING = 'none';

/**
 * Sets the key if it still begins with the header that was seen, or has gone since.
 * KEYS[1]; ARGV: the header seen, the new entry, for how many milliseconds. Answers 1 or 0.
 */
export const REPLACE: Script = script(`
local head = redis.pcall('GETRANGE', KEYS[1], 0, 15)
if type(head) == 'table' then head = '${NO_STRING}' end
if head ~= ARGV[1] and head ~= '' then return 0 end
if ARGV[3] == '${NEVER}' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`);

/**
 * Gives the value a new header, a new seal and a new life, if it is still the one with this SHA-1.
 * KEYS[1]; ARGV: the SHA-1 of the payload, the new header, for how many milliseconds, the new seal or ''. Answers 1 or 0.
 */
export const PROLONG: Script = script(`
local value = redis.pcall('GETRANGE', KEYS[1], 16, -1 - #ARGV[4])
if type(value) == 'table' or redis.sha1hex(value) ~= ARGV[1] then return 0 end
redis.call('SETRANGE', KEYS[1], 0, ARGV[2])
if ARGV[4] ~= '' then redis.call('SETRANGE', KEYS[1], 16 + #value, ARGV[4]) end
if ARGV[3] == '${NEVER}' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1`);

/** What runs scripts. */
export type ScriptRunner = Pick<RedisClient, 'eval' | 'evalsha'>;

/**
 * One round trip where the server knows the script. In a Cluster all `keys` are of one slot.
 *
 * @param args made anew for each try, since some say how much time has passed
 */
export async function run(
  { text, sha }: Script,
  client: ScriptRunner,
  keys: readonly string[],
  args: () => readonly (string | Buffer | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args());
  } catch (error) {
    if (!(error instanceof Error) || kindOf(error) !== 'NOSCRIPT') throw error;
    return client.eval(text, keys.length, ...keys, ...args());
  }
}
