// @ts-check
/** Charts as SVG text. Colours are classes, which the page gives for a light and a dark screen. */
import { digits } from '../stats.js';

const WIDTH = 760;
const PALETTE = 7;

/** For a light and for a dark screen, of the page and of a chart that stands alone. */
export const COLOURS = `
:root { color-scheme: light dark; --page: #fdfdfc; --text: #1d2025; --soft: #5c636e; --rule: #dfe2e6; --ours: #c2410c; --other: #8fa3bd; --warn: #a15c00;
  --c0: #2563a8; --c1: #3d8b4f; --c2: #8b4fa8; --c3: #8a6d1d; --c4: #0f8a8a; --c5: #b0467a; --c6: #5b6470; }
@media (prefers-color-scheme: dark) { :root { --page: #16181c; --text: #e6e8eb; --soft: #9aa3ae; --rule: #33383f; --ours: #fb8b4b; --other: #5d7590; --warn: #e0a34a;
  --c0: #6ea8e6; --c1: #79c28a; --c2: #c390dd; --c3: #d8b95a; --c4: #5cc7c7; --c5: #e58ab6; --c6: #a5adb8; } }
svg { font: 12px system-ui, sans-serif; } svg text { fill: var(--text); } svg .tick, svg .axis { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--rule); } .mark { stroke: var(--text); stroke-dasharray: 4 3; } .whisker { stroke: var(--text); fill: none; opacity: .65; }
rect.ours { fill: var(--ours); } rect.other { fill: var(--other); }
.line { fill: none; stroke-width: 2; } .line.ours { stroke: var(--ours); stroke-width: 3; } .line.dash1 { stroke-dasharray: 7 4; } .line.dash2 { stroke-dasharray: 2 3; } .line.dash3 { stroke-dasharray: 12 3 2 3; } .dot.ours { fill: var(--ours); }
${Array.from({ length: PALETTE }, (_, i) => `.line.c${i} { stroke: var(--c${i}); } .dot.c${i} { fill: var(--c${i}); }`).join(' ')}
`;

/** @param {string} text */
export const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** @param {number} x @param {number} y @param {string} content @param {string} [more] attributes */
const text = (x, y, content, more = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(content)}</text>`;

/** @param {number} height @param {string} title @param {string[]} body */
function svg(height, title, body) {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">${body.join('')}</svg>`;
}

/** Powers of ten around the values; with 2 and 5 between where that leaves few. @param {number} low @param {number} high */
function logTicks(low, high) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const powers = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  if (powers.length > 4) return powers;
  const all = powers.flatMap((power) => [power, 2 * power, 5 * power]);
  const from = all.findLastIndex((tick) => tick <= low * 1.001);
  const to = all.findIndex((tick) => tick >= high / 1.001);
  return all.slice(Math.max(0, from), Math.max(to, from + 1) + 1);
}

/**
 * @param {number} low @param {number} high @param {boolean} log @param {number} from @param {number} to pixels
 * @returns {{ at: (value: number) => number, ticks: number[] }}
 */
function scale(low, high, log, from, to) {
  if (log) {
    const ticks = logTicks(low, high);
    const [first, last] = [Math.log10(ticks[0] ?? 1), Math.log10(ticks.at(-1) ?? 10)];
    return { at: (value) => from + ((Math.log10(value) - first) / (last - first)) * (to - from), ticks };
  }
  const rough = (high || 1) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((times) => times * unit >= rough) ?? 10) * unit;
  const top = Math.ceil((high || 1) / step - 1e-9) * step;
  const ticks = [];
  for (let i = 0; i * step <= top + step / 2; i++) ticks.push(i * step);
  return { at: (value) => from + (value / top) * (to - from), ticks };
}

/** A tick's number. @param {number} value */
function tickText(value) {
  if (value >= 1e9) return `${value / 1e9}G`;
  if (value >= 1e6) return `${value / 1e6}M`;
  if (value >= 1e4) return `${value / 1e3}k`;
  return String(Number(value.toPrecision(3)));
}

/** @param {Omit<import('../results.js').Bars, 'type'>} chart */
export function barChart({ title, unit, log = false, mark, bars }) {
  const shown = bars.filter(({ value }) => Number.isFinite(value) && (!log || value > 0));
  const left = Math.min(320, 24 + 6.4 * Math.max(...shown.map(({ label }) => label.length), 4));
  const right = WIDTH - 96;
  const row = 24;
  const bottom = 14 + shown.length * row;
  const values = shown.flatMap(({ value, high = value, low = value }) => [value, high, ...(log ? [low] : [])]).concat(mark?.at ?? []);
  const { at, ticks } = scale(Math.min(...values), Math.max(...values), log, left, right);
  const body = ticks.map(
    (tick) =>
      `<line class="grid" x1="${at(tick)}" x2="${at(tick)}" y1="8" y2="${bottom}"/>${text(at(tick), bottom + 16, tickText(tick), 'text-anchor="middle" class="tick"')}`,
  );
  shown.forEach(({ label, value, low, high, ours }, i) => {
    const y = 12 + i * row;
    body.push(text(left - 8, y + 13, label, 'text-anchor="end"'));
    body.push(
      `<rect class="${ours ? 'ours' : 'other'}" x="${left}" y="${y}" width="${Math.max(1, at(value) - left).toFixed(1)}" height="17" rx="2"/>`,
    );
    if (low !== undefined && high !== undefined) {
      const middle = y + 8.5;
      body.push(`<path class="whisker" d="M${at(low)} ${middle}H${at(high)}M${at(low)} ${middle - 4}v8M${at(high)} ${middle - 4}v8"/>`);
    }
    body.push(text(at(Math.max(value, high ?? value)) + 6, y + 13, `${digits(value)} ${unit}`, 'class="figure"'));
  });
  if (mark) {
    body.push(`<line class="mark" x1="${at(mark.at)}" x2="${at(mark.at)}" y1="6" y2="${bottom}"/>`);
    body.push(text(at(mark.at) + 4, bottom + 30, mark.label, 'class="tick"'));
  }
  return svg(bottom + (mark ? 36 : 24), title, body);
}

/** @param {Omit<import('../results.js').Lines, 'type'>} chart */
export function lineChart({ title, x, y, series }) {
  const left = 64;
  const right = WIDTH - 24;
  const top = 12;
  const bottom = 300;
  const shown = series.map((one) => ({
    ...one,
    points: one.points.filter((point) => Number.isFinite(point.y) && (!y.log || point.y > 0) && (!x.log || point.x > 0)),
  }));
  const points = shown.flatMap((one) => [...one.points]);
  if (points.length === 0) return '';
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const across = scale(Math.min(...xs), Math.max(...xs), x.log ?? false, left, right);
  const up = scale(Math.min(...ys), Math.max(...ys), y.log ?? false, bottom, top);
  const body = [];
  for (const tick of across.ticks) {
    body.push(`<line class="grid" x1="${across.at(tick)}" x2="${across.at(tick)}" y1="${top}" y2="${bottom}"/>`);
    body.push(text(across.at(tick), bottom + 16, tickText(tick), 'text-anchor="middle" class="tick"'));
  }
  for (const tick of up.ticks) {
    body.push(`<line class="grid" x1="${left}" x2="${right}" y1="${up.at(tick)}" y2="${up.at(tick)}"/>`);
    body.push(text(left - 6, up.at(tick) + 4, tickText(tick), 'text-anchor="end" class="tick"'));
  }
  const axis = (/** @type {import('../results.js').Axis} */ { label, unit }) => (unit ? `${label}, ${unit}` : label);
  body.push(text((left + right) / 2, bottom + 34, axis(x), 'text-anchor="middle" class="axis"'));
  body.push(text(0, 0, axis(y), `text-anchor="middle" class="axis" transform="translate(14 ${(top + bottom) / 2}) rotate(-90)"`));
  let legendX = left;
  let legendY = bottom + 56;
  let ours = 0;
  let other = 0;
  for (const one of shown) {
    const name = one.ours ? `ours dash${ours++}` : `c${other++ % PALETTE}`;
    const path = one.points
      .map((point, i) => `${i === 0 ? 'M' : 'L'}${across.at(point.x).toFixed(1)} ${up.at(point.y).toFixed(1)}`)
      .join('');
    body.push(`<path class="line ${name}" d="${path}"/>`);
    for (const point of one.points) {
      const told = `${one.name}: ${digits(point.y)} ${y.unit ?? ''} at ${tickText(point.x)} ${x.unit ?? ''}`;
      body.push(
        `<circle class="dot ${name}" cx="${across.at(point.x).toFixed(1)}" cy="${up.at(point.y).toFixed(1)}" r="3.5"><title>${escape(told)}</title></circle>`,
      );
    }
    const width = 46 + one.name.length * 6.6;
    if (legendX > left && legendX + width > right) {
      legendX = left;
      legendY += 20;
    }
    body.push(`<path class="line ${name}" d="M${legendX} ${legendY - 4}h30"/>${text(legendX + 36, legendY, one.name)}`);
    legendX += width;
  }
  return svg(legendY + 12, title, body);
}
