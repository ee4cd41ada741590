// @ts-check
/** A second process that registers the same writer, for `--kill`: the demo lets it write first, and kills it. */
import { bg } from 'advanced-caching';
import { joinInspector } from 'advanced-caching/inspector';
import { writeCities } from './write-cities.js';

process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
process.on('message', () => void stop());
let ready = false;

async function stop() {
  if (!ready) process.exit();
  await bg.shutdown({ timeout: 2 });
  process.disconnect();
}

joinInspector({ name: 'other writer' });
const writer = writeCities((error) => console.error(`[other writer ${process.pid}] ${error.message}`));
await writer.ready(30);
ready = true;
process.send?.({ type: 'ready' });
