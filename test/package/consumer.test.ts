/** The package as its users get it: packed by npm, installed in an empty project, and used from there. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { doors, pack } from '../../.ci/pack.js';
import { tempDir } from '../support/process.js';
import { root } from '../support/root.js';
import { MAJORS, RUNTIMES_ARE_FOR, runtime } from '../support/runtimes.js';
import { filesIn } from '../support/sources.js';

const run = promisify(execFile);

/** What ends with this test file rather than with one test. */
const ends: (() => unknown)[] = [];
test.after.always(async () => {
  for (const end of ends) await end();
});

const project = tempDir({ teardown: (undo) => void ends.push(undo) });
const installed = join(project, 'node_modules/advanced-caching');

test.before(async () => {
  const folder = join(project, 'packed');
  mkdirSync(folder);
  const tarball = pack(folder);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  // Offline: there is nothing to fetch, and a dependency that crept in would fail here.
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project, shell: process.platform === 'win32' });
});

test('the package holds what it should and nothing else', (t) => {
  const files = filesIn(installed, /./);
  const allowed = [
    /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
    /^dist\/.+\.d\.ts(\.map)?$/,
    // Few files, since each one that is imported costs time and memory: the doors, their chunks, the threads.
    /^dist\/(index|(exporters|inspector|testing)(\/index)?|library|link|loader|link-thread|loader-thread)\.js(\.map)?$/,
    // Sources, for the maps that lead into them.
    /^src\/.+\.ts$/,
  ];
  t.deepEqual(
    files.filter((file) => !allowed.some((pattern) => pattern.test(file))),
    [],
  );
  t.deepEqual(
    files.filter((file) => /(^|\/)tests?\/|\.test\.|fixture/.test(file)),
    [],
  );
  for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/index.js', 'dist/index.d.ts', 'src/index.ts'])
    t.true(files.includes(file), file);
  for (const source of filesIn(join(root, 'src'), /\.ts$/)) {
    t.true(files.includes(`src/${source}`), source);
    t.true(files.includes(`dist/${source.replace(/\.ts$/, '.d.ts')}`), source);
  }
});

test('what every thread imports is Latin-1: V8 keeps a source with any other character in two bytes for each', (t) => {
  for (const chunk of ['library', 'link', 'loader', 'link-thread', 'loader-thread'])
    t.notRegex(readFileSync(join(installed, `dist/${chunk}.js`), 'utf8'), /[^\0-\xff]/, chunk);
});

test('the installed package brings no other and runs no script', (t) => {
  t.deepEqual(filesIn(join(project, 'node_modules'), /^package\.json$/), ['advanced-caching/package.json']);
  const { scripts } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) t.is(scripts[name], undefined);
});

const STRICT = {
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  target: 'es2022',
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
};

for (const resolution of [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
]) {
  test(`a strict consumer's types check, library files too: ${resolution.moduleResolution}`, async (t) => {
    const folder = tempDir(t);
    symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'), 'junction');
    const imports = doors().map(
      (door, n) => `import * as door${n} from '${door}';\nexport const names${n}: string[] = Object.keys(door${n});\n`,
    );
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    writeFileSync(join(folder, 'consumer.ts'), imports.join(''));
    const check = async (): Promise<string> => {
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...STRICT, ...resolution }, files: ['consumer.ts'] }),
      );
      const { stdout } = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch(
        (error: { stdout: string }) => error,
      );
      return stdout;
    };
    t.is(await check(), '');
    writeFileSync(join(folder, 'consumer.ts'), `import { noSuchName } from 'advanced-caching';\nexport const x: string = noSuchName;\n`);
    t.regex(await check(), /noSuchName/, 'the types are looked at');
  });
}

test('the doors of the package are those of its exports map', (t) => {
  const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { exports: Record<string, unknown> };
  const named = Object.keys(exports).filter((door) => door !== './package.json');
  t.deepEqual(
    doors(),
    named.map((door) => `advanced-caching${door.slice(1)}`),
  );
});

for (const major of MAJORS) {
  test(`import and require() give the same on Node ${major}`, async (t) => {
    const node = await runtime(major);
    if (node === undefined) {
      t.pass(RUNTIMES_ARE_FOR);
      return;
    }
    const script = join(project, `use-${major}.mjs`);
    writeFileSync(
      script,
      `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const same = {};
for (const door of ${JSON.stringify(doors())}) {
  const imported = await import(door);
  const required = require(door);
  same[door] = Object.keys(imported).every((name) => imported[name] === required[name]) && Object.keys(required).length >= Object.keys(imported).length;
}
console.log(JSON.stringify({ major: process.versions.node.split('.')[0], same, version: require('advanced-caching/package.json').version }));
`,
    );
    const { stdout, stderr } = await run(node, [script], { cwd: project, timeout: 30_000 });
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    t.deepEqual(JSON.parse(stdout), { major: String(major), same: Object.fromEntries(doors().map((door) => [door, true])), version });
    t.is(
      stderr.replace(/^.*ExperimentalWarning: CommonJS module .* ES Module .*\n.*\n/m, ''),
      '',
      'nothing warns, but Node itself of require()',
    );
  });
}
