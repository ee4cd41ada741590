// @ts-check
//   npm install advanced-caching fastify && node main.js
import { run } from '../shared/run.js';
import { makeApp } from './app.js';

const app = makeApp();
await run({
  start: (port) => app.listen({ port, host: '127.0.0.1' }),
  // The page that is open ends with the server: within a second, by itself.
  stop: () => app.close(),
});
