/** The values of bg: one row each, with everybody who writes or reads it. */
export const VALUES: string = String.raw`
/** @param {ValueRow} row */
function writerOf(row) {
  const first = row.writers[0];
  return first && first.state !== 'standby' && first.state !== 'closed' && first.state !== 'gone' ? first : undefined;
}

/** @type {Record<string, string>} */
const SCOPES = { process: 'in each process', host: 'on this host', fleet: 'in the fleet' };

/** @param {ValueRow} row */
function about(row) {
  const parts = [row.scope ? 'one writer ' + (SCOPES[row.scope] || row.scope) : 'only followed here'];
  if (row.rate >= 0.5) parts.push(rate(row.rate) + ' reads/s');
  return parts.join(' · ');
}

/** @param {ErrorReport | undefined} error */
const errorText = (error) => (error ? error.name + (error.code && error.code !== error.name ? ' (' + error.code + ')' : '') + (error.message ? ': ' + error.message : '') : '');

/** @param {ValueRow} first */
function makeValue(first) {
  const { root: title, sub } = makeTitle(first.key, '', true);
  const state = el('span');
  const version = el('span', 'value');
  const years = el('span', 'value');
  const writer = el('span', 'value');
  const next = el('span', 'sub');
  const chart = makeChart();
  const took = el('span', 'figure');
  const readers = el('span', 'value');
  const cells = el(
    'div',
    'cells',
    title,
    cell('State', 'stateful', state),
    cell('Version', 'num', version),
    cell('Age', 'num', years),
    cell('Written by', 'half', writer, next),
    cell('Refreshes', 'half', el('span', 'both', chart.root, took)),
    cell('Mirrors', 'num readers', readers),
    chevron(),
  );
  writer.classList.add('clip');
  version.addEventListener('animationend', () => version.classList.remove('fresh'));
  let last = first.version;
  return {
    cells,
    /** @param {ValueRow} row */
    update(row) {
      setText(sub, about(row));
      setState(state, 'value', row.state);
      setText(version, row.version ? count(row.version) : NONE);
      if (row.version !== last) version.classList.add('fresh');
      last = row.version;
      setText(years, row.createdAt ? age(now() - row.createdAt) : NONE);
      const by = writerOf(row);
      const others = row.writerCount - 1;
      setText(writer, by ? threadLabel(by.at) : row.writerCount > 0 ? 'nobody now' : row.version ? 'a thread not joined' : 'nobody yet');
      setText(next, by ? nextText(by) + (others > 0 ? ' · ' + others + (row.scope === 'process' ? ' more' : ' in reserve') : '') : row.writerCount > 0 ? plural(row.writerCount, 'writer') + ' in reserve' : '');
      chart.bars(row.refreshes, 40, refreshWords(row.refreshes));
      setText(took, by && by.lastDuration !== undefined && by.lastDuration !== null ? span(by.lastDuration) : NONE);
      setText(readers, count(row.readerCount));
    },
    detail: makeValueDetail,
  };
}

/** @param {ValueRow['writers'][number]} writer */
function nextText(writer) {
  if (!writer.nextAt) return writer.state === 'initializing' ? 'loads for the first time' : 'no schedule';
  const left = writer.nextAt - now();
  return left <= 0 ? 'loads now' : 'next in ' + span(Math.ceil(left));
}

/** @param {ValueRow} first */
function makeValueDetail(first) {
  const facts = el('dl');
  const trouble = el('p', 'notice bad');
  const writers = makeTable(['Writer', 'State', '>Version', '>Refreshed', '>Failed', '>Late', '>Took', 'Last error']);
  const readers = makeTable(['Mirror in', 'State', 'By way of', '>Version', '>Age', '>Reads/s', '>Decoded', '>Refused', 'Last error']);
  const writersTitle = el('h4', '', 'Writers');
  const readersTitle = el('h4', '', 'Mirrors');
  const actions = makeActions();
  const hello = known.hello;
  if (hello && hello.allowActions) actions.button({ label: 'Refresh now', busy: 'Refreshing…', className: 'main', wanted: { action: 'refresh', target: first.key } });
  if (hello && hello.showValues) actions.button({ label: 'Show the value', busy: 'Asking…', shows: true, wanted: { action: 'value', target: first.key } });
  const root = el('div', 'detail', facts, trouble, writersTitle, writers.root, readersTitle, readers.root);
  if (!actions.isEmpty) root.append(actions.root);
  return {
    root,
    /** @param {ValueRow} row */
    update(row) {
      const by = writerOf(row);
      setFacts(facts, [
        ['Key', row.key],
        ['Loaded at', clock(row.createdAt)],
        ['Next refresh', by ? nextText(by) : NONE],
        ['Refreshes', by ? count(by.refreshes) + (by.failures ? ', ' + count(by.failures) + ' failed' : '') : NONE],
        ['Started late', by ? count(by.late) : NONE],
        ['Epoch', by ? count(by.epoch) : NONE],
      ]);
      const failing = row.writers.find((one) => one.consecutiveFailures > 0 && one.lastError);
      trouble.hidden = !failing;
      if (failing) setText(trouble, plural(failing.consecutiveFailures, 'refresh', 'refreshes') + ' in a row failed, the last one at ' + clock(failing.lastError && failing.lastError.time) + ' with ' + errorText(failing.lastError) + '. The value before stays.');
      writersTitle.hidden = writers.root.hidden = row.writers.length === 0;
      writers.set(
        row.writers.map((one) => [
          { text: threadLabel(one.at) },
          { text: one.state, state: 'writer' },
          { text: count(one.version), kind: 'num' },
          { text: count(one.refreshes), kind: 'num' },
          { text: count(one.failures), kind: 'num' },
          { text: count(one.late), kind: 'num' },
          { text: span(one.lastDuration), kind: 'num' },
          { text: one.lastError ? errorText(one.lastError) + ', ' + clock(one.lastError.time) : NONE, kind: 'text' },
        ]),
      );
      readersTitle.hidden = readers.root.hidden = row.readers.length === 0;
      setText(readersTitle, row.readers.length < row.readerCount ? 'Mirrors, the first ' + row.readers.length : 'Mirrors');
      readers.set(
        row.readers.map((one) => [
          { text: threadLabel(one.at) },
          { text: one.isStale && one.state !== 'gone' ? 'stale' : one.state, state: one.isStale && one.state !== 'gone' ? 'value' : 'mirror' },
          { text: one.via ? VIAS[one.via] || one.via : NONE },
          { text: one.version ? count(one.version) : NONE, kind: 'num' },
          { text: one.createdAt ? age(now() - one.createdAt) : NONE, kind: 'num' },
          { text: rate(one.rate), kind: 'num' },
          { text: count(one.decodes), kind: 'num' },
          { text: count(one.refused), kind: 'num' },
          { text: one.lastError ? errorText(one.lastError) + ', ' + clock(one.lastError.time) : NONE, kind: 'text' },
        ]),
      );
    },
  };
}

/** @type {Record<string, string>} */
const VIAS = { process: 'shared memory', host: 'the host', store: 'a store' };

/** @type {Record<string, number>} the worst first */
const URGENCY = { failing: 0, interrupted: 1, stale: 2, waiting: 3 };

/** @param {ValueRow} row */
const urgency = (row) => URGENCY[row.state] ?? 9;

const drawValues = makeList({
  id: 'values',
  kind: /** @type {'value'} */ ('value'),
  columns: ['Key', 'State', '>Version', '>Age', 'Written by', 'Refreshes', '>Mirrors', ''],
  limit: 50,
  text: (/** @type {ValueRow} */ row) => [row.key, row.state, row.scope, ...row.writers.map((one) => threadLabel(one.at))].join(' '),
  order: () => (one, other) => urgency(one) - urgency(other) || alphabetical(one.key, other.key),
  make: makeValue,
  empty: el(
    'div',
    '',
    el('b', '', 'No value yet'),
    'Here are the values that bg.write refreshes and bg.read mirrors, in each thread that has joined.',
    el('pre', '', "bg.write('30s', { key: 'rates', scope: 'host' })(fetchRates);\nconst rates = bg.read('rates');"),
  ),
});
`;
