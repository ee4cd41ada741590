/** The figures above everything. */
export const TOTALS: string = String.raw`
/** @param {string} name @param {boolean} hasChart */
function makeTotal(name, hasChart) {
  const figure = el('dd');
  const note = el('dd', 'note');
  const chart = makeChart();
  const root = el('div', '', el('dt', '', name), figure);
  if (hasChart) root.append(chart.root);
  else root.append(note);
  byId('totals').append(root);
  return {
    chart,
    /** @param {string} text @param {string} [unit] */
    set(text, unit) {
      if (figure.dataset['text'] === text + unit) return;
      figure.dataset['text'] = text + unit;
      figure.replaceChildren(text);
      if (unit) figure.append(el('small', '', unit));
    },
    /** @param {string} text @param {string} [tone] */
    note(text, tone) {
      setText(note, text);
      setClass(note, 'note ' + (tone || ''));
    },
  };
}

const total = {
  values: makeTotal('Values', false),
  hits: makeTotal('Hit rate, last minute', true),
  lookups: makeTotal('Lookups', true),
  reads: makeTotal('Mirror reads', false),
  delay: makeTotal('Longest delay', false),
  threads: makeTotal('Threads', false),
};

function drawTotals() {
  const sums = known.totals;
  if (!sums) return;
  total.values.set(count(sums.values));
  if (sums.troubled > 0) total.values.note(plural(sums.troubled, 'needs', 'need') + ' attention', 'warn');
  else total.values.note(sums.values === 0 ? 'none in the threads that joined' : 'all as they should be');
  const share = sums.recentHitPercent;
  total.hits.set(share < 0 ? NONE : percent(share).replace(' %', ''), share < 0 ? '' : '%');
  const end = sums.points.length > 0 ? [...sums.points, /** @type {const} */ ([now(), sums.rate, -1])] : sums.points;
  total.hits.chart.line(end.map(([at, , hits]) => [at, hits]), now(), 60, 100, 'Hit rate in the last minute: ' + percent(share));
  total.lookups.set(rate(sums.rate), '/s');
  const top = Math.max(1, ...sums.points.map(([, value]) => value));
  total.lookups.chart.line(end.map(([at, value]) => [at, value]), now(), 60, top, 'Lookups a second in the last minute, now ' + rate(sums.rate));
  total.reads.set(rate(sums.reads), '/s');
  total.reads.note('of values in memory');
  const [figure = '', unit] = span(sums.longestDelay).split(' ');
  total.delay.set(figure, unit);
  total.delay.note(sums.longestDelay > 0.2 ? 'an event loop was blocked' : 'of an event loop, now', sums.longestDelay > 0.2 ? 'warn' : '');
  total.threads.set(count(sums.threads));
  if (sums.lostThreads > 0) total.threads.note(plural(sums.lostThreads, 'is', 'are') + ' silent or dead', 'bad');
  else total.threads.note('in ' + plural(sums.processes, 'process', 'processes'));
  const need = sums.troubled + sums.lostThreads;
  const title = (need > 0 ? '(' + need + ') ' : '') + appName() + ' · inspector';
  if (document.title !== title) document.title = title;
}

function appName() {
  const name = (known.hello && known.hello.namespace) || '';
  return name.split(/[\\/]/).filter(Boolean).pop() || 'Inspector';
}
`;
