/**
 * Whether bytes are one value of plain MessagePack, found out without making anything of them. A decoder believes the counts it reads: five
 * bytes that announce 30 million elements cost it 240 MB, and nested a few times the process. msgpackr also has extensions of its
 * own (records, references, regular expressions) that foreign bytes have no business to use.
 *
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */
import { SerializationError } from '../core/errors.js';

/** Deeper nesting would end in a stack overflow somewhere in the decoder. */
const MAX_DEPTH = 1000;

/** The extension of the specification, and msgpackr's word for `undefined`. */
const TIMESTAMP = -1;
const UNDEFINED = 0;

/** @throws SerializationError for bytes that aren't exactly one value */
export function checkPlainMessagePack(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength;
  /** How many values are still to come in each of the containers that are open. */
  const open: number[] = [1];
  let at = 0;

  const take = (count: number): number => {
    const from = at;
    at += count;
    if (at > end) refuse(end, 'they end too early');
    return from;
  };
  const enter = (count: number): void => {
    // Each value takes a byte at least.
    if (count > end - at) refuse(end, 'they announce more than there is');
    if (open.length >= MAX_DEPTH) refuse(end, 'they are nested too deep');
    if (count > 0) open.push(count);
  };
  const extension = (length: number): void => {
    const type = view.getInt8(take(1));
    if (type !== TIMESTAMP && type !== UNDEFINED) refuse(end, `they use the extension ${type}`);
    take(length);
  };

  while (open.length > 0) {
    const left = open[open.length - 1] as number;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1] = left - 1;
    const head = view.getUint8(take(1));
    if (head < 0x80 || head >= 0xe0) continue;
    if (head < 0x90) enter((head & 0x0f) * 2);
    else if (head < 0xa0) enter(head & 0x0f);
    else if (head < 0xc0) take(head & 0x1f);
    else {
      switch (head) {
        case 0xc0: // nil
        case 0xc2: // false
        case 0xc3: // true
          break;
        case 0xc4: // bin 8
        case 0xd9: // str 8
          take(view.getUint8(take(1)));
          break;
        case 0xc5: // bin 16
        case 0xda: // str 16
          take(view.getUint16(take(2)));
          break;
        case 0xc6: // bin 32
        case 0xdb: // str 32
          take(view.getUint32(take(4)));
          break;
        case 0xc7: // ext 8
          extension(view.getUint8(take(1)));
          break;
        case 0xc8: // ext 16
          extension(view.getUint16(take(2)));
          break;
        case 0xc9: // ext 32
          extension(view.getUint32(take(4)));
          break;
        case 0xcc: // uint 8
        case 0xd0: // int 8
          take(1);
          break;
        case 0xcd: // uint 16
        case 0xd1: // int 16
          take(2);
          break;
        case 0xca: // float 32
        case 0xce: // uint 32
        case 0xd2: // int 32
          take(4);
          break;
        case 0xcb: // float 64
        case 0xcf: // uint 64
        case 0xd3: // int 64
          take(8);
          break;
        case 0xd4: // fixext 1, 2, 4, 8, 16
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
          extension(1 << (head - 0xd4));
          break;
        case 0xdc: // array 16
          enter(view.getUint16(take(2)));
          break;
        case 0xdd: // array 32
          enter(view.getUint32(take(4)));
          break;
        case 0xde: // map 16
          enter(view.getUint16(take(2)) * 2);
          break;
        case 0xdf: // map 32
          enter(view.getUint32(take(4)) * 2);
          break;
        default:
          refuse(end, 'they use the byte 0xc1');
      }
    }
  }
  if (at !== end) refuse(end, 'something follows the value');
}

function refuse(size: number, reason: string): never {
  throw new SerializationError(`These ${size} bytes are not plain MessagePack: ${reason}`);
}
