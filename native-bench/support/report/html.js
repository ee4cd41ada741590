// @ts-check
/** The report as one page that needs nothing else: no script, no font, no file beside it. */
import { machineText } from '../machine.js';
import { clockTime } from '../stats.js';
import { barChart, escape, lineChart } from './svg.js';
import { cellText, isFigure } from './terminal.js';

/**
 * @typedef {{ name: string, seconds: number, ended: string, results: readonly import('../results.js').Result[] }} Benchmark `ended`: `'ok'`, or how it failed
 * @typedef {{ machine: import('../machine.js').Machine, quick: boolean, benchmarks: readonly Benchmark[] }} Report
 */

const STYLE = `
:root { color-scheme: light dark; --page: #fdfdfc; --text: #1d2025; --soft: #5c636e; --rule: #dfe2e6; --ours: #c2410c; --other: #8fa3bd; --warn: #a15c00;
  --c0: #2563a8; --c1: #3d8b4f; --c2: #8b4fa8; --c3: #8a6d1d; --c4: #0f8a8a; --c5: #b0467a; --c6: #5b6470; }
@media (prefers-color-scheme: dark) { :root { --page: #16181c; --text: #e6e8eb; --soft: #9aa3ae; --rule: #33383f; --ours: #fb8b4b; --other: #5d7590; --warn: #e0a34a;
  --c0: #6ea8e6; --c1: #79c28a; --c2: #c390dd; --c3: #d8b95a; --c4: #5cc7c7; --c5: #e58ab6; --c6: #a5adb8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: 1rem; font-size: 1.2rem; } h3 { margin: 1.8rem 0 .4rem; font-size: 1rem; }
nav a { margin-right: 1rem; white-space: nowrap; } a { color: var(--c0); } .soft { color: var(--soft); } .warn { color: var(--warn); font-weight: 600; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; border-bottom: 1px solid var(--rule); white-space: nowrap; } th { color: var(--soft); font-weight: 600; }
.right { text-align: right; } tr.ours td { color: var(--ours); font-weight: 600; }
svg { width: 100%; max-width: 760px; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--text); } svg .tick, svg .axis { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--rule); } .mark { stroke: var(--text); stroke-dasharray: 4 3; } .whisker { stroke: var(--text); fill: none; opacity: .65; }
rect.ours { fill: var(--ours); } rect.other { fill: var(--other); } .line { fill: none; stroke-width: 2; } .line.ours { stroke: var(--ours); stroke-width: 3; } .dot.ours { fill: var(--ours); }
${Array.from({ length: 7 }, (_, i) => `.line.c${i} { stroke: var(--c${i}); } .dot.c${i} { fill: var(--c${i}); }`).join(' ')}
`;

/** @param {Omit<import('../results.js').Table, 'type'>} table */
function tableHtml({ columns, rows }) {
  const classes = columns.map(({ key }) => (isFigure(rows, key) ? ' class="right"' : ''));
  const head = columns.map(({ label }, i) => `<th${classes[i]}>${escape(label)}</th>`).join('');
  const body = rows.map((row) => {
    const cells = columns.map(({ key, unit }, i) => `<td${classes[i]}>${escape(cellText(row[key], unit))}</td>`);
    return `<tr${row['ours'] === 1 ? ' class="ours"' : ''}>${cells.join('')}</tr>`;
  });
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}

/** @param {import('../results.js').Result} result */
function resultHtml(result) {
  const note = 'note' in result && result.note ? `<p class="soft">${escape(result.note)}</p>` : '';
  const title = `<h3>${escape(result.title)}</h3>`;
  switch (result.type) {
    case 'table':
      return title + tableHtml(result) + note;
    case 'bars':
      return title + barChart(result) + note;
    case 'lines':
      return title + lineChart(result) + note;
    case 'skipped':
      return `${title}<p class="warn">Skipped: ${escape(result.note)}</p>`;
  }
}

/** @param {Report} report */
export function htmlReport({ machine, quick, benchmarks }) {
  const links = benchmarks.map(({ name }) => `<a href="#${name}">${name}</a>`).join(' ');
  const sections = benchmarks.map(({ name, seconds, ended, results }) => {
    const failed = ended === 'ok' ? '' : `<p class="warn">${escape(ended)}</p>`;
    return `<section id="${name}"><h2>${name} <small class="soft">${clockTime(seconds)}</small></h2>${failed}${results.map(resultHtml).join('\n')}</section>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>advanced-caching: benchmarks</title><style>${STYLE}</style></head><body>
<h1>advanced-caching: benchmarks</h1>
<p>${escape(machineText(machine))}</p>
<p class="soft">${escape(machine.date)}. Medians; in parentheses, and as whiskers, the quartiles. What is compared ran by turns, so ratios hold where absolute times don't.</p>
${quick ? '<p class="warn">A quick run: few rounds and small values. It shows that everything runs; its times say nothing.</p>' : ''}
<nav>${links}</nav>
${sections.join('\n')}
</body></html>
`;
}
