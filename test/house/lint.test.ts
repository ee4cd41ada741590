/** The lint rules that the project relies on, each shown a fault that it must find. */
import { execFile } from 'node:child_process';
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { tempDir } from '../support/process.js';
import { root } from '../support/root.js';

const FAULTS: Readonly<Record<string, string>> = {
  'no-floating-promises': 'export function f(): void { load(); }',
  'no-misused-promises': 'export const g: void = [1].forEach(async () => { await load(); });',
  'await-thenable': 'export async function h(): Promise<void> { await load; }',
  'only-throw-error': `export function i(): never { throw 'text'; }`,
  'switch-exhaustiveness-check': `export function j(word: 'a' | 'b'): void { switch (word) { case 'a': void load(); } }`,
  'no-explicit-any': 'export const k = (x: any): unknown => x;',
  'ban-ts-comment': `// @ts-${'ignore'}\nexport const l = 1;`,
  'consistent-type-imports': `import { Word } from './word.js';\nexport const m: Word = 1;`,
  'no-warning-comments': `// ${'TO'}DO: more`,
};

test('each fault is found by the rule that is there for it', async (t) => {
  const folder = tempDir(t);
  copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { strict: true, module: 'nodenext', types: [] }, include: ['*.ts'] }),
  );
  writeFileSync(join(folder, 'word.ts'), 'export type Word = number;\n');
  for (const [rule, code] of Object.entries(FAULTS)) {
    writeFileSync(join(folder, `${rule}.ts`), `async function load(): Promise<void> {}\nvoid load;\n${code}\n`);
  }
  const files = Object.keys(FAULTS).map((rule) => `${rule}.ts`);
  const lint = [join(root, 'node_modules/oxlint/bin/oxlint'), '--type-aware', '--format=unix', 'word.ts', ...files];
  const { stdout } = await promisify(execFile)(process.execPath, lint, { cwd: folder }).catch((error: { stdout: string }) => error);
  const found = new Set(stdout.split('\n').map((line) => /^([\w-]+)\.ts:.*\(([\w-]+)\)\]$/.exec(line)?.slice(1, 3).join(': ')));
  for (const rule of Object.keys(FAULTS)) t.true(found.has(`${rule}: ${rule}`), rule);
  t.notRegex(stdout, /^word\.ts/m, 'nothing is found where there is nothing');
});
