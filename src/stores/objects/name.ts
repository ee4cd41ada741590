import { createHash } from 'node:crypto';
import { refuse } from '../../core/options.js';

/** Both providers take names of up to 1,024 bytes; the rest is room for what is put beside them. */
const MAX_NAME_BYTES = 900;
const MAX_PREFIX_BYTES = 500;

/** Left as they are, since names are read by people; every provider takes them. */
const PLAIN = /%(?:3A|40|2C)/g;

/**
 * The object's name of a key: `user:42` stays as it is, and what isn't safe in a name or a URL is percent-encoded.
 *
 * No two keys share a name:
 * 1. A name that isn't hashed gives its key back by percent-decoding, whichever way each `/` and `.` was written.
 * 2. A hashed one has a `=`, which is encoded in all others, and ends with the SHA-256 of the whole key.
 *
 * Slashes stay, so that a bucket's folders are those of the keys; one that would make an empty segment is encoded, and so are the
 * segments `.` and `..`: URLs lose them on their way.
 */
export function objectName(prefix: string, key: string): string {
  const encoded = encodeURIComponent(key)
    .replace(PLAIN, decodeURIComponent)
    .replace(/(?<!^|%2F)%2F(?!$|%2F)/g, '/')
    .replace(/(?<=^|\/)\.{1,2}(?=$|\/)/g, (dots) => dots.replaceAll('.', '%2E'));
  const room = MAX_NAME_BYTES - Buffer.byteLength(prefix);
  if (encoded.length <= room) return prefix + encoded;
  const hash = createHash('sha256').update(key).digest('hex');
  return `${prefix}${encoded.slice(0, room - hash.length - 1)}=${hash}`;
}

/** @throws TypeError or RangeError for a prefix that no object's name can begin with as it is */
export function checkPrefix(prefix: unknown): asserts prefix is string {
  if (typeof prefix !== 'string') refuse('prefix', 'a string', prefix);
  const bytes = Buffer.byteLength(prefix);
  if (bytes > MAX_PREFIX_BYTES) throw new RangeError(`Expected \`prefix\` to be at most ${MAX_PREFIX_BYTES} bytes of UTF-8, got ${bytes}`);
  // A URL on its way to the server would lose these.
  if (/(^|\/)\.{0,2}\//.test(prefix) || /[\p{Cc}\p{Cs}]/u.test(prefix)) {
    refuse('prefix', 'a string without empty, `.` or `..` segments and without control characters', prefix);
  }
}
