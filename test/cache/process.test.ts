import { spawn } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';

const entry = new URL('../../dist/index.js', import.meta.url).href;

/** Runs a program to its own end; a program that does not end is killed, and fails the test. */
async function run(
  t: ExecutionContext,
  source: string,
  flags: string[] = [],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [
    ...flags,
    '--input-type=module',
    '-e',
    `import { cache, InMemCache } from '${entry}';\n${source}`,
  ]);
  const killer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  t.teardown(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(killer);
  return { code, stdout, stderr };
}

const HOT = `
  const load = cache('1h', { key: 'user:{id}', stale: '1h' })(async (id) => id);
  for (let i = 0; i < 200; i++) await load(i);
  for (let i = 0; i < 3e6; i++) load(i % 200);
`;

test('a program that only uses cache ends by itself, its pulse running', async (t) => {
  t.deepEqual(await run(t, `${HOT} console.log(await load(7));`), { code: 0, stdout: '7\n', stderr: '' });
});

test('so it does while its store holds entries with every kind of life', async (t) => {
  const source = `
    const store = new InMemCache({ maxEntries: 10 });
    for (const ttl of [1, 60, 86400, 86400 * 40, Infinity]) store.set('k' + ttl, 1, ttl);
    console.log(store.size);`;
  t.deepEqual(await run(t, source), { code: 0, stdout: '5\n', stderr: '' });
});

test('where no thread may be started, the real clock does', async (t) => {
  const flag = Number(process.versions.node.split('.')[0]) >= 24 ? '--permission' : '--experimental-permission';
  const { code, stdout, stderr } = await run(t, `${HOT} console.log(await load(7));`, [flag, '--allow-fs-read=*', '--no-warnings']);
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '7\n', stderr: '' });
});

test('a failed refresh that nobody listens to is a warning, once, and ends nothing', async (t) => {
  const source = `
    let runs = 0;
    const load = cache('10ms', { key: 'a', stale: '1h' })(async () => { if (++runs > 1) throw new Error('down'); return 1; });
    await load();
    const deadline = Date.now() + 10_000;
    while (runs < 2 && Date.now() < deadline) { await load(); await new Promise((r) => setTimeout(r, 5)); }
    console.log(await load.store.getEntry('a').value);`;
  const { code, stdout, stderr } = await run(t, source);
  t.is(code, 0);
  t.is(stdout, '1\n');
  t.regex(stderr, /AdvancedCachingWarning: .*background refresh.*down/);
});

test('memory does not grow with misses: a million keys, expired or evicted', async (t) => {
  const source = `
    const bounded = cache(3600, { key: 'user:{id}', store: new InMemCache({ maxEntries: 1000 }) })((id) => ({ id }));
    const pairs = cache(3600, { key: 'user:{}:{}', store: new InMemCache({ maxEntries: 1000 }) })((a, b) => ({ a, b }));
    const failing = cache(3600, { key: 'user:{id}' })((id) => { throw id; });
    const fill = (from, to) => { for (let i = from; i < to; i++) { bounded(i); bounded(i); if (i % 8 === 0) { pairs(i, i % 7); pairs(i % 7, i); } try { failing(i); } catch {} } };
    fill(0, 2e5); gc(); const before = process.memoryUsage().heapUsed;
    fill(2e5, 1.2e6); gc(); console.log(bounded.store.size, (process.memoryUsage().heapUsed - before) / 10 < 1e6);`;
  t.deepEqual(await run(t, source, ['--expose-gc']), { code: 0, stdout: '1000 true\n', stderr: '' });
});
