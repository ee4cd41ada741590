/**
 * What must happen all at once: constant texts, every datum by KEYS and ARGV, all keys of one slot. Times are Redis's own, in milliseconds,
 * so that no host's clock has a say.
 *
 * KEYS are always the value, its meta hash and its lease. Fields of the meta hash:
 *
 *     e  epoch of what is stored             f   for how many milliseconds it is fresh, 'inf' for ever
 *     v  its version                         at  when it was loaded, or last confirmed
 *     w  its writer; '' for one without a    c   the serializer's name
 *        lease                               n   how many bytes it has
 *     g  the last epoch that was granted     h   their CRC32, decimal
 *     d  of a sealed snapshot (`sealing.ts`), the digest of its bytes; else ''
 *     s  of a sealed snapshot, the seal of all this; else ''. The value is 32 bytes longer then, and its times are the writer's reckoning
 *
 * 1. Nobody but the holder of the lease writes, and nobody under an epoch older than the one stored or the last one granted: a writer
 *    that was paused and wakes finds another id in the lease, or a higher `g`.
 * 2. A pair `(e, v)` belongs to one content for ever: the same pair with another checksum, or from another writer, is refused; the same
 *    with the same checksum is written again, so that a write whose answer was lost can be repeated.
 * 3. The value, its meta and the announcement are one step: nobody hears of what isn't there. SET comes first: where Redis has no
 *    room it fails before anything was written.
 */
import { script, type Script } from '../../stores/redis/scripts.js';

/** Milliseconds now; a whole number as text. */
const PRELUDE = `
local function whole(x) return string.format('%.0f', x) end
local function number(x) return tonumber(x or 0) or 0 end
local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end
local m = redis.call('HMGET', KEYS[2], 'e', 'v', 'w', 'g', 'h', 'n', 'f', 'at', 's')
local e, v, w, g, at = number(m[1]), number(m[2]), m[3], number(m[4]), number(m[8])
local function header(at, f)
  local fresh = math.huge
  if f ~= 'inf' then fresh = (at + number(f)) / 1000 end
  return struct.pack('>dd', fresh, at / 1000)
end
local function intact()
  local tail = 0
  if m[9] and m[9] ~= '' then tail = 32 end
  return redis.call('STRLEN', KEYS[1]) == number(m[6]) + 16 + tail and redis.call('GETRANGE', KEYS[1], 0, 15) == header(at, m[7])
end
`;

/** Who else may write: E is the epoch and W the id of the caller, as the lines before have set them. */
const FENCE = `
local lease = redis.call('GET', KEYS[3])
local function fenced() return { 'FENCED', whole(math.max(e, g)), lease or w or '' } end
if (lease and lease ~= W) or E < e or E < g or (E == e and w and w ~= W) then return fenced() end
`;

/**
 * Stores a snapshot and announces it. ARGV: epoch, id, version, checksum, length, codec, fresh for, when it was loaded, channel, entry,
 * digest and seal, both '' for none.
 * Answers `OK` with the time it was loaded; `FENCED` with the epoch and the writer that stand against it; `VACANT` where nobody holds
 * the lease; `REPLAY` with the pair that is there.
 */
export const PUBLISH: Script = script(`${PRELUDE}
local E, W, V, H = number(ARGV[1]), ARGV[2], number(ARGV[3]), ARGV[4]
${FENCE}
if not lease then return { 'VACANT' } end
if E == e and (V < v or (V == v and H ~= m[5])) then return { 'REPLAY', whole(e), whole(v) } end
local loaded = number(ARGV[8])
if ARGV[12] == '' then
  loaded = math.min(loaded, now())
  if E == e and V == v and at > loaded then loaded = at end
end
redis.call('SET', KEYS[1], ARGV[10])
redis.call('SETRANGE', KEYS[1], 0, header(loaded, ARGV[7]))
redis.call('HSET', KEYS[2], 'e', whole(E), 'v', whole(V), 'w', W, 'g', whole(E), 'h', H, 'n', ARGV[5], 'c', ARGV[6], 'f', ARGV[7], 'at', whole(loaded), 'd', ARGV[11], 's', ARGV[12])
redis.call('PUBLISH', ARGV[9], whole(E) .. ':' .. whole(V) .. ':' .. whole(loaded))
return { 'OK', whole(loaded) }`);

/**
 * The same bytes were loaded again: a new time for what is there. ARGV: epoch, id, version, when they were, channel, and
 * where it is sealed the value's seal and the numbers', else '' for both. Answers as PUBLISH; `MISSING` where that snapshot isn't there, or not whole.
 */
export const CONFIRM: Script = script(`${PRELUDE}
local E, W, V = number(ARGV[1]), ARGV[2], number(ARGV[3])
${FENCE}
if not lease then return { 'VACANT' } end
if E ~= e or V ~= v or not intact() then return { 'MISSING' } end
local loaded = number(ARGV[4])
if ARGV[7] == '' then loaded = math.min(loaded, now()) end
if ARGV[7] ~= '' or loaded > at then
  redis.call('SETRANGE', KEYS[1], 0, header(loaded, m[7]))
  if ARGV[7] ~= '' then redis.call('SETRANGE', KEYS[1], 16 + number(m[6]), ARGV[6]) end
  redis.call('HSET', KEYS[2], 'at', whole(loaded), 's', ARGV[7])
  at = loaded
end
redis.call('PUBLISH', ARGV[5], whole(E) .. ':' .. whole(V) .. ':' .. whole(at))
return { 'OK', whole(at) }`);

/**
 * Takes the lease if nobody has it. ARGV: id, milliseconds, the highest epoch that the caller has seen, the id of one that is known to be
 * dead or ''. Answers `TAKEN` with the epoch and the time, or
 * `HELD` with the holder and for how many milliseconds still. Epochs are at least the time of the grant: those of a Redis that
 * restarted empty are higher than those it forgot.
 */
export const TAKE: Script = script(`${PRELUDE}
local lease = redis.call('GET', KEYS[3])
if lease and lease ~= ARGV[1] and lease ~= ARGV[4] then return { 'HELD', lease, redis.call('PTTL', KEYS[3]) } end
local E = math.max(math.max(e, g, number(ARGV[3])) + 1, now())
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'g', whole(E))
return { 'TAKEN', whole(E), whole(now()) }`);

/**
 * Keeps the lease, and takes it back where Redis forgot it and nobody else came. ARGV: epoch, id, milliseconds, version.
 * Answers `FENCED`, or `OK`, 1 if that version is there and whole (0 if not), and the time.
 */
export const RENEW: Script = script(`${PRELUDE}
local E, W, V = number(ARGV[1]), ARGV[2], number(ARGV[4])
${FENCE}
redis.call('SET', KEYS[3], W, 'PX', ARGV[3])
if g < E then redis.call('HSET', KEYS[2], 'g', whole(E)) end
if E == e and V == v and intact() then return { 'OK', 1, whole(now()) } end
return { 'OK', 0, whole(now()) }`);

/** Gives the lease up, and tells. ARGV: id, channel, message. */
export const RELEASE: Script = script(`
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[3])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`);

/**
 * Stores and announces what a writer without a lease has; the last one wins. ARGV: checksum, length, codec, fresh for, age in ms, channel,
 * entry. Answers `OK` with epoch, version and time, or `HELD` with the holder of the lease. Where Redis remembers nothing, the epoch is the
 * time, so that numbers rise even then.
 */
export const PUBLISH_UNFENCED: Script = script(`${PRELUDE}
local lease = redis.call('GET', KEYS[3])
if lease then return { 'HELD', lease } end
local time = now()
local loaded = math.floor(time - ARGV[5])
local E, V = math.max(e, g), 1
if E == 0 then E = time elseif E == e then V = v + 1 end
redis.call('SET', KEYS[1], ARGV[7])
redis.call('SETRANGE', KEYS[1], 0, header(loaded, ARGV[4]))
redis.call('HSET', KEYS[2], 'e', whole(E), 'v', whole(V), 'w', '', 'g', whole(E), 'h', ARGV[1], 'n', ARGV[2], 'c', ARGV[3], 'f', ARGV[4], 'at', whole(loaded), 'd', '', 's', '')
redis.call('PUBLISH', ARGV[6], whole(E) .. ':' .. whole(V) .. ':' .. whole(loaded))
return { 'OK', whole(E), whole(V), whole(loaded) }`);

/**
 * The same bytes were loaded again by a writer without a lease: a new time for what it stored, if nobody has stored anything since. ARGV:
 * epoch, version, fresh for, age in ms, channel. Answers `OK` with the time, or `MISSING`.
 */
export const CONFIRM_UNFENCED: Script = script(`${PRELUDE}
if redis.call('GET', KEYS[3]) or number(ARGV[1]) ~= e or number(ARGV[2]) ~= v or w ~= '' or not intact() then return { 'MISSING' } end
local loaded = math.floor(now() - ARGV[4])
if loaded > at then
  redis.call('SETRANGE', KEYS[1], 0, header(loaded, ARGV[3]))
  redis.call('HSET', KEYS[2], 'at', whole(loaded), 'f', ARGV[3])
  at = loaded
end
redis.call('PUBLISH', ARGV[5], whole(e) .. ':' .. whole(v) .. ':' .. whole(at))
return { 'OK', whole(at) }`);
