// @ts-check
/**
 * Two hosts, one value. Each host has a writer and two web workers; a Redis stands between them. The writer that has the role is killed,
 * then Redis, then the network of the host that writes is cut; what every web worker saw meanwhile is printed as a timeline.
 *
 *   npm install advanced-caching ioredis && node main.js        needs a `redis-server` on the PATH, or in REDIS_SERVER
 *
 * A "host" here is a directory of its own for the files and sockets by which the processes of a host find each other.
 */
import { startHost } from './host.js';
import { isThere, startRedis } from './redis.js';
import { Story } from './story.js';

/** A takeover takes at most so long (milliseconds), when a writer is lost with its host. */
const LEASE = 2000;

if (isThere()) {
  process.exitCode = await run();
} else {
  console.log('There is no redis-server here (set REDIS_SERVER to one): nothing to show');
}

async function run() {
  const story = new Story();
  const redis = await startRedis();
  const hosts = await Promise.all([startHost('A', redis.address, LEASE, story), startHost('B', redis.address, LEASE, story)]);
  const [a, b] = /** @type {[import('./host.js').Host, import('./host.js').Host]} */ (hosts);
  const hostThatWrites = () => (story.writer()?.startsWith('A') ? a : b);
  const otherThan = (/** @type {import('./host.js').Host} */ host) => (host === a ? b : a);
  try {
    await story.all('every web worker has the value', 15_000);
    await story.seconds(1);

    story.fault('the process that writes is killed (SIGKILL)');
    const widowed = hostThatWrites();
    await widowed.killWriter();
    await story.newerFrom(otherThan(widowed).name, 'the other host writes, and every web worker has it', LEASE + 5000);
    await widowed.startWriter();
    await story.seconds(1.5);

    story.fault('Redis is killed (SIGKILL)');
    await redis.kill();
    await story.states('interrupted', 'every web worker says so, and serves the last value', 5000);
    await story.seconds(1.5);
    story.fault('Redis is back, and empty');
    await redis.start();
    await story.newer('every web worker has a new value', 10_000);
    await story.seconds(1);

    const cut = hostThatWrites();
    story.fault(`the network between Redis and host ${cut.name}, which writes, is cut`);
    cut.network.cut();
    await story.newerFrom(
      otherThan(cut).name,
      `host ${otherThan(cut).name} writes, and its web workers have it`,
      LEASE + 5000,
      otherThan(cut).name,
    );
    await story.seconds(1);
    story.fault('the network is back');
    cut.network.heal();
    await story.newer('every web worker has a new value', 10_000);
    await story.seconds(1);
  } catch (error) {
    story.fail(/** @type {Error} */ (error).message);
  }
  story.end();
  for (const host of hosts) await host.stop();
  await redis.stop();
  return story.verdict() ? 0 : 1;
}
