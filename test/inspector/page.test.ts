/** The page's script: it is a text, so that the compiler has to be asked to look at it. */
import { execFile } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { PAGE } from '../../dist/inspector/page/page.js';
import { SCRIPT } from '../../dist/inspector/page/script.js';
import { tempDir, type Scope } from '../support/process.js';
import { root } from '../support/root.js';

const TYPES = `
import type { ErrorRow as E } from './dist/inspector/faults.js';
import type { FunctionRow as F } from './dist/inspector/functions.js';
import type { ThreadRow as T, Totals as S } from './dist/inspector/model.js';
import type { ErrorReport as R } from './dist/inspector/report.js';
import type { ValueRow as V } from './dist/inspector/values.js';
declare global {
  type ErrorRow = E; type FunctionRow = F; type ThreadRow = T; type ValueRow = V; type Totals = S; type ErrorReport = R;
  type AnyRow = E | F | T | V;
  interface Hello { namespace: string; host: string; allowActions: boolean; showValues: boolean; showMessages: boolean; token?: string }
  interface RowsEvent { now: number; isFirst: boolean; isComplete: boolean; totals: S; trouble?: string; removed: string[]; rows: AnyRow[] }
}
`;

const STRICT = {
  allowJs: true,
  checkJs: true,
  strict: true,
  noEmit: true,
  target: 'es2022',
  lib: ['es2023', 'dom', 'dom.iterable'],
  module: 'nodenext',
  types: [],
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  skipLibCheck: true,
};

async function check(t: Scope, script: string): Promise<string> {
  const folder = tempDir(t);
  symlinkSync(join(root, 'dist'), join(folder, 'dist'), 'junction');
  writeFileSync(join(folder, 'page.js'), script);
  writeFileSync(join(folder, 'types.d.ts'), TYPES);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...STRICT, preserveSymlinks: true }, files: ['page.js', 'types.d.ts'] }),
  );
  const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'];
  const { stdout } = await promisify(execFile)(process.execPath, tsc).catch((error: { stdout: string }) => error);
  return stdout;
}

test('it fits what the server sends, strictly', async (t) => {
  t.is(await check(t, SCRIPT), '');
  t.regex(await check(t, SCRIPT.replaceAll('row.createdAt', 'row.creatdAt')), /creatdAt/, 'a fault is found');
});

test('it makes no HTML of text, and the page has no other script', (t) => {
  t.notRegex(SCRIPT, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\('on/);
  t.is(PAGE.match(/<script/g)?.length, 1);
  t.notRegex(SCRIPT, /<\/script/);
});
