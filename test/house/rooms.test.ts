import { join, posix } from 'node:path';
import test from 'ava';
import { root } from '../support/root.js';
import { filesIn, importsOf, read } from '../support/sources.js';

/** A room imports only rooms of a lower number, or itself. */
const ROOMS: Readonly<Record<string, number>> = {
  core: 0,
  keys: 1,
  serializers: 1,
  wire: 1,
  concurrency: 1,
  files: 1,
  metrics: 1,
  stores: 2,
  mirror: 3,
  scheduler: 3,
  cache: 4,
  keyed: 4,
  link: 4,
  bg: 5,
  exporters: 6,
  inspector: 6,
  testing: 6,
  'index.ts': 7,
};

const LONGEST = 500;

type Sources = ReadonlyMap<string, string>;

const roomOf = (file: string): string => file.split('/')[0] as string;

/** Every arrow between files of `src` that the house forbids, as a sentence. */
function faults(sources: Sources): string[] {
  const found: string[] = [];
  for (const [file, code] of sources) {
    const from = roomOf(file);
    if (ROOMS[from] === undefined) {
      found.push(`${file} is in no known room`);
      continue;
    }
    for (const specifier of importsOf(code)) {
      if (!specifier.startsWith('.')) continue;
      const target = posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
      const to = roomOf(target);
      // What isn't there is the compiler's to report, or an example in a message.
      if (!sources.has(target)) continue;
      if (to !== from && (ROOMS[to] ?? 0) >= (ROOMS[from] ?? 0)) found.push(`${file} (${ROOMS[from]}) names ${target} (${ROOMS[to]})`);
    }
  }
  return found;
}

const src = join(root, 'src');
const sources: Sources = new Map(filesIn(src, /\.(ts|js)$/).map((file) => [file, read(join(src, file))]));

test('every arrow between the rooms of src runs down', (t) => {
  t.true(sources.size > 0);
  t.deepEqual(faults(sources), []);
});

test('no file of src is too long', (t) => {
  const long = [...sources]
    .map(([file, code]) => ({ file, lines: code.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > LONGEST);
  t.deepEqual(long, []);
});

const planted = (file: string, code: string): string[] =>
  faults(
    new Map([
      ['core/a.ts', ''],
      ['keys/a.ts', ''],
      ['wire/a.ts', ''],
      ['bg/a.ts', ''],
      ['core/b/c.ts', ''],
      [file, code],
    ]),
  );

for (const [arrow, code] of Object.entries({
  import: `import { a } from '../bg/a.js';`,
  'multi-line import': `import {\n  a,\n  b, // as in './x.js'\n} from "../bg/a.js";`,
  'import type': `import type { A } from '../bg/a.js';`,
  'import for its effects': `import '../bg/a.js';`,
  'import()': `const a = await import('../bg/a.js');`,
  'import() as a type': `let a: import('../bg/a.js').A;`,
  'export from': `export { a } from '../bg/a.js';`,
  'export all': `export * from '../bg/a.js';`,
  'new URL': `new Worker(new URL('../bg/a.js', import.meta.url));`,
})) {
  test(`an arrow that runs up is found: ${arrow}`, (t) => {
    t.deepEqual(planted('core/up.ts', code), ['core/up.ts (0) names bg/a.ts (5)']);
    t.deepEqual(planted('index.ts', code.replace('../', './')), [], 'the same arrow, running down');
  });
}

test('an arrow between two rooms of one number is found, and an unknown room', (t) => {
  t.deepEqual(planted('keys/x.ts', `import '../wire/a.js';`), ['keys/x.ts (1) names wire/a.ts (1)']);
  t.deepEqual(planted('keys/x.ts', `import './a.js'; import '../core/a.js'; import 'node:fs';`), []);
  t.deepEqual(planted('core/b/x.ts', `import '../../bg/a.js'; import '../a.js';`), ['core/b/x.ts (0) names bg/a.ts (5)']);
  t.deepEqual(planted('attic/x.ts', ''), ['attic/x.ts is in no known room']);
});

test('an arrow in a comment is none, and a string is not a comment', (t) => {
  t.deepEqual(planted('core/x.ts', `// import '../bg/a.js';\n/* import '../bg/a.js'; */`), []);
  t.deepEqual(planted('core/x.ts', `const a = 'x://'; import '../bg/a.js';`), ['core/x.ts (0) names bg/a.ts (5)']);
});
