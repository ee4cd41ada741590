// @ts-check
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export const USAGE = `Options, or the environment variables that do the same:
  --seconds N   DEMO_SECONDS   end after so many seconds; without it, at Ctrl-C
  --workers N   DEMO_WORKERS   cluster workers; default: one for each core
  --port N      PORT           default 3000, or the next free one; 0: any free one
  --host H      HOST           default 127.0.0.1; 0.0.0.0 lets your phone see the page, and everybody else on your network
  --kill        DEMO_KILL=1    another process writes first, and is killed (SIGKILL): the primary takes over
  --json        DEMO_JSON=1    print the summary as one line of JSON too`;

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {number | undefined} seconds
 * @property {number} workers
 * @property {number | undefined} port
 * @property {string} host
 * @property {boolean} kill
 * @property {boolean} json
 */

/** @returns {Options | string} or what is wrong */
export function readOptions() {
  const { env } = process;
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', default: false },
        seconds: { type: 'string', default: env['DEMO_SECONDS'] ?? '' },
        workers: { type: 'string', default: env['DEMO_WORKERS'] ?? '' },
        port: { type: 'string', default: env['PORT'] ?? '' },
        host: { type: 'string', default: env['HOST'] || '127.0.0.1' },
        kill: { type: 'boolean', default: isOn(env['DEMO_KILL']) },
        json: { type: 'boolean', default: isOn(env['DEMO_JSON']) },
      },
    });
    const { help, host, kill, json } = values;
    return {
      help,
      seconds: number('seconds', values.seconds, 1, 86_400),
      workers: number('workers', values.workers, 1, 256) ?? availableParallelism(),
      port: number('port', values.port, 0, 65_535),
      host,
      kill,
      json,
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @param {string | undefined} text */
const isOn = (text) => text !== undefined && text !== '' && text !== '0';

/**
 * @param {string} name
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function number(name, text, least, most) {
  if (text === '') return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`Expected ${name} to be a whole number from ${least} to ${most}, got '${text}'`);
}
