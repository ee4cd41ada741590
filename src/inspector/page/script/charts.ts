/** Small charts, as inline SVG. Each says in words what it shows. */
export const CHARTS: string = String.raw`
const WIDTH = 160;
const HEIGHT = 30;

/** @param {string} d @param {string} className */
const path = (d, className) => svg('path', { d, class: className });

function makeChart() {
  const title = svg('title', {});
  const parts = { base: path('M0 29.5H160', 'base'), ok: path('', 'ok'), no: path('', 'no'), area: path('', 'area'), line: path('', 'line') };
  const root = svg(
    'svg',
    { class: 'chart', viewBox: '0 0 160 30', preserveAspectRatio: 'none', role: 'img' },
    title,
    ...Object.values(parts),
  );
  /** @param {string} words */
  const say = (words) => {
    setText(title, words);
    setAttribute(root, 'aria-label', words);
  };
  return {
    root,

    /**
     * A bar for each, the newest at the right; those that failed are red and of full height.
     * @param {readonly (readonly [at: number, size: number, isGood: number])[]} samples @param {number} most @param {string} words
     */
    bars(samples, most, words) {
      const slot = WIDTH / most;
      const top = Math.max(...samples.map(([, size]) => size), 1e-9);
      let [ok, no] = ['', ''];
      samples.forEach(([, size, isGood], index) => {
        const x = WIDTH - (samples.length - index) * slot;
        const height = isGood ? 3 + (23 * size) / top : 28;
        const bar = 'M' + x.toFixed(2) + ' ' + (29.5 - height).toFixed(2) + 'h' + (slot * 0.68).toFixed(2) + 'v' + height.toFixed(2) + 'h-' + (slot * 0.68).toFixed(2) + 'z';
        if (isGood) ok += bar;
        else no += bar;
      });
      setAttribute(parts.ok, 'd', ok);
      setAttribute(parts.no, 'd', no);
      say(words);
    },

    /**
     * A line over the last seconds.
     * @param {readonly (readonly [at: number, value: number])[]} points negative values are gaps
     * @param {number} now @param {number} seconds @param {number} top @param {string} words
     */
    line(points, now, seconds, top, words) {
      let [line, area] = ['', ''];
      /** @type {[number, number][]} */
      let run = [];
      const flush = () => {
        const first = run[0];
        const last = run[run.length - 1];
        if (first && last) {
          const d = run.map(([x, y]) => x.toFixed(1) + ' ' + y.toFixed(1)).join('L');
          line += 'M' + d + (run.length === 1 ? 'h.01' : '');
          area += 'M' + first[0].toFixed(1) + ' 30L' + d + 'L' + last[0].toFixed(1) + ' 30z';
        }
        run = [];
      };
      for (const [at, value] of points) {
        const x = WIDTH - ((now - at) / seconds) * WIDTH;
        if (x < 0) continue;
        if (value < 0) flush();
        else run.push([Math.min(x, WIDTH), HEIGHT - 1.5 - (Math.min(value, top) / (top || 1)) * (HEIGHT - 4)]);
      }
      flush();
      setAttribute(parts.line, 'd', line);
      setAttribute(parts.area, 'd', area);
      say(words);
    },
  };
}

/** @param {readonly (readonly [at: number, size: number, isGood: number])[]} refreshes */
function refreshWords(refreshes) {
  if (refreshes.length === 0) return 'No refresh was seen yet';
  const failed = refreshes.filter(([, , isGood]) => !isGood).length;
  const last = refreshes[refreshes.length - 1];
  return 'The last ' + plural(refreshes.length, 'refresh', 'refreshes') + ': ' + (failed ? failed + ' failed' : 'none failed') + '; the last one took ' + span(last && last[1]);
}
`;
