/** The page before anything is known. What is shown in it is put there by the script, as text and never as HTML. */
export const BODY: string = String.raw`
<a class="skip" href="#main">Skip to the content</a>
<header class="bar"><div class="wrap">
  <svg class="mark" viewBox="0 0 26 26" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linejoin="round" stroke-linecap="round" aria-hidden="true"><path d="M13 3 23 8 13 13 3 8z" fill="currentColor" fill-opacity=".18"/><path d="m3 13 10 5 10-5M3 18l10 5 10-5"/></svg>
  <div class="app"><h1 id="app">Inspector</h1><p id="place">advanced-caching</p></div>
  <div class="filter" role="search">
    <label class="sr" for="filter">Filter everything below</label>
    <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" aria-hidden="true"><circle cx="7" cy="7" r="4.6"/><path d="m10.6 10.6 3.4 3.4"/></svg>
    <input id="filter" type="search" placeholder="Filter keys, functions, threads" autocomplete="off" spellcheck="false"><kbd aria-hidden="true">/</kbd>
  </div>
  <span class="state link calm" id="link">Connecting</span>
</div></header>
<main id="main"><div class="wrap">
  <h2 class="sr">Now</h2>
  <dl class="totals" id="totals"></dl>
  <section class="values" aria-labelledby="values-title"><div class="head"><h2 id="values-title">Values</h2><span class="count" id="values-count"></span></div><div class="panel" id="values"></div></section>
  <section class="functions" aria-labelledby="functions-title"><div class="head"><h2 id="functions-title">Cached functions</h2><span class="count" id="functions-count"></span>
    <span class="tools"><label for="sort">Sorted by</label><select id="sort"><option value="name">name</option><option value="rate">lookups</option><option value="hits">hit rate, the worst first</option><option value="load">load time</option><option value="errors">errors</option></select></span></div>
    <div class="panel" id="functions"></div></section>
  <section class="threads" aria-labelledby="threads-title"><div class="head"><h2 id="threads-title">Processes and threads</h2><span class="count" id="threads-count"></span></div><div class="panel" id="threads"></div></section>
  <section class="errors" aria-labelledby="errors-title"><div class="head"><h2 id="errors-title">Errors</h2><span class="count" id="errors-count"></span></div><div class="panel" id="errors"></div></section>
  <footer><p id="mode"></p><p>Histories begin when a page is opened. While none is, every thread only asks, once a second, whether one is.</p></footer>
</div></main>
<div class="toast" id="toast" role="alert" hidden></div>
<noscript><p class="empty">This page needs JavaScript.</p></noscript>
`;

export const ICON: string =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 26 26' fill='none' stroke='%234f7cf0' stroke-width='2.4' stroke-linejoin='round'%3E%3Cpath d='M13 3 23 8 13 13 3 8z' fill='%234f7cf0' fill-opacity='.3'/%3E%3Cpath d='m3 13 10 5 10-5M3 18l10 5 10-5'/%3E%3C/svg%3E";
