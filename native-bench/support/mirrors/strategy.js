// @ts-check
/** What all ways of getting a refreshed value to its readers have in common. */

/**
 * @typedef {import('./value.js').Value} Value
 * @typedef {'threads' | 'processes'} Kind
 * @typedef {import('node:worker_threads').Worker | import('node:child_process').ChildProcess} Peer
 *
 * @typedef {object} Place
 * @property {Kind} kind
 * @property {string} directory of this run alone
 * @property {string | undefined} redis its socket
 * @property {number} period milliseconds: how often the value is refreshed, and how often a reader that polls looks
 *
 * @typedef {Place & { peers: readonly Peer[] }} WriterPlace `peers` grows while it runs
 * @typedef {Place & { seen: (value: Value) => void, received: (listener: (value: Value) => void) => void }} ReaderPlace
 * `seen` is told each new value; `received` gives what came as a message from the writer
 *
 * @typedef {{ publish: (value: Value) => unknown, stop: () => unknown }} Writer
 * @typedef {{ read: () => unknown, record?: (i: number) => unknown, stop: () => unknown }} Reader `record`: one of its items, where the value as a whole is not decoded
 *
 * @typedef {object} Strategy
 * @property {string} name
 * @property {readonly Kind[]} kinds
 * @property {boolean} [ours]
 * @property {'redis'} [needs]
 * @property {() => string | undefined} [missing] why it can't run here
 * @property {(place: WriterPlace) => Writer | Promise<Writer>} writer
 * @property {(place: ReaderPlace) => Reader | Promise<Reader>} reader
 */

export const nothing = () => {};

/** Readers that do nothing: what a bare thread or process costs, which is taken off the others. @type {Strategy} */
export const none = {
  name: 'none',
  kinds: ['threads', 'processes'],
  writer: () => ({ publish: nothing, stop: nothing }),
  reader: () => ({ read: nothing, stop: nothing }),
};

/** For `none`: what the others have in their files. */
export const baseline = [none];

/** @param {string} file @param {string} name @returns {Promise<Strategy>} */
export async function loadStrategy(file, name) {
  /** @type {readonly (readonly Strategy[])[]} */
  const lists = Object.values(await import(file)).filter(Array.isArray);
  const found = lists.flat().find((strategy) => strategy.name === name);
  if (!found) throw new Error(`No strategy of ${file} is called ${name}`);
  return found;
}
