/** The functions that cache() made, those that are alike as one. */
export const FUNCTIONS: string = String.raw`
/** @param {FunctionRow} row @param {string} operation */
const latencyOf = (row, operation) => row.latencies.find((one) => one.operation === operation);

/** @param {FunctionRow} row */
const allHits = (row) => (row.hits + row.misses === 0 ? -1 : (100 * row.hits) / (row.hits + row.misses));

/** What is shown: that of the last minute, or before the first lookup in it, of all time. @param {FunctionRow} row */
const hitsOf = (row) => (row.recentHitPercent >= 0 ? row.recentHitPercent : allHits(row));

/** @param {FunctionRow} row */
const errorsOf = (row) => row.errors.reduce((sum, one) => sum + one.count, 0);

/** @param {FunctionRow} row */
const keyText = (row) => row.template || 'keys made by a function';

/** @param {FunctionRow} row */
const lifeText = (row) => (row.ttl === 0 ? 'not cached (ttl 0)' : life(row.ttl) + (row.stale === 0 ? '' : ' + ' + life(row.stale) + ' stale'));

/** @param {FunctionRow} first */
function makeFunction(first) {
  const { root: title, sub } = makeTitle(first.name, '', true);
  sub.classList.add('mono');
  const store = el('span', 'value clip', first.store);
  const kept = el('span', 'sub', lifeText(first));
  const bar = el('i');
  const hits = el('span', 'figure');
  const meter = el('span', 'meter', bar);
  const chart = makeChart();
  const lookups = el('span', 'figure');
  const load = el('span', 'value');
  const worst = el('span', 'sub');
  const errors = el('span', 'value');
  const cells = el(
    'div',
    'cells',
    title,
    cell('Store', 'store', store, kept),
    cell('Hit rate', 'half', el('span', 'both', meter, hits)),
    cell('Lookups a second', 'half', el('span', 'both', chart.root, lookups)),
    cell('Load time', 'num', load, worst),
    cell('Errors', 'num', errors),
    chevron(),
  );
  return {
    cells,
    /** @param {FunctionRow} row */
    update(row) {
      setText(sub, keyText(row));
      const share = hitsOf(row);
      meter.hidden = !row.isCounted || share < 0;
      bar.style.transform = 'scaleX(' + Math.max(0, share) / 100 + ')';
      setText(hits, row.isCounted ? percent(share) : 'not counted');
      setClass(hits, row.isCounted && share >= 0 ? 'figure' : 'figure faint');
      const points = row.points.map(([at, value]) => /** @type {[number, number]} */ ([at, value]));
      const top = Math.max(1, ...points.map(([, value]) => value));
      const holding = points.length > 0 ? [...points, /** @type {[number, number]} */ ([now(), row.rate])] : points;
      chart.line(holding, now(), 60, top, 'Lookups a second in the last minute, now ' + rate(row.rate) + ', at most ' + rate(top));
      setText(lookups, row.isCounted ? rate(row.rate) : NONE);
      const loads = latencyOf(row, 'load');
      setText(load, loads ? span(loads.p50) : NONE);
      setText(worst, loads ? 'p95 ' + span(loads.p95) : '');
      const failed = errorsOf(row);
      setText(errors, count(failed));
      setClass(errors, failed > 0 ? 'value strong-bad' : 'value faint');
    },
    detail: makeFunctionDetail,
  };
}

/** @param {FunctionRow} first */
function makeFunctionDetail(first) {
  const facts = el('dl');
  const uncounted = el(
    'p',
    'notice',
    'Nothing is counted here: this function was cached before advanced-caching/inspector was loaded. Import that module before the one that has this function, or give the function metrics: new InMemoryMetrics().',
  );
  const speedTitle = el('h4', '', 'How long things take');
  const speeds = makeTable(['Operation', '>Times', '>Average', '>p50', '>p95', '>p99']);
  const threadsTitle = el('h4', '', 'Threads');
  const threads = makeTable(['Thread', '>Hits', '>Misses', '>Hit rate', '>Lookups/s', '>Entries']);
  const errorsTitle = el('h4', '', 'Errors');
  const errors = makeTable(['Type', 'Operation', '>Times']);
  const actions = makeActions();
  const id = first.id.slice(1);
  const hello = known.hello;
  if (hello && (hello.showValues || hello.allowActions)) actions.input('A key, such as ' + (first.template || 'user:42').replace(/\{[^}]*\}/g, '42'));
  if (hello && hello.showValues) actions.button({ label: 'Show the entry', busy: 'Asking…', needsKey: true, shows: true, wanted: { action: 'entry', target: id } });
  if (hello && hello.allowActions) {
    actions.button({ label: 'Invalidate', busy: 'Removing…', className: 'main', needsKey: true, wanted: { action: 'invalidate', target: id } });
    actions.button({ label: 'Clear the store', busy: 'Clearing…', className: 'danger', confirm: 'Remove everything in it?', wanted: { action: 'clear', target: id } });
  }
  const root = el('div', 'detail', facts, uncounted, speedTitle, speeds.root, threadsTitle, threads.root, errorsTitle, errors.root);
  if (!actions.isEmpty) root.append(actions.root);
  return {
    root,
    /** @param {FunctionRow} row */
    update(row) {
      setFacts(facts, [
        ['Key', keyText(row)],
        ['Fresh for', lifeText(row)],
        ['Store', row.store],
        ['Entries', row.entries === undefined ? 'not known' : count(row.entries)],
        ['Hits', row.isCounted ? count(row.hits) : NONE],
        ['Misses', row.isCounted ? count(row.misses) : NONE],
        ['Hit rate since the start', row.isCounted ? percent(allHits(row)) : NONE],
        ['Background refreshes', count(row.refreshes) + (row.failedRefreshes ? ', ' + count(row.failedRefreshes) + ' failed' : '')],
        ['Invalidated', count(row.deletes)],
        ['Functions like this', plural(row.copies, 'function') + ' in ' + plural(row.threadCount, 'thread')],
      ]);
      uncounted.hidden = row.isCounted;
      speedTitle.hidden = speeds.root.hidden = row.latencies.length === 0;
      setText(speedTitle, row.threadCount > 1 ? 'How long things take (percentiles: of the slowest thread)' : 'How long things take');
      speeds.set(
        row.latencies.map((one) => [
          { text: one.operation === 'load' ? 'load (your function)' : one.operation },
          { text: count(one.count), kind: 'num' },
          { text: span(one.avg), kind: 'num' },
          { text: span(one.p50), kind: 'num' },
          { text: span(one.p95), kind: 'num' },
          { text: span(one.p99), kind: 'num' },
        ]),
      );
      threadsTitle.hidden = threads.root.hidden = row.threadCount < 2;
      threads.set(
        row.threads.map((one) => [
          { text: threadLabel(one.at) },
          { text: count(one.hits), kind: 'num' },
          { text: count(one.misses), kind: 'num' },
          { text: one.hits + one.misses === 0 ? NONE : percent((100 * one.hits) / (one.hits + one.misses)), kind: 'num' },
          { text: rate(one.rate), kind: 'num' },
          { text: one.entries === undefined ? NONE : count(one.entries), kind: 'num' },
        ]),
      );
      errorsTitle.hidden = errors.root.hidden = row.errors.length === 0;
      errors.set(
        row.errors.map((one) => [
          { text: one.type },
          { text: one.operation },
          { text: count(one.count), kind: 'num' },
        ]),
      );
    },
  };
}

/** @type {Record<string, (one: FunctionRow, other: FunctionRow) => number>} */
const ORDERS = {
  name: () => 0,
  rate: (one, other) => other.rate - one.rate,
  hits: (one, other) => (hitsOf(one) < 0 ? 101 : hitsOf(one)) - (hitsOf(other) < 0 ? 101 : hitsOf(other)),
  load: (one, other) => (latencyOf(other, 'load')?.p50 ?? -1) - (latencyOf(one, 'load')?.p50 ?? -1),
  errors: (one, other) => errorsOf(other) - errorsOf(one),
};

const sort = /** @type {HTMLSelectElement} */ (byId('sort'));

const drawFunctionList = makeList({
  id: 'functions',
  kind: /** @type {'function'} */ ('function'),
  columns: ['Function and key', 'Store', 'Hit rate', 'Lookups a second', '>Load time', '>Errors', ''],
  limit: 50,
  text: (/** @type {FunctionRow} */ row) => [row.name, row.template, row.store].join(' '),
  order: () => {
    const by = ORDERS[sort.value] || ORDERS['name'];
    return (one, other) => (by ? by(one, other) : 0) || alphabetical(one.name, other.name) || alphabetical(one.id, other.id);
  },
  isLive: () => sort.value !== 'name',
  make: makeFunction,
  empty: el(
    'div',
    '',
    el('b', '', 'No cached function yet'),
    'Here are the functions that cache() wraps, in each thread that has joined: how often they hit, and how long a load takes.',
    el('pre', '', "const userById = cache('1m', { key: 'user:{}' }, loadUser);"),
  ),
});

function drawFunctions() {
  if (sort.parentElement) sort.parentElement.hidden = known.rows.function.size < 2;
  drawFunctionList();
}
sort.addEventListener('change', drawFunctions);
`;
