// @ts-check
/** Follows one key, as a thread or as a process, and says on request how many versions it has decoded. */
import { isMainThread, parentPort } from 'node:worker_threads';
import { bg } from '../../../dist/index.js';

const mirror = bg.read('rate');
let seen = 0;
mirror.onChange(() => {
  seen += 1;
});
const answer = () => {
  const { user, system } = process.cpuUsage();
  const report = { seen, newest: mirror(), cpu: isMainThread ? (user + system) / 1e6 : 0 };
  if (parentPort) parentPort.postMessage(report);
  else process.send?.(report);
};
if (parentPort) parentPort.on('message', answer);
else {
  process.on('message', answer);
  process.on('disconnect', () => process.exit());
}
answer();
