/** Making and changing elements. Text goes in as text: nothing here takes HTML. */
export const DOM: string = String.raw`
/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error('There is no #' + id);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} [className] @param {...(Node | string)} children
 */
function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/**
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag @param {Record<string, string>} attributes @param {...Node} children
 */
function svg(tag, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Touches nothing that is as it should be, so that a selection stays. @param {Element} node @param {string} text */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {Element} node @param {string} name @param {string} value */
function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** @param {Element} node @param {string} name */
function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

/** By kind of thing: its states, each with a tone and a word. @type {Record<string, Record<string, [tone: string, word: string]>>} */
const STATES = {
  value: {
    live: ['good', 'Live'],
    waiting: ['calm', 'Waiting'],
    stale: ['warn', 'Stale'],
    interrupted: ['warn', 'Interrupted'],
    failing: ['bad', 'Failing'],
    closed: ['off', 'Closed'],
    gone: ['off', 'Gone'],
  },
  writer: {
    live: ['good', 'Writes'],
    initializing: ['calm', 'Loading'],
    standby: ['off', 'Stands by'],
    interrupted: ['bad', 'Failing'],
    closed: ['off', 'Closed'],
    gone: ['off', 'Gone'],
  },
  mirror: {
    live: ['good', 'Live'],
    initializing: ['calm', 'Waiting'],
    interrupted: ['warn', 'Interrupted'],
    closed: ['off', 'Closed'],
    gone: ['off', 'Gone'],
  },
  thread: {
    live: ['good', 'Live'],
    silent: ['warn', 'Silent'],
    stopped: ['warn', 'Stopped'],
    died: ['bad', 'Died'],
    ended: ['off', 'Ended'],
  },
};

/** @param {Element} node @param {string} kind @param {string} state */
function setState(node, kind, state) {
  const [tone, word] = (STATES[kind] || {})[state] || ['off', state];
  setClass(node, 'state ' + tone);
  setText(node, word);
}

/** A cell of a row: on a phone with its column's name above it. @param {string} label @param {string} className @param {...Node} content */
function cell(label, className, ...content) {
  return el('span', 'cell ' + className, el('span', 'label', label), ...content);
}

function chevron() {
  return svg(
    'svg',
    { class: 'chevron turn', viewBox: '0 0 16 16', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'aria-hidden': 'true' },
    svg('path', { d: 'm6 3.5 4.5 4.5L6 12.5', 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }),
  );
}

/** Names and what they are, each made once. @param {HTMLDListElement} list @param {[string, string][]} facts */
function setFacts(list, facts) {
  facts.forEach(([name, value], index) => {
    let pair = list.children[index];
    if (!pair) list.append((pair = el('div', '', el('dt'), el('dd'))));
    const [dt, dd] = pair.children;
    if (dt) setText(dt, name);
    if (dd) setText(dd, value);
  });
  while (list.children.length > facts.length) list.lastElementChild?.remove();
}

/**
 * A table whose cells are made once.
 * @typedef {{ text: string, kind?: 'num' | 'text' | 'mono', state?: string }} TableCell
 * @param {string[]} columns those that begin with > are figures
 */
function makeTable(columns) {
  const head = el('tr');
  for (const name of columns) head.append(el('th', name.startsWith('>') ? 'num' : '', name.replace('>', '')));
  const body = el('tbody');
  const root = el('div', 'scroll', el('table', '', el('thead', '', head), body));
  return {
    root,
    /** @param {TableCell[][]} rows */
    set(rows) {
      rows.forEach((cells, index) => {
        const row = body.rows[index] || body.insertRow();
        cells.forEach(({ text, kind, state }, at) => {
          const td = row.cells[at] || row.insertCell();
          setClass(td, kind || '');
          if (!state) return setText(td, text);
          let pill = td.firstElementChild;
          if (!pill) td.append((pill = el('span')));
          setState(pill, state, text);
        });
      });
      while (body.rows.length > rows.length) body.deleteRow(-1);
    },
  };
}
`;
