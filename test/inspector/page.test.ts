/** The page's script: it is a text, so that the compiler has to be asked to look at it. */
import { execFile } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { PAGE } from '../../dist/inspector/page/page.js';
import { SCRIPT } from '../../dist/inspector/page/script.js';
import { STYLE } from '../../dist/inspector/page/style.js';
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

/** The relative luminance of WCAG 2. */
function luminance(colour: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = colour.map((byte) => {
    const part = byte / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: readonly number[], other: readonly number[]): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

for (const [scheme, from] of [
  ['light', ':root'],
  ['dark', '(prefers-color-scheme: dark)'],
] as const) {
  test(`every text can be read against what is behind it: ${scheme}`, (t) => {
    const block = /\{[^{}]*--ground[^{}]*\}/.exec(STYLE.slice(STYLE.indexOf(from)))?.[0] ?? '';
    const colour = (name: string): number[] => {
      const hex = new RegExp(`--${name}: #(\\w+);`).exec(block)?.[1] ?? '';
      const six = hex.length === 3 ? hex.replace(/./g, '$&$&') : hex;
      return [0, 2, 4].map((at) => Number.parseInt(six.slice(at, at + 2), 16));
    };
    const isReadable = (what: string, text: readonly number[], behind: readonly number[]): void => {
      const ratio = contrast(text, behind);
      t.true(ratio >= 4.5, `${what}: ${ratio.toFixed(2)}`);
    };
    for (const behind of ['ground', 'panel', 'raised']) {
      for (const text of ['text', 'quiet', 'accent', 'warn', 'bad']) isReadable(`${text} on ${behind}`, colour(text), colour(behind));
    }
    for (const tone of ['good', 'warn', 'bad', 'calm', 'off']) {
      for (const behind of ['panel', 'raised']) {
        // A state's pill has 11 % of its own colour in it.
        const pill = colour(behind).map((byte, i) => byte * 0.89 + (colour(tone)[i] ?? 0) * 0.11);
        isReadable(`${tone} in its pill on ${behind}`, colour(tone), pill);
      }
    }
    for (const button of ['accent', 'bad']) isReadable(`on ${button}`, colour('on-accent'), colour(button));
  });
}
