/** The documents, held to the package as it is built: their TypeScript compiles, and their links lead somewhere. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import * as library from 'advanced-caching';
import { tempDir, type Scope } from '../support/process.js';
import { root } from '../support/root.js';
import { filesIn, read } from '../support/sources.js';

const run = promisify(execFile);

const pages = ['README.md', ...filesIn(join(root, 'docs'), /\.md$/).map((name) => `docs/${name}`)];

/** What the documents take for granted: a reader's own functions and connections. */
const PREAMBLE = `
interface User { readonly id: number; readonly name: string }
type Rates = Record<string, number>;
declare const db: { readonly users: { find(id: number): Promise<User> } };
declare function loadUser(id: number): Promise<User>;
declare function fetchUser(id: number): Promise<User>;
declare function fetchRates(): Promise<Rates>;
declare function loadFlags(): Promise<Record<string, boolean>>;
declare function getResource(tenant: string, id: number): Promise<unknown>;
declare function runQuery(query: string): Promise<unknown>;
declare function key(a: string, b: string): string;
declare function createHash(algorithm: string): import('node:crypto').Hash;
declare const server: import('node:http').Server;
declare const pool: import('piscina').Piscina;
`;

const STRICT = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  target: 'es2022',
  lib: ['es2024', 'esnext.disposable'],
  module: 'nodenext',
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
  types: ['node'],
};

interface Snippet {
  readonly page: string;
  /** Of the line that opens the fence, from 1. */
  readonly line: number;
  readonly code: string;
}

const FENCE = /^```(\S*)[ \t]*([^\n]*)\n([\s\S]*?)^```[ \t]*$/gm;

/** The TypeScript of a page, but for what it marks as not to be checked: ` ```ts ignore `, or a first line `// not run`. */
function snippetsOf(page: string, text: string): Snippet[] {
  return [...text.matchAll(FENCE)]
    .filter(([, language, mark, code]) => language === 'ts' && mark !== 'ignore' && !code?.startsWith('// not run'))
    .map((match) => ({ page, line: text.slice(0, match.index).split('\n').length, code: match[3] as string }));
}

const names = Object.keys(library);

/**
 * A module out of a snippet, each line of it at the line it has in its page. A name of the library that the snippet uses
 * and doesn't import is imported, and a body written as \`{ … }\` is one that answers anything.
 */
function moduleOf({ line, code }: Snippet): string {
  const imported = new Set(code.match(/(?<=import (?:type )?\{)[^}]*/g)?.flatMap((list) => list.split(',').map((name) => name.trim())));
  const used = names.filter((name) => !imported.has(name) && new RegExp(`(?<![.\\w])${name}\\b`).test(code));
  const first = used.length === 0 ? 'export {};' : `import { ${used.join(', ')} } from 'advanced-caching';`;
  return first + '\n'.repeat(line) + code.replaceAll('{ … }', '{ throw 0; }');
}

/** What the compiler says of the snippets, a line each, with their places in their pages. */
async function check(t: Scope, snippets: readonly Snippet[]): Promise<string[]> {
  const folder = tempDir(t);
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  symlinkSync(root, join(modules, 'advanced-caching'), 'junction');
  for (const name of ['ioredis', 'piscina', 'prom-client', '@types'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'preamble.d.ts'), PREAMBLE);
  const files = snippets.map((snippet) => `${snippet.page.replaceAll(/\W/g, '_')}_${snippet.line}.ts`);
  for (const [index, file] of files.entries()) writeFileSync(join(folder, file), moduleOf(snippets[index] as Snippet));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: STRICT, files: ['preamble.d.ts', ...files] }));
  const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'];
  const { stdout } = await run(process.execPath, tsc, { cwd: folder }).catch((error: { stdout: string }) => error);
  return stdout
    .split('\n')
    .filter((text) => text.trim() !== '')
    .map((text) =>
      text.replace(/^(\w+\.ts)\((\d+),\d+\)/, (_, file: string, line: string) => {
        const snippet = snippets[files.indexOf(file)];
        return `${snippet?.page}:${line}`;
      }),
    );
}

test('every TypeScript snippet of the documents compiles against the package, strictly', async (t) => {
  const snippets = pages.flatMap((page) => snippetsOf(page, read(join(root, page))));
  t.true(snippets.length > 10);
  t.deepEqual(await check(t, snippets), []);
});

test('a wrong snippet is found, at its line', async (t) => {
  const page = "# A page\n\n```ts\nimport { bg } from 'advanced-caching';\n\nbg.write(60, { keey: 'a' })(fetchRates);\n```\n";
  const found = await check(t, snippetsOf('a.md', page));
  t.regex(found[0] ?? '', /^a\.md:6: error /);
  t.regex(found.join('\n'), /keey/);
});

test('what is marked is left out, and nothing else', (t) => {
  const fence = (opening: string, code: string): string => `\`\`\`${opening}\n${code}\n\`\`\`\n`;
  const text = [fence('ts', 'a'), fence('ts ignore', 'b'), fence('ts', '// not run: why\nc'), fence('js', 'd'), fence('ts', 'e')].join(
    '\n',
  );
  t.deepEqual(
    snippetsOf('p.md', text).map(({ line, code }) => `${line} ${code.trim()}`),
    ['1 a', '18 e'],
  );
});

/** As GitHub makes an anchor out of a heading. */
function anchorsOf(text: string): Set<string> {
  const bare = text.replace(FENCE, '');
  return new Set(
    [...bare.matchAll(/^#+ (.+)$/gm)].map((match) =>
      (match[1] as string)
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(/\s/g, '-'),
    ),
  );
}

/** The relative links of a page that lead nowhere. */
function deadLinks(page: string, text: string): string[] {
  const bare = text.replace(FENCE, '').replaceAll(/`[^`\n]*`/g, '');
  const links = [...bare.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path).replaceAll('\\', '/');
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target === page ? text : read(join(root, target))).has(anchor);
    })
    .map((link) => `${page}: ${link}`);
}

test('every link between the documents leads to a page, and to a heading of it', (t) => {
  t.deepEqual(
    pages.flatMap((page) => deadLinks(page, read(join(root, page)))),
    [],
  );
});

test('a dead link is found', (t) => {
  const text = '# One\n[a](docs/nowhere.md) [b](#two) [c](#one) [d](https://example.com) [e](docs/loaders.md#no-such) [f](package.json)\n';
  t.deepEqual(deadLinks('README.md', text), ['README.md: docs/nowhere.md', 'README.md: #two', 'README.md: docs/loaders.md#no-such']);
});
