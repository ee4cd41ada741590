/** Every program in docs/guide.md, run as a reader would: in an empty project that has this package installed. */
import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { tempDir, until } from '../support/process.js';
import { root } from '../support/root.js';
import { read } from '../support/sources.js';

interface Step {
  readonly title: string;
  readonly files: ReadonlyMap<string, string>;
  readonly commands: string;
  readonly output: string | undefined;
}

const FENCE = /^```(\w+)\n([\s\S]*?)^```$/gm;

/** The steps of the guide that have commands: what is to be written into files, run, and printed by it. */
function steps(guide: string): Step[] {
  return guide.split(/^## /m).flatMap((section) => {
    const files = new Map<string, string>();
    let commands: string | undefined;
    let output: string | undefined;
    for (const [, language, text = ''] of section.matchAll(FENCE)) {
      if (language === 'js') files.set(/^\/\/ (\S+\.js)\n/.exec(text)?.[1] ?? '', text);
      if (language === 'sh') commands = text;
      if (language === 'text') output = text;
    }
    return commands === undefined ? [] : [{ title: section.split('\n', 1)[0] ?? '', files, commands, output }];
  });
}

const all = steps(read(join(root, 'docs/guide.md')));

test('the steps are found', (t) => {
  t.true(all.length >= 7);
  for (const { title, files } of all) t.false(files.has(''), `each program of "${title}" begins with its name`);
});

const posix = process.platform === 'win32' ? test.skip : test;

for (const { title, files, commands, output } of all) {
  posix(title, async (t) => {
    const folder = tempDir(t);
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules/advanced-caching'));
    for (const [name, text] of files) writeFileSync(join(folder, name), text);

    const shell = spawn('bash', ['-c', commands], {
      cwd: folder,
      // A group of its own, so that it can be interrupted as a terminal does, and ended as a whole.
      detached: true,
      env: { ...process.env, PORT: '0', ADVANCED_CACHING_DIRECTORY: join(folder, 'snapshots') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const group = -(shell.pid as number);
    t.teardown(() => {
      try {
        process.kill(group, 'SIGKILL');
      } catch {
        // It has ended.
      }
    });
    let [printed, errors] = ['', ''];
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    shell.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const ended = new Promise<number | null>((resolve) => shell.once('close', resolve));

    if (commands.includes('# Ctrl-C ends it')) {
      const url = await until(() => /http:\S+/.exec(printed)?.[0], { deadline: 20_000, what: `an address (${errors})` });
      const response = await fetch(url, { headers: { connection: 'close' } });
      t.is(response.status, 200);
      t.true(((await response.json()) as { price: number }).price > 120);
      t.is((await fetch(new URL('/health', url), { headers: { connection: 'close' } })).status, 200);
      process.kill(group, 'SIGINT');
    }
    t.is(await ended, 0, errors);
    if (output !== undefined) t.is(printed, output);
    t.is(errors, '');
  });
}
