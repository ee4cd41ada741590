// @ts-check
/** The report as one page that needs nothing else: no script, no font, no file beside it. */
import { machineText } from '../machine.js';
import { clockTime } from '../stats.js';
import { barChart, COLOURS, escape, lineChart } from './svg.js';
import { cellText, isFigure } from './terminal.js';

/**
 * @typedef {{ name: string, seconds: number, ended: string, results: readonly import('../results.js').Result[] }} Benchmark `ended`: `'ok'`, or how it failed
 * @typedef {{ machine: import('../machine.js').Machine, quick: boolean, benchmarks: readonly Benchmark[] }} Report
 */

const STYLE = `${COLOURS}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: 1rem; font-size: 1.2rem; } h3 { margin: 1.8rem 0 .4rem; font-size: 1rem; }
nav a { margin-right: 1rem; white-space: nowrap; } a { color: var(--c0); } .soft { color: var(--soft); } .warn { color: var(--warn); font-weight: 600; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; border-bottom: 1px solid var(--rule); white-space: nowrap; } th { color: var(--soft); font-weight: 600; }
.right { text-align: right; } tr.ours td { color: var(--ours); font-weight: 600; }
svg { width: 100%; max-width: 760px; height: auto; }
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

/** @param {string} name */
const idOf = (name) => name.replaceAll(/[^\w]+/g, '-');

/** @param {Report} report */
export function htmlReport({ machine, quick, benchmarks }) {
  const links = benchmarks.map(({ name }) => `<a href="#${idOf(name)}">${name}</a>`).join(' ');
  const sections = benchmarks.map(({ name, seconds, ended, results }) => {
    const failed = ended === 'ok' ? '' : `<p class="warn">${escape(ended)}</p>`;
    return `<section id="${idOf(name)}"><h2>${name} <small class="soft">${clockTime(seconds)}</small></h2>${failed}${results.map(resultHtml).join('\n')}</section>`;
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

/** The charts alone, each as a file that can stand in a document. @param {Report} report @returns {Map<string, string>} by file name */
export function chartFiles({ benchmarks }) {
  const charts = new Map();
  for (const { name, results } of benchmarks) {
    for (const result of results) {
      if (result.type !== 'bars' && result.type !== 'lines') continue;
      const title = `${name} ${result.title}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
      const drawn = result.type === 'bars' ? barChart(result) : lineChart(result);
      const style = `<style>${COLOURS} svg { background: var(--page); }</style>`;
      charts.set(
        `${title.slice(0, 120)}.svg`,
        drawn.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ').replace('>', `>${style}`),
      );
    }
  }
  return charts;
}
