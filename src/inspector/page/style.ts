/** The page's one style sheet. */
export const STYLE: string = String.raw`
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --panel: #fff; --raised: #fafbfc; --line: #e2e5ea; --line-strong: #cdd3db;
  --text: #171c24; --quiet: #5a6472; --accent: #2c5bd4; --on-accent: #fff; --track: #e8ebf0;
  --good: #157347; --warn: #925700; --bad: #bd2130; --calm: #2c5bd4; --off: #5d6675;
  --shadow: 0 1px 2px rgb(23 28 36 / 4%), 0 4px 14px rgb(23 28 36 / 4%);
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', 'Segoe UI Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0d1015; --panel: #151a21; --raised: #1a2029; --line: #262d38; --line-strong: #3a4453;
    --text: #e8ecf2; --quiet: #98a3b2; --accent: #86a8ff; --on-accent: #0d1015; --track: #262d38;
    --good: #55cb92; --warn: #eeb44f; --bad: #ff8078; --calm: #86a8ff; --off: #8c97a6;
    --shadow: none;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; overflow-y: scroll; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 14px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
  font-variant-numeric: tabular-nums; font-feature-settings: 'tnum';
}
h1, h2, h3, h4, p, ul, dl, dd, pre { margin: 0; padding: 0; }
ul { list-style: none; }
button, input, select { font: inherit; color: inherit; }
code, pre, .mono { font-family: var(--mono); font-size: .93em; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.wrap { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
.skip { position: absolute; left: 8px; top: -60px; z-index: 9; padding: 8px 12px; background: var(--panel); border-radius: 8px; }
.skip:focus { top: 8px; }

/* ---- the bar */
.bar { position: sticky; top: 0; z-index: 5; background: color-mix(in srgb, var(--panel) 92%, transparent); backdrop-filter: blur(10px); border-bottom: 1px solid var(--line); }
.bar .wrap { display: flex; align-items: center; gap: 12px 16px; min-height: 60px; }
.mark { flex: none; width: 26px; height: 26px; color: var(--accent); }
.app { min-width: 0; flex: 1 1 auto; }
.app h1 { font-size: 16px; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.app p { color: var(--quiet); font-size: 12px; line-height: 1.35; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.filter { position: relative; flex: 0 1 300px; }
.filter input { width: 100%; height: 36px; padding: 0 34px 0 32px; border: 1px solid var(--line-strong); border-radius: 9px; background: var(--panel); font-size: 14px; }
.filter input::placeholder { color: var(--quiet); opacity: 1; }
.filter input::-webkit-search-cancel-button { display: none; }
.filter svg { position: absolute; left: 10px; top: 10px; width: 16px; height: 16px; color: var(--quiet); pointer-events: none; }
.filter kbd { position: absolute; right: 8px; top: 8px; min-width: 20px; height: 20px; border: 1px solid var(--line); border-radius: 5px; color: var(--quiet); background: var(--raised); font: 11px/18px var(--mono); text-align: center; pointer-events: none; }
.filter input:focus + kbd { visibility: hidden; }

/* ---- states: a colour and a word, always both */
.state { --c: var(--off); display: inline-flex; align-items: center; gap: 7px; height: 24px; padding: 0 10px 0 8px; border-radius: 12px; background: color-mix(in srgb, var(--c) 11%, transparent); color: var(--c); font-size: 12.5px; font-weight: 600; white-space: nowrap; }
.state::before { content: ''; width: 8px; height: 8px; border-radius: 50%; background: currentColor; flex: none; }
.state.good { --c: var(--good); } .state.warn { --c: var(--warn); } .state.bad { --c: var(--bad); } .state.calm { --c: var(--calm); }
.state.warn::before { border-radius: 2px; transform: rotate(45deg) scale(.85); }
.state.bad::before { border-radius: 2px; }
.state.calm::before { background: none; box-shadow: inset 0 0 0 2px currentColor; }
.state.off::before { background: none; box-shadow: inset 0 0 0 1.5px currentColor; }
.link { min-width: 118px; justify-content: center; flex: none; }
.link.good::before { animation: beat 2s ease-out infinite; }
@keyframes beat { 0% { box-shadow: 0 0 0 0 color-mix(in srgb, currentColor 45%, transparent); } 70%, 100% { box-shadow: 0 0 0 6px transparent; } }

/* ---- the figures above everything */
main { padding: 24px 0 64px; transition: opacity .25s; }
.lost main { opacity: .55; }
.totals { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); background: var(--line); gap: 1px; border: 1px solid var(--line); border-radius: 14px; overflow: hidden; box-shadow: var(--shadow); }
.totals > div { display: flex; flex-direction: column; padding: 14px 16px 12px; background: var(--panel); min-height: 112px; }
.totals dt { color: var(--quiet); font-size: 12.5px; }
.totals dd { font-size: 26px; line-height: 1.25; font-weight: 640; letter-spacing: -.02em; white-space: nowrap; }
.totals dd small { font-size: 14px; font-weight: 500; letter-spacing: 0; color: var(--quiet); margin-left: 3px; }
.totals .note { margin-top: auto; font-size: 12.5px; line-height: 1.4; color: var(--quiet); letter-spacing: 0; font-weight: 400; white-space: normal; }
.totals .note.warn { color: var(--warn); font-weight: 600; } .totals .note.bad { color: var(--bad); font-weight: 600; }
.totals .chart { margin-top: auto; height: 26px; }

/* ---- sections */
section { margin-top: 32px; }
.head { display: flex; align-items: baseline; flex-wrap: wrap; gap: 4px 12px; margin-bottom: 10px; }
.head h2 { font-size: 18px; line-height: 1.3; font-weight: 650; letter-spacing: -.012em; }
.head .count { color: var(--quiet); font-size: 13px; }
.head .tools { margin-left: auto; display: flex; gap: 10px; align-items: center; color: var(--quiet); font-size: 13px; }
select { height: 30px; padding: 0 8px; border: 1px solid var(--line-strong); border-radius: 8px; background: var(--panel); color: var(--text); font-size: 13px; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; box-shadow: var(--shadow); }
.columns, .row > .cells { display: grid; align-items: center; column-gap: 20px; padding: 0 16px; }
.columns { height: 34px; color: var(--quiet); font-size: 12.5px; background: var(--raised); border-bottom: 1px solid var(--line); }
.row + .row { border-top: 1px solid var(--line); }
.row > .cells { position: relative; min-height: 58px; padding-block: 8px; }
.row > .cells:hover { background: var(--raised); }
.values .columns, .values .cells { grid-template-columns: minmax(0, 1.5fr) 116px 84px 84px minmax(0, 1fr) 164px 64px 16px; }
.functions .columns, .functions .cells { grid-template-columns: minmax(0, 1.5fr) minmax(0, .9fr) 150px 190px 128px 64px 16px; }
.threads .columns, .threads .cells { grid-template-columns: minmax(0, 1.3fr) 124px 84px 118px 190px 56px minmax(0, 1fr) 16px; }
.errors .columns, .errors .cells { grid-template-columns: minmax(0, 1fr) minmax(0, 2fr) 64px 96px; }
.num { text-align: right; white-space: nowrap; }
.cell { min-width: 0; }
.cell > .label { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.title { font-size: 14px; font-weight: 400; min-width: 0; }
.title button { display: block; max-width: 100%; padding: 0; border: 0; background: none; text-align: left; cursor: pointer; font: 600 13.5px/1.45 var(--mono); letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.title.plain button, .title.plain b { font-family: inherit; font-size: 14px; letter-spacing: 0; }
.title button::after { content: ''; position: absolute; inset: 0; }
.title button:focus-visible { outline: none; }
.row > .cells:has(button:focus-visible) { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 12px; }
.sub { display: block; color: var(--quiet); font-size: 12.5px; line-height: 1.4; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sub.mono { font-size: 12px; }
.sub.wraps { white-space: normal; overflow-wrap: anywhere; }
.num .sub { text-align: right; }
.both { display: flex; align-items: center; gap: 12px; justify-content: flex-end; }
.both .chart { flex: 1 1 auto; min-width: 0; }
.both .figure { flex: none; min-width: 56px; text-align: right; }
.meter { display: block; height: 6px; border-radius: 3px; background: var(--track); overflow: hidden; flex: 1 1 auto; min-width: 0; }
.meter i { display: block; height: 100%; border-radius: 3px; background: var(--accent); transform-origin: left; transition: transform .4s; }
.clip { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.value { line-height: 1.45; }
.faint { color: var(--quiet); }
.strong-bad { color: var(--bad); font-weight: 600; }
.fresh { animation: fresh .9s ease-out; border-radius: 4px; }
@keyframes fresh { from { background: color-mix(in srgb, var(--accent) 26%, transparent); box-shadow: 0 0 0 4px color-mix(in srgb, var(--accent) 26%, transparent); } }
.chevron { width: 16px; height: 16px; color: var(--quiet); transition: transform .15s; }
.row.open .chevron { transform: rotate(90deg); }
.more { display: block; width: 100%; padding: 12px; border: 0; border-top: 1px solid var(--line); background: var(--raised); color: var(--accent); font-weight: 600; cursor: pointer; }
.group { padding: 8px 16px; color: var(--quiet); font-size: 12.5px; background: var(--raised); border-top: 1px solid var(--line); }

/* ---- charts */
.chart { display: block; width: 100%; height: 30px; overflow: visible; }
.chart .ok { fill: color-mix(in srgb, var(--accent) 72%, var(--panel)); } .chart .no { fill: var(--bad); }
.chart .line { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; }
.chart .area { fill: color-mix(in srgb, var(--accent) 13%, transparent); }
.chart .base { stroke: var(--line-strong); stroke-width: 1; vector-effect: non-scaling-stroke; }

/* ---- what a row opens */
.detail { padding: 4px 16px 20px; background: var(--panel); border-top: 1px dashed var(--line); }
.detail h4 { margin: 18px 0 6px; font-size: 13px; font-weight: 650; }
.detail dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(176px, 1fr)); gap: 12px 20px; padding-top: 14px; }
.detail dt { color: var(--quiet); font-size: 12.5px; }
.detail dd { overflow-wrap: anywhere; }
.detail .wide { grid-column: 1 / -1; }
.scroll { overflow-x: auto; }
.detail table { width: 100%; border-collapse: collapse; font-size: 13px; }
.detail th { padding: 4px 16px 4px 0; color: var(--quiet); font-weight: 400; font-size: 12.5px; text-align: left; white-space: nowrap; }
.detail td { padding: 5px 16px 5px 0; border-top: 1px solid var(--line); white-space: nowrap; vertical-align: top; }
.detail th:last-child, .detail td:last-child { padding-right: 0; }
.detail th.num, .detail td.num { text-align: right; }
.detail td.text { white-space: normal; min-width: 200px; overflow-wrap: anywhere; }
.detail .state { height: 20px; font-size: 12px; padding: 0 8px 0 6px; }
.notice { margin-top: 14px; padding: 10px 12px; border-radius: 9px; background: color-mix(in srgb, var(--n, var(--calm)) 9%, transparent); font-size: 13px; overflow-wrap: anywhere; }
.notice.bad { --n: var(--bad); } .notice.warn { --n: var(--warn); }
.actions { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-top: 16px; }
.actions input { flex: 1 1 200px; max-width: 340px; height: 34px; padding: 0 10px; border: 1px solid var(--line-strong); border-radius: 8px; background: var(--panel); font-family: var(--mono); font-size: 13px; }
.action { height: 34px; padding: 0 14px; border: 1px solid var(--line-strong); border-radius: 8px; background: var(--panel); font-weight: 600; font-size: 13px; cursor: pointer; }
.action:hover { border-color: var(--quiet); }
.action.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.action.danger { color: var(--bad); } .action.danger.sure { background: var(--bad); border-color: var(--bad); color: var(--on-accent); }
.action:disabled { opacity: .55; cursor: progress; }
.result { min-height: 21px; margin-top: 8px; font-size: 13px; color: var(--quiet); overflow-wrap: anywhere; }
.detail pre { margin-top: 8px; padding: 12px; max-height: 340px; overflow: auto; border: 1px solid var(--line); border-radius: 9px; background: var(--raised); font-size: 12.5px; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; }

/* ---- nothing to show */
.empty { padding: 28px 24px; color: var(--quiet); }
.empty b { display: block; margin-bottom: 2px; color: var(--text); font-weight: 620; }
.empty pre { margin-top: 12px; padding: 12px 14px; border-radius: 9px; background: var(--raised); border: 1px solid var(--line); color: var(--text); font-size: 12.5px; overflow-x: auto; }
.plain-button { padding: 0; border: 0; background: none; color: var(--accent); font-weight: 600; cursor: pointer; }
.toast { position: fixed; inset: auto 16px 24px; z-index: 8; width: fit-content; margin: 0 auto; display: flex; align-items: center; gap: 12px; padding: 12px 16px; border-radius: 12px; background: var(--text); color: var(--ground); font-size: 13.5px; box-shadow: 0 8px 30px rgb(0 0 0 / 25%); }
.toast::before { content: ''; flex: none; width: 9px; height: 9px; border-radius: 2px; background: #ff6b63; }
@media (prefers-color-scheme: dark) { .toast::before { background: #bd2130; } }
footer { margin-top: 36px; color: var(--quiet); font-size: 12.5px; }
footer p + p { margin-top: 2px; }

@media (max-width: 1080px) {
  .totals { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .values .columns, .values .cells { grid-template-columns: minmax(0, 1.4fr) 116px 76px 76px minmax(0, 1fr) 120px 16px; }
  .values .readers { display: none; }
  .functions .columns, .functions .cells { grid-template-columns: minmax(0, 1.4fr) 140px 170px 120px 56px 16px; }
  .functions .store { display: none; }
  .threads .columns, .threads .cells { grid-template-columns: minmax(0, 1.3fr) 124px 84px 110px 150px 16px; }
  .threads .busy, .threads .has { display: none; }
}

/* ---- a phone: each row is a card */
@media (max-width: 760px) {
  .wrap { padding: 0 16px; }
  .bar .wrap { flex-wrap: wrap; padding-block: 10px; }
  .link { min-width: 0; }
  .filter { flex: 1 1 100%; order: 3; }
  .filter input { height: 40px; font-size: 16px; }
  .filter svg { top: 12px; }
  .filter kbd { display: none; }
  main { padding-top: 16px; }
  .totals { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .totals > div { padding: 12px 14px; min-height: 114px; }
  .totals dd { font-size: 23px; }
  section { margin-top: 28px; }
  .columns { display: none; }
  .row > .cells, .values .cells, .functions .cells, .threads .cells, .errors .cells { grid-template-columns: repeat(6, minmax(0, 1fr)); align-items: start; gap: 8px 14px; padding: 13px 16px 14px; }
  .cell { grid-column: span 2; }
  .cell.half { grid-column: span 3; }
  .row .titled, .cell.full { grid-column: 1 / -1; }
  .row .title { padding-right: 132px; }
  .functions .row .title, .errors .row .title { padding-right: 24px; }
  .row .title button { white-space: normal; overflow-wrap: anywhere; }
  .row .stateful { position: absolute; right: 40px; top: 11px; }
  .row .turn { position: absolute; right: 14px; top: 17px; }
  .cell:not(.stateful) > .label { position: static; width: auto; height: auto; clip-path: none; display: block; color: var(--quiet); font-size: 12px; line-height: 1.4; }
  .num, .num .sub, .both .figure { text-align: left; }
  .values .readers, .functions .store, .threads .busy, .threads .has { display: block; }
  .cell.half { order: 1; }
  .functions .cell:not(.titled) { order: 2; }
  .functions .cell.half { order: 1; }
  .both { gap: 8px; flex-direction: row-reverse; justify-content: flex-end; }
  .both .figure { min-width: 58px; }
  .both .chart { height: 22px; }
  .detail { padding-inline: 16px; }
  .detail dl { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .actions input { max-width: none; flex-basis: 100%; font-size: 16px; height: 40px; }
  .action { height: 40px; flex: 1 1 auto; }
  .head .tools { width: 100%; margin-left: 0; }
  .head select { flex: 1; height: 36px; font-size: 16px; }
}
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { animation: none !important; transition: none !important; } }
@media (forced-colors: active) { .state::before, .meter i { forced-color-adjust: none; } }
`;
