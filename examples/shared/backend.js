// @ts-check
/** Stands for what your application would ask: a database, and a service for feature flags. */
import { setTimeout as delay } from 'node:timers/promises';

/** @typedef {{ id: number, name: string, loadedAt: string }} User */
/** @typedef {{ darkMode: boolean, round: number }} Flags */

/** How often each was asked. */
export const asked = { users: 0, flags: 0 };

/**
 * @param {number} id
 * @returns {Promise<User>}
 */
export async function fetchUser(id) {
  asked.users += 1;
  await delay(20);
  return { id, name: `User ${id}`, loadedAt: new Date().toISOString() };
}

/** @returns {Promise<Flags>} */
export async function fetchFlags() {
  asked.flags += 1;
  await delay(20);
  return { darkMode: true, round: asked.flags };
}
