/** Threads and errors. */
export const THREADS: string = String.raw`
/** @param {ThreadRow} first */
function makeThread(first) {
  const { root: title, sub } = makeTitle(first.name, 'plain', true);
  const state = el('span');
  const up = el('span', 'value');
  const memory = el('span', 'value');
  const heap = el('span', 'sub');
  const chart = makeChart();
  const delay = el('span', 'figure');
  const busy = el('span', 'value');
  const has = el('span', 'value sub');
  const cells = el(
    'div',
    'cells',
    title,
    cell('State', 'stateful', state),
    cell('Up for', 'num', up),
    cell('Memory', 'num', memory, heap),
    cell('Loop: longest delay', 'half', el('span', 'both', chart.root, delay)),
    cell('Busy', 'num busy', busy),
    cell('Has', 'has half', has),
    chevron(),
  );
  return {
    cells,
    /** @param {ThreadRow} row */
    update(row) {
      setText(sub, 'process ' + row.pid + (row.isMain ? ', main thread' : ', thread ' + row.thread));
      setState(state, 'thread', row.state);
      const isGone = row.state === 'died' || row.state === 'ended';
      setText(up, span((isGone ? row.since : now()) - row.startedAt));
      setText(memory, row.isMain ? bytes(row.memory.rss) : bytes(row.memory.heapUsed));
      setText(heap, row.isMain ? 'heap ' + bytes(row.memory.heapUsed) : 'heap');
      chart.bars(
        row.delays.map((one) => /** @type {[number, number, number]} */ ([0, one, 1])),
        40,
        'The longest delay of the event loop in each of the last ' + row.delays.length + ' looks; in the last one ' + span(row.loop.max),
      );
      setText(delay, isGone ? NONE : span(row.loop.max));
      setText(busy, isGone ? NONE : Math.round(row.loop.busy * 100) + ' %');
      setText(has, [row.writers ? plural(row.writers, 'writer') : '', row.mirrors ? plural(row.mirrors, 'mirror') : '', row.functions ? plural(row.functions, 'function') : ''].filter(Boolean).join(', ') || 'nothing yet');
    },
    detail: makeThreadDetail,
  };
}

/** @type {Record<string, string>} */
const FATES = {
  silent: 'It has told nothing since, though it runs: its event loop is blocked.',
  stopped: 'Its process was stopped, by a debugger or SIGSTOP.',
  died: 'It is gone without a farewell: killed, crashed, or terminated. This row goes a minute after.',
  ended: 'It has ended. This row goes a minute after.',
};

function makeThreadDetail() {
  const facts = el('dl');
  const fate = el('p', 'notice warn');
  const helpers = makeTable(['Thread of the library', 'State', '>Restarts', 'Last error']);
  const root = el('div', 'detail', facts, fate, helpers.root);
  return {
    root,
    /** @param {ThreadRow} row */
    update(row) {
      setFacts(facts, [
        ['Process and thread', row.pid + ', ' + row.thread],
        ['Node.js', row.node],
        ['Started at', clock(row.startedAt)],
        ['Memory of the process', bytes(row.memory.rss)],
        ['Heap', bytes(row.memory.heapUsed) + ' of ' + bytes(row.memory.heapTotal)],
        ['Outside the heap', bytes(row.memory.external)],
        ['Event-loop delay', 'p50 ' + span(row.loop.p50) + ', p99 ' + span(row.loop.p99)],
        ['Has', [plural(row.writers, 'writer'), plural(row.mirrors, 'mirror'), plural(row.functions, 'cached function')].join(', ') + (row.leftOut ? '; ' + count(row.leftOut) + ' are too many to show' : '')],
      ]);
      const words = FATES[row.state];
      fate.hidden = words === undefined;
      if (words) setText(fate, (STATES['thread']?.[row.state]?.[1] || '') + ' since ' + clock(row.since) + '. ' + words);
      setClass(fate, row.state === 'died' ? 'notice bad' : row.state === 'ended' ? 'notice' : 'notice warn');
      helpers.root.hidden = row.helpers.length === 0;
      helpers.set(
        row.helpers.map((one) => [{ text: one.what }, { text: one.state }, { text: count(one.restarts), kind: 'num' }, { text: one.lastError || NONE }]),
      );
    },
  };
}

const drawThreads = makeList({
  id: 'threads',
  kind: /** @type {'thread'} */ ('thread'),
  columns: ['Thread', 'State', '>Up for', '>Memory', 'Event loop: longest delay', '>Busy', 'Has', ''],
  limit: 40,
  text: (/** @type {ThreadRow} */ row) => [row.name, row.at, row.state, 'process', row.node].join(' '),
  order: () => (one, other) => one.pid - other.pid || one.thread - other.thread,
  make: makeThread,
  empty: el('div', '', el('b', '', 'No thread yet'), 'The first one comes within a second.'),
});

/** @type {Record<ErrorRow['where'], string>} */
const WHERES = { writer: 'writer', mirror: 'mirror', function: 'cached function', thread: 'thread of the library' };

/** @param {ErrorRow} first */
function makeError(first) {
  const { root: title, sub } = makeTitle(first.subject, first.where === 'thread' ? 'plain' : '', false);
  const name = el('span', 'value strong-bad');
  const message = el('span', 'sub wraps');
  const times = el('span', 'value');
  const last = el('span', 'value');
  const cells = el('div', 'cells', title, cell('What', 'full', name, message), cell('Times', 'num', times), cell('Last', 'num', last));
  return {
    cells,
    /** @param {ErrorRow} row */
    update(row) {
      setText(sub, WHERES[row.where]);
      setText(name, row.name + (row.code && row.code !== row.name ? ' (' + row.code + ')' : ''));
      setText(message, row.message || 'Its message may hold anything, so showMessages has to allow it');
      setText(times, count(row.count) + ' ×');
      setText(last, row.time ? age(Math.max(0, now() - row.time)) + ' ago' : 'earlier');
    },
  };
}

const drawErrors = makeList({
  id: 'errors',
  kind: /** @type {'error'} */ ('error'),
  columns: ['Where', 'What', '>Times', '>Last'],
  limit: 20,
  text: (/** @type {ErrorRow} */ row) => [row.subject, row.name, row.code, row.message, WHERES[row.where]].join(' '),
  order: () => (one, other) => other.time - one.time || alphabetical(one.id, other.id),
  make: makeError,
  empty: el('div', '', el('b', '', 'No error'), 'Failed refreshes, failed loads and stores that could not be reached would stand here.'),
});
`;
