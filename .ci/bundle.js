// @ts-check
/**
 * Makes the JavaScript of `dist/` out of that of `build/`, in a few files: Node takes half a millisecond and 40 kB of memory for each module that
 * a thread imports, and every thread of every process imports this library (`native-bench/import.js` measures it).
 *
 * Each module stays importable by its own path too, for the tests: such a file only hands on what is in one of the chunks, so that
 * tests look at the code, and the state, that users have. The package leaves these files out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

const root = fileURLToPath(new URL('..', import.meta.url));
const build = join(root, 'build');

/**
 * What a process or a thread begins with, and the chunk for what it needs. A module that several need is in the first of their chunks, so that a thread loads
 * little more than it runs. The entries are files of their own: a chunk only declares, and those of the threads run.
 */
const ENTRIES = new Map([
  ['link/thread/link-thread.js', 'link'],
  ['bg/loader-thread.js', 'loader'],
  ['index.js', 'library'],
  ['exporters/index.js', 'exporters'],
  ['inspector/index.js', 'inspector'],
  ['testing/index.js', 'testing'],
]);

const modules = readdirSync(build, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.replaceAll(sep, '/'));

/** Where in `dist/` a module is found, without `.js`. The threads' are beside the chunk that starts them. @param {string} file */
const placeOf = (file) => (ENTRIES.has(file) ? file.replace(/^.*\/(?=[a-z]+-thread)/, '') : file).slice(0, -'.js'.length);

/** @type {Map<string, string>} By absolute paths. */
const chunks = new Map();

/** @param {string} id @param {string} chunk @param {import('rollup').GetModuleInfo} infoOf */
function claim(id, chunk, infoOf) {
  const info = infoOf(id);
  if (!info || info.isExternal || chunks.has(id)) return;
  chunks.set(id, chunk);
  for (const needed of info.importedIds) claim(needed, chunk, infoOf);
}

const bundle = await rollup({
  input: Object.fromEntries(modules.map((file) => [placeOf(file), join(build, file)])),
  external: (source) => !source.startsWith('.') && !source.startsWith(build),
  treeshake: false,
  preserveEntrySignatures: 'strict',
  onwarn(warning) {
    throw new Error(warning.message);
  },
  plugins: [
    {
      name: 'maps-of-tsc',
      load: (id) => ({
        code: readFileSync(id, 'utf8').replace(/\/\/# sourceMappingURL=.*\s*$/, ''),
        map: readFileSync(`${id}.map`, 'utf8'),
      }),
    },
  ],
});
await bundle.write({
  dir: join(root, 'dist'),
  format: 'es',
  sourcemap: true,
  sourcemapExcludeSources: true,
  generatedCode: 'es2015',
  hoistTransitiveImports: false,
  entryFileNames: '[name].js',
  chunkFileNames: '[name].js',
  manualChunks(id, { getModuleInfo }) {
    if (chunks.size === 0) for (const [entry, chunk] of ENTRIES) claim(join(build, entry), chunk, getModuleInfo);
    return ENTRIES.has(id.slice(build.length + 1).replaceAll(sep, '/')) ? undefined : chunks.get(id);
  },
});
await bundle.close();
