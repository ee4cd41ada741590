/**
 * Which slot of a Redis Cluster a key belongs to: CRC-16 (XMODEM) modulo 16384, of the part in the first braces where there is one.
 *
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
 */
const SLOTS = 16_384;
const POLYNOMIAL = 0x1021;

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
  return crc;
});

export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashedPart(key))) crc = ((crc << 8) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] as number)) & 0xffff;
  return crc % SLOTS;
}

/** The part of a key that decides its slot. */
export function hashedPart(key: string): string {
  const from = key.indexOf('{');
  if (from < 0) return key;
  const to = key.indexOf('}', from + 1);
  return to > from + 1 ? key.slice(from + 1, to) : key;
}
