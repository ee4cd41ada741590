/** Lists of rows that open: kept in order, filtered, and never longer than a browser can take. */
export const LISTS: string = String.raw`
/** What the page knows. */
const known = {
  /** @type {Hello | undefined} */
  hello: undefined,
  /** @type {Totals | undefined} */
  totals: undefined,
  /** By kind, and then by id. @type {Record<AnyRow['kind'], Map<string, AnyRow>>} */
  rows: { value: new Map(), function: new Map(), thread: new Map(), error: new Map() },
  /** Unix time of the server when it last spoke, and when that was here. */
  time: { server: 0, here: 0 },
  isLost: true,
};

/** The server's time now; while the connection is lost, that of its last word. */
const now = () => known.time.server + (known.isLost ? 0 : (performance.now() - known.time.here) / 1000);

/** @type {Set<string>} ids of the rows that are open */
const open = new Set();

/** @type {string[]} */
let wanted = [];

/** @type {WeakMap<AnyRow, string>} */
const texts = new WeakMap();

/** @param {AnyRow} row @param {() => string} textOf */
function matches(row, textOf) {
  if (wanted.length === 0) return true;
  let text = texts.get(row);
  if (text === undefined) texts.set(row, (text = textOf().toLowerCase()));
  return wanted.every((word) => /** @type {string} */ (text).includes(word));
}

/**
 * @template {AnyRow} R
 * @typedef {object} ListOptions
 * @property {string} id of the panel
 * @property {R['kind']} kind
 * @property {string[]} columns their names; those that begin with > are figures
 * @property {number} limit
 * @property {(row: R) => string} text what the filter looks at
 * @property {() => (one: R, other: R) => number} order
 * @property {() => boolean} [isLive] whether the order changes by itself: then not under somebody's pointer
 * @property {(row: R) => RowView<R>} make
 * @property {Node} empty what stands there when there is nothing
 */
/**
 * @template {AnyRow} R
 * @typedef {{ cells: HTMLElement, update: (row: R) => void, detail?: (row: R) => { root: HTMLElement, update: (row: R) => void } }} RowView
 */

/** @template {AnyRow} R @param {ListOptions<R>} options */
function makeList({ id, kind, columns, limit, text, order, isLive, make, empty }) {
  const panel = byId(id);
  const counter = byId(id + '-count');
  const head = el('div', 'columns');
  head.setAttribute('aria-hidden', 'true');
  for (const name of columns) head.append(el('span', name.startsWith('>') ? 'num' : '', name.replace('>', '')));
  const body = el('ul');
  const more = el('button', 'more');
  more.type = 'button';
  const nothing = el('div', 'empty', empty);
  const unmatched = el('div', 'empty');
  panel.append(head, body, more, nothing, unmatched);
  let shown = limit;
  more.addEventListener('click', () => {
    shown += 2 * limit;
    draw();
  });
  /** @type {Map<string, { item: HTMLElement, view: RowView<R>, detail: { root: HTMLElement, update: (row: R) => void } | undefined }>} */
  const items = new Map();
  /** @type {string[]} */
  let sequence = [];

  /** @param {R} row */
  function itemOf(row) {
    const there = items.get(row.id);
    if (there) return there;
    const view = make(row);
    const made = { item: el('li', 'row', view.cells), view, detail: undefined };
    items.set(row.id, made);
    const button = view.cells.querySelector('.title button');
    button?.addEventListener('click', () => {
      if (!open.delete(row.id)) open.add(row.id);
      draw();
    });
    return made;
  }

  function draw() {
    const all = /** @type {R[]} */ ([...known.rows[kind].values()]);
    const found = all.filter((row) => matches(row, () => text(row))).sort(order());
    // What was under the pointer a moment ago stays there.
    if (isLive?.() && (panel.matches(':hover') || panel.contains(document.activeElement))) {
      const places = new Map(sequence.map((one, index) => [one, index]));
      const place = (/** @type {R} */ row) => places.get(row.id) ?? Number.MAX_SAFE_INTEGER;
      found.sort((one, other) => place(one) - place(other));
    }
    sequence = found.map((row) => row.id);
    const visible = found.slice(0, shown);
    const ids = new Set(visible.map((row) => row.id));
    for (const [one, { item }] of items) {
      if (ids.has(one)) continue;
      item.remove();
      items.delete(one);
    }
    visible.forEach((row, index) => {
      const one = itemOf(row);
      one.view.update(row);
      const isOpen = open.has(row.id) && one.view.detail !== undefined;
      setClass(one.item, isOpen ? 'row open' : 'row');
      one.view.cells.querySelector('.title button')?.setAttribute('aria-expanded', String(isOpen));
      if (isOpen && !one.detail && one.view.detail) one.item.append((one.detail = one.view.detail(row)).root);
      if (!isOpen && one.detail) {
        one.detail.root.remove();
        one.detail = undefined;
      }
      one.detail?.update(row);
      if (body.children[index] !== one.item) body.insertBefore(one.item, body.children[index] || null);
    });
    head.hidden = body.hidden = found.length === 0;
    more.hidden = found.length <= shown;
    if (!more.hidden) setText(more, 'Show ' + count(Math.min(2 * limit, found.length - shown)) + ' more of ' + count(found.length - shown));
    nothing.hidden = all.length > 0;
    unmatched.hidden = all.length === 0 || found.length > 0;
    if (!unmatched.hidden) setText(unmatched, 'None of the ' + count(all.length) + ' here matches “' + wanted.join(' ') + '”.');
    setText(counter, all.length === 0 ? '' : found.length === all.length ? count(all.length) : count(found.length) + ' of ' + count(all.length));
  }
  return draw;
}

/** The first cell of a row. @param {string} title @param {string} className @param {boolean} opens */
function makeTitle(title, className, opens) {
  const name = opens ? el('button', '', title) : el('b', '', title);
  name.title = title;
  if (name instanceof HTMLButtonElement) name.type = 'button';
  const sub = el('span', 'sub');
  return { root: el('div', 'cell titled', el('h3', 'title ' + className, name), sub), sub };
}

/** The name of a thread, where that is known. @param {string} at */
function threadName(at) {
  const row = known.rows.thread.get('t' + at);
  return row && row.kind === 'thread' ? row.name : 'thread';
}

/** @param {string} at */
const threadLabel = (at) => threadName(at) + ' · ' + at;

/** As people sort: 2 before 10. */
const alphabetical = new Intl.Collator('en', { numeric: true }).compare;
`;
