// @ts-check
/** Runs an application until Ctrl-C or, with DEMO_SECONDS, asks it everything that it answers, and stops it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { asked } from './backend.js';

/**
 * @param {object} app
 * @param {(port: number) => Promise<string>} app.start listens, and answers the address
 * @param {() => Promise<void>} app.stop
 */
export async function run({ start, stop }) {
  const address = await start(Number(process.env['PORT'] ?? 3000));
  console.log(`${address}/users/7  ${address}/flags  ${address}/metrics  ${address}/ready  ${address}/inspector`);
  if (process.env['DEMO_SECONDS'] === undefined) {
    console.log('Ctrl-C ends it');
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  } else {
    await check(address);
  }
  await stop();
  console.log('stopped');
}

/** @param {string} address */
async function check(address) {
  const get = async (/** @type {string} */ path) => {
    const response = await fetch(address + path, { headers: { connection: 'close' } });
    return { status: response.status, text: await response.text() };
  };
  const json = async (/** @type {string} */ path) => JSON.parse((await get(path)).text);

  const before = asked.users;
  const users = await Promise.all(Array.from({ length: 50 }, () => json('/users/7')));
  assert.deepEqual(new Set(users.map(({ name }) => name)), new Set(['User 7']));
  assert.equal(asked.users - before, 1, 'fifty requests, one query');
  assert.equal((await get('/users/seven')).status, 400);
  console.log(`50 requests of one user: ${asked.users - before} query`);

  const { round } = await json('/flags');
  while ((await json('/flags')).round === round) await delay(50);
  console.log('the flags were refreshed in the background');

  assert.equal((await get('/live')).status, 200);
  assert.equal((await get('/ready')).status, 200);
  await get('/users/7');
  const { caches } = await json('/metrics');
  console.log('metrics of getUser:', JSON.stringify(caches.getUser));
  // On a busy machine some of the fifty come after the query, and are hits as the last one is.
  assert.equal(caches.getUser.misses + caches.getUser.hits, 51);
  assert.equal(caches.getUser.sets, 1);
  assert.ok(caches.getUser.hits >= 1);

  const page = await get('/inspector');
  assert.equal(page.status, 200);
  assert.match(page.text, /^<!doctype html>/);
  const events = await fetch(`${address}/inspector/events`);
  let told = '';
  for await (const chunk of /** @type {AsyncIterable<Uint8Array>} */ (events.body)) {
    told += Buffer.from(chunk).toString();
    if (told.includes('"name":"getUser"')) break;
  }
  console.log('the inspector shows getUser');
}
