// @ts-check
/**
 * The main job of this library, shown: a cluster of web servers whose workers, and their worker threads, look up 170,000
 * cities at memory speed, while one dedicated thread loads them anew every two seconds.
 *
 *   npm run demo                        until Ctrl-C; open the address that it prints
 *   npm run demo -- --kill              the same, and the process that writes is killed on the way
 *   DEMO_SECONDS=10 npm run demo        ends by itself, with a summary
 */
import { readOptions, USAGE } from './options.js';
import { runDemo } from './primary.js';

const options = readOptions();
if (typeof options === 'string') {
  console.error(`${options}\n\n${USAGE}`);
  process.exitCode = 2;
} else if (options.help) {
  console.log(USAGE);
} else {
  process.exitCode = await runDemo(options);
}
