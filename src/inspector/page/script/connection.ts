/** Keeping the page current: server-sent events, and what the page does when they stay away. */
export const CONNECTION: string = String.raw`
/** The server speaks every second, or every few when it has very much to look at (milliseconds). */
const SILENCE = 15_000;
/** A page that nobody sees rests, so that it costs the application nothing (milliseconds). */
const UNSEEN = 60_000;

/** @type {EventSource | undefined} */
let source;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;
let heardAt = 0;
let lostAt = 0;
let isPaused = false;

const link = byId('link');
const toast = byId('toast');

/** @param {string} tone @param {string} word */
function setLink(tone, word) {
  setClass(link, 'state link ' + tone);
  setText(link, word);
}

function lose() {
  if (!known.isLost || lostAt === 0) lostAt = Date.now();
  if (!known.isLost) known.time = { server: now(), here: performance.now() };
  known.isLost = true;
  setLink(isPaused ? 'off' : 'bad', isPaused ? 'Paused' : 'Disconnected');
  document.body.classList.toggle('lost', known.totals !== undefined);
  setText(toast, 'Disconnected since ' + new Date(lostAt).toLocaleTimeString('en-GB') + '. What you see is from then. Trying again…');
  toast.hidden = isPaused;
}

function find() {
  lostAt = 0;
  known.isLost = false;
  document.body.classList.remove('lost');
  toast.hidden = true;
  setLink('good', 'Live');
}

function connect() {
  clearTimeout(again);
  source?.close();
  const mine = new EventSource(base + '/events');
  source = mine;
  heardAt = performance.now();
  mine.addEventListener('hello', (event) => {
    const before = known.hello;
    const hello = /** @type {Hello} */ (JSON.parse(event.data));
    known.hello = hello;
    // What a row offers depends on what is allowed.
    if (before && (before.allowActions !== hello.allowActions || before.showValues !== hello.showValues)) location.reload();
    setText(byId('app'), appName());
    byId('app').title = hello.namespace;
    setText(byId('place'), 'on ' + hello.host + ' · advanced-caching');
    const rights = [hello.allowActions ? 'it may refresh, invalidate and clear' : '', hello.showValues ? 'it may show values' : '', hello.showMessages ? 'it shows messages of errors' : ''].filter(Boolean);
    setText(byId('mode'), rights.length > 0 ? 'This page was allowed more than to look: ' + rights.join(', ') + '.' : 'This page only looks: it changes nothing, and shows no cached value. allowActions and showValues would allow that.');
  });
  mine.addEventListener('rows', (event) => {
    const { now: server, isFirst, isComplete, totals, trouble, removed, rows } = /** @type {RowsEvent} */ (JSON.parse(event.data));
    heardAt = performance.now();
    known.time = { server, here: heardAt };
    known.totals = totals;
    for (const of of Object.values(known.rows)) {
      if (isFirst) of.clear();
      for (const id of removed) of.delete(id);
    }
    for (const row of rows) known.rows[row.kind].set(row.id, row);
    find();
    if (trouble || totals.unreadable > 0) {
      setText(toast, trouble ? 'Other threads can not be seen: ' + trouble : plural(totals.unreadable, 'file') + ' of other threads could not be read: of another release, perhaps.');
      toast.hidden = false;
    }
    if (isComplete || isFirst) soon();
  });
  mine.addEventListener('error', () => {
    if (source !== mine) return;
    lose();
    // The browser tries again by itself, unless it was refused.
    if (mine.readyState === EventSource.CLOSED) again = setTimeout(connect, 2000);
  });
}

let isDue = false;

/** Once a frame, however much came. */
function soon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw();
  });
}

function draw() {
  drawTotals();
  drawValues();
  drawFunctions();
  drawThreads();
  drawErrors();
}

const filter = /** @type {HTMLInputElement} */ (byId('filter'));
filter.addEventListener('input', () => {
  wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  soon();
});
document.addEventListener('keydown', (event) => {
  const at = document.activeElement;
  const isTyping = at instanceof HTMLInputElement || at instanceof HTMLSelectElement;
  if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    filter.focus();
    filter.select();
  }
  if (event.key === 'Escape' && at === filter) {
    filter.value = '';
    filter.dispatchEvent(new Event('input'));
    filter.blur();
  }
});

/** @type {ReturnType<typeof setTimeout> | undefined} */
let unseen;
document.addEventListener('visibilitychange', () => {
  clearTimeout(unseen);
  if (document.hidden) {
    unseen = setTimeout(() => {
      isPaused = true;
      source?.close();
      lose();
    }, UNSEEN);
  } else if (isPaused) {
    isPaused = false;
    setLink('calm', 'Connecting');
    connect();
  }
});

// A connection may be dead without a word: the machine slept, or the process was stopped.
setInterval(() => {
  if (isPaused || performance.now() - heardAt < SILENCE) return;
  lose();
  connect();
}, 1000);

connect();
`;
