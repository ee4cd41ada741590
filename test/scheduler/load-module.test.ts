import test from 'ava';
import { loadLoader } from '../../dist/scheduler/load-module.js';

const href = (file: string): string => new URL(`./fixtures/${file}`, import.meta.url).href;
const call = async (file: string, name?: string): Promise<unknown> =>
  (await loadLoader(href(file), name)).loader({ signal: new AbortController().signal, previous: undefined });

test('takes the default export, the one that the hash names, or the one asked for', async (t) => {
  t.is(await call('loaders.js'), 'default');
  t.is(await call('loaders.js#rates'), 'rates');
  t.is(await call('loaders.js#gr%C3%B6%C3%9Fe'), 'größe');
  t.is(await call('loaders.js#größe'), 'größe');
  t.is(await call('loaders.js#rates', 'default'), 'default');
  t.is((globalThis as { loadersEvaluated?: number }).loadersEvaluated, 1, 'one module, whatever the hash');
});

test('takes CommonJS modules as they come', async (t) => {
  t.is(await call('plain.cjs'), 'commonjs');
  t.is(await call('compiled.cjs'), 'compiled');
  t.is(await call('compiled.cjs#rates'), 'compiled rates');
  t.is(await call('hidden.cjs#hidden'), 'hidden');
});

test('says which exports there are when the one asked for is missing', async (t) => {
  await t.throwsAsync(loadLoader(href('loaders.js#rate')), {
    instanceOf: TypeError,
    message: /loaders\.js to export a function 'rate', it exports 'default', 'größe', 'interval', 'rates'$/,
  });
  await t.throwsAsync(loadLoader(href('empty.js')), { instanceOf: TypeError, message: /'default', it exports nothing$/ });
  await t.throwsAsync(loadLoader(href('loaders.js#toString')), { instanceOf: TypeError, message: /'toString', it exports/ });
  await t.throwsAsync(loadLoader(href('hidden.cjs#toString')), { instanceOf: TypeError, message: /'toString', it exports/ });
});

test('says what came when it is no function, and when the URL is none', async (t) => {
  await t.throwsAsync(loadLoader(href('loaders.js#interval')), {
    instanceOf: TypeError,
    message: /export 'interval' of file:.* to be a function, got 30$/,
  });
  await t.throwsAsync(loadLoader('./refresh.js'), {
    instanceOf: TypeError,
    message: /Expected `loader` to be the URL of a module.* got '\.\/refresh\.js'$/,
  });
  await t.throwsAsync(loadLoader(href('loaders.js#%')), { instanceOf: TypeError, message: /hash/ });
});

test('what the import throws passes through', async (t) => {
  await t.throwsAsync(loadLoader(href('no-such-file.js')), { any: true, code: 'ERR_MODULE_NOT_FOUND' });
});
