import { existsSync } from 'node:fs';
import test from 'ava';
import { spawnNode, tempDir, until } from './process.js';

const echo = new URL('./fixtures/echo.js', import.meta.url);

interface Ready {
  readonly ready?: true;
  readonly pid: number;
  readonly args: readonly string[];
  readonly mark?: string;
}

/** Collects what a test would undo, so that this test can look at what is left afterwards. */
function scope(): { teardown: (undo: () => unknown) => void; end: () => Promise<void> } {
  const undo: (() => unknown)[] = [];
  return {
    teardown: (step) => void undo.unshift(step),
    end: async () => {
      for (const step of undo) await step();
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a child gets its arguments and environment, and talks in JSON lines', async (t) => {
  const child = spawnNode(t, echo, { args: ['a', 'b'], env: { ECHO_MARK: 'here' } });
  const ready = await child.message((message: Ready) => message.ready === true);
  t.deepEqual({ ...ready }, { ready: true, pid: child.pid, args: ['a', 'b'], mark: 'here' });
  t.deepEqual(child.lines, ['not JSON']);

  child.send({ n: 1 });
  child.send({ n: 2 });
  const second = await child.message((message: { echo?: { n: number } }) => message.echo?.n === 2);
  t.deepEqual(second, { echo: { n: 2 } });
  t.deepEqual(await child.message(), { echo: { n: 1 } }, 'what did not match has stayed');

  child.send({ exit: 3 });
  t.deepEqual(await child.exited, { code: 3, signal: null });
});

test('a wait for a message ends with the child, and at its deadline', async (t) => {
  const child = spawnNode(t, echo);
  await child.message();
  await t.throwsAsync(child.message(undefined, 20), { message: /none within 20 ms/ });
  const waiting = t.throwsAsync(child.message(), { message: /it ended with SIGKILL/ });
  child.kill('SIGKILL');
  await waiting;
  t.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
});

test('a teardown ends the child and removes the folder', async (t) => {
  const own = scope();
  const folder = tempDir(own);
  const child = spawnNode(own, echo, { cwd: folder });
  await child.message();
  t.true(isAlive(child.pid));
  t.true(existsSync(folder));
  await own.end();
  t.false(isAlive(child.pid));
  t.false(existsSync(folder));
});

test('a test process that is ended takes its children and folders along', async (t) => {
  const parent = spawnNode(t, new URL('./fixtures/parent.ts', import.meta.url));
  const { folder, child } = await parent.message<{ folder: string; child: number }>();
  t.true(isAlive(child));
  t.true(existsSync(folder));
  parent.kill('SIGTERM');
  t.is((await parent.exited).code, 1);
  await until(() => !isAlive(child), { what: 'the end of the child' });
  t.false(existsSync(folder));
});

test('until answers what the condition gave, and names what it waited for in vain', async (t) => {
  let calls = 0;
  t.is(await until(() => ++calls > 2 && 'there', { what: 'the third call' }), 'there');
  t.is(calls, 3);
  await t.throwsAsync(
    until(() => false, { deadline: 20, what: 'what never comes' }),
    { message: 'Waited 20 ms in vain: what never comes' },
  );
  await t.throwsAsync(
    until(() => Promise.reject(new Error('of the condition')), { what: 'nothing' }),
    { message: 'of the condition' },
  );
});
