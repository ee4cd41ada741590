import { createHash } from 'node:crypto';

/** 16 hexadecimal digits that are the same for the same text, everywhere. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
