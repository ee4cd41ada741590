// @ts-check
//   npm install advanced-caching express && node main.js
import { run } from '../shared/run.js';
import { start, stop } from './app.js';

await run({ start, stop });
