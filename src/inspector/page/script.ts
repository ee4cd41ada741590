/**
 * The page's one script: these texts, one after the other, in one scope. Texts, and not modules of their own, so that there is
 * nothing to build or to find for whoever serves the page; test/inspector/page.test.ts has the compiler check them all the same.
 */
import { ACTIONS } from './script/actions.js';
import { CHARTS } from './script/charts.js';
import { CONNECTION } from './script/connection.js';
import { DOM } from './script/dom.js';
import { FORMAT } from './script/format.js';
import { FUNCTIONS } from './script/functions.js';
import { LISTS } from './script/lists.js';
import { THREADS } from './script/threads.js';
import { TOTALS } from './script/totals.js';
import { VALUES } from './script/values.js';

export const SCRIPT: string = [
  "'use strict';\n(() => {",
  FORMAT,
  DOM,
  CHARTS,
  LISTS,
  ACTIONS,
  VALUES,
  FUNCTIONS,
  THREADS,
  TOTALS,
  CONNECTION,
  '})();\n',
].join('\n');
