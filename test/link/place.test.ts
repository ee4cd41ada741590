import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { StoreError } from '../../dist/core/errors.js';
import { namespaceOf, scriptOf } from '../../dist/link/host/namespace.js';
import { hostPlace } from '../../dist/link/host/place.js';
import { scratch, scratchPlace } from './support.js';

const posix = process.platform === 'win32' ? test.skip : test;

posix('a directory that others can use is refused, with what to do', (t) => {
  const directory = scratch(t);
  const place = hostPlace({ namespace: 'n', directory });
  const user = dirname(place.directory);
  const refused = (message: RegExp): void => {
    t.throws(() => hostPlace({ namespace: 'n', directory }), { instanceOf: StoreError, message });
  };
  chmodSync(place.directory, 0o750);
  refused(/mode 750, not 700.*chmod 700/);
  rmSync(place.directory, { recursive: true });
  writeFileSync(place.directory, '');
  refused(/not a real directory.*Delete it/);
  rmSync(place.directory);
  mkdirSync(join(directory, 'real'), { mode: 0o700 });
  symlinkSync(join(directory, 'real'), place.directory);
  refused(/not a real directory/);
  rmSync(user, { recursive: true });
  symlinkSync(join(directory, 'real'), user);
  refused(/not a real directory/);
  rmSync(user);
  if (process.geteuid!() === 0) {
    mkdirSync(user, { mode: 0o700 });
    chownSync(user, 12_345, 12_345);
    refused(/belongs to the user 12345.*`directory`/);
    rmSync(user, { recursive: true });
  }
  chmodSync(directory, 0o777);
  refused(/every user may rename/);
  chmodSync(directory, 0o1777);
  t.notThrows(() => hostPlace({ namespace: 'n', directory }));
});

test('wrong options are refused', (t) => {
  t.throws(() => hostPlace({ namespace: '' }), { instanceOf: TypeError, message: /`namespace`/ });
  t.throws(() => hostPlace({ directory: 5 as never }), { instanceOf: TypeError, message: /`directory`/ });
  t.throws(() => hostPlace({ dir: 'x' } as never), { instanceOf: TypeError, message: /'dir'/ });
});

test('twenty processes that start at once agree on one token', async (t) => {
  const directory = scratch(t);
  const script = `import { hostPlace } from ${JSON.stringify(new URL('../../dist/link/host/place.js', import.meta.url).href)};
    process.stdout.write(hostPlace({ namespace: 'n', directory: ${JSON.stringify(directory)} }).token() + '\\n');`;
  const shell = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "$0" --input-type=module -e "$1" & done; wait`;
  const tokens = execFileSync('sh', ['-c', shell, process.execPath, script], { encoding: 'utf8' }).trim().split('\n');
  t.is(tokens.length, 20);
  t.is(new Set(tokens).size, 1);
});

test('a token that is gone is put back; another one has won', (t) => {
  const place = scratchPlace(t);
  const mine = place.token();
  t.true(place.keepToken(mine));
  rmSync(place.directory, { recursive: true });
  t.true(place.keepToken(mine));
  t.is(place.token(), mine);
  rmSync(join(place.directory, 'token'));
  const other = place.token();
  t.not(other, mine);
  t.false(place.keepToken(mine));
  t.is(place.token(), other);
  writeFileSync(join(place.directory, 'token'), 'not a token');
  t.throws(() => place.token(), { instanceOf: StoreError, message: /Delete it/ });
});

test('without a directory, memory is taken where there is some', (t) => {
  const namespace = `test-${process.pid}-${Math.random()}`;
  const place = hostPlace({ namespace });
  t.teardown(() => rmSync(place.directory, { recursive: true, force: true }));
  if (process.platform === 'linux' && existsSync('/dev/shm')) t.true(place.directory.startsWith('/dev/shm/advanced-caching-'));
  t.true(existsSync(place.directory));
});

/** An application `app` with a nested package, as `releases/5`, linked as `current`. */
function application(t: Parameters<typeof scratch>[0]): string {
  const root = realpathSync(scratch(t));
  const app = join(root, 'releases', '5');
  for (const path of ['src', 'node_modules/tool/bin', 'packages/inner']) mkdirSync(join(app, path), { recursive: true });
  for (const path of ['.', 'node_modules/tool', 'packages/inner']) writeFileSync(join(app, path, 'package.json'), '{"type":"module"}');
  for (const path of ['src/main.js', 'node_modules/tool/bin/tool.js', 'packages/inner/main.js']) writeFileSync(join(app, path), '');
  mkdirSync(join(root, 'plain'));
  symlinkSync(app, join(root, 'current'));
  return root;
}

test('the namespace is the real path of the application', (t) => {
  const root = application(t);
  const app = join(root, 'releases', '5');
  const of = (main: string | undefined, env: Record<string, string> = {}, cwd = join(root, 'plain')): string =>
    namespaceOf({ env, main, cwd });
  t.is(of(join(app, 'src/main.js')), app);
  t.is(of(join(app, 'src/main')), app, 'without its extension');
  t.is(of(app), app, '`node .`');
  t.is(of(join(root, 'current/src/main.js')), app, 'through a link');
  t.is(of(join(app, 'packages/inner/main.js')), join(app, 'packages/inner'));
  t.is(of(join(app, 'node_modules/tool/bin/tool.js')), app, 'a tool among its dependencies');
  t.is(of('/usr/lib/node_modules/pm2/main.js', { pm_exec_path: join(app, 'src/main.js') }), app);
  t.is(of(join(app, 'src/main.js'), { ADVANCED_CACHING_NAMESPACE: 'mine' }), 'mine');
  t.is(of(undefined, {}, join(app, 'src')), app, 'a REPL in the application');
  t.is(of(undefined), join(root, 'plain'), 'a REPL elsewhere');
});

test('the script is found among the arguments of node', (t) => {
  t.is(scriptOf(['--import', 'tsx', '--max-old-space-size=100', '-r', './a.js', 'b.js', 'c.js']), 'b.js');
  t.is(scriptOf(['--import=tsx', 'b.js', '-e']), 'b.js');
  t.is(scriptOf(['-e', 'code', 'b.js']), undefined);
  t.is(scriptOf(['-']), undefined);
  t.is(scriptOf([]), undefined);
});

test('processes, worker threads, cluster workers and `node -e` agree on it', (t) => {
  const root = application(t);
  const app = join(root, 'releases', '5');
  const fixture = readFileSync(fileURLToPath(new URL('fixtures/namespaces.js', import.meta.url)), 'utf8');
  const module = new URL('../../dist/link/host/namespace.js', import.meta.url).href;
  writeFileSync(join(app, 'src/main.js'), fixture.replace('NAMESPACE_MODULE', module));
  writeFileSync(join(app, 'node_modules/tool/bin/tool.js'), fixture.replace('NAMESPACE_MODULE', module));
  const env = { ...process.env, ADVANCED_CACHING_NAMESPACE: '', NODE_OPTIONS: '' };
  delete env['pm_exec_path' as keyof typeof env];
  const run = (args: string[], cwd: string): string[] => {
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd, env, encoding: 'utf8', timeout: 30_000 });
    t.is(stderr, '');
    return stdout.trim().split('\n').sort();
  };
  t.deepEqual(
    run([join(root, 'current/src/main.js')], root),
    ['cluster', 'main', 'thread', 'thread before main'].map((who) => `${who} ${app}`),
  );
  t.deepEqual(
    run(['--input-type=module', '-e', `import { defaultNamespace } from '${module}'; console.log(defaultNamespace())`, 'src'], app),
    [app],
  );
});
