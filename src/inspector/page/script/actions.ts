/** Asking for something to be done. The server decides; the page only offers what it was told is allowed. */
export const ACTIONS: string = String.raw`
const base = location.pathname.replace(/\/+$/, '');

/**
 * @param {{ action: string, target: string, key?: string }} wanted
 * @returns {Promise<{ at: string, isDone: boolean, text: string }[]>}
 */
async function ask(wanted) {
  const response = await fetch(base + '/act', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-inspector-token': (known.hello && known.hello.token) || '' },
    body: JSON.stringify(wanted),
  });
  if (!response.ok) throw new Error((await response.text()).trim() || 'The server answered ' + response.status);
  return (await response.json()).outcomes;
}

/** The same answer of several threads is one sentence. @param {{ at: string, isDone: boolean, text: string }[]} outcomes */
function summarize(outcomes) {
  if (outcomes.length === 0) return 'No thread that can be reached has it';
  /** @type {Map<string, string[]>} */
  const by = new Map();
  for (const { at, text } of outcomes) by.set(text, [...(by.get(text) || []), at]);
  return [...by].map(([text, at]) => text + (at.length > 1 ? ' (in ' + at.length + ' threads)' : ' (' + threadLabel(at[0] || '') + ')')).join(' · ');
}

/** A place for buttons, and for what came of them. */
function makeActions() {
  const bar = el('div', 'actions');
  const result = el('p', 'result');
  result.setAttribute('role', 'status');
  const shown = el('pre');
  shown.hidden = true;
  shown.tabIndex = 0;
  const root = el('div', '', bar, result, shown);
  /** @type {HTMLInputElement | undefined} */
  let input;

  return {
    root,
    get isEmpty() {
      return bar.childElementCount === 0;
    },

    /** @param {string} label */
    input(label) {
      input = el('input');
      input.placeholder = label;
      input.setAttribute('aria-label', label);
      input.autocomplete = 'off';
      input.spellcheck = false;
      bar.append(input);
    },

    /**
     * @param {{ label: string, busy: string, className?: string, confirm?: string, needsKey?: boolean, shows?: boolean, wanted: { action: string, target: string } }} options
     */
    button({ label, busy, className, confirm, needsKey, shows, wanted }) {
      const button = el('button', 'action ' + (className || ''), label);
      button.type = 'button';
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let doubt;
      const calm = () => {
        clearTimeout(doubt);
        doubt = undefined;
        setText(button, label);
        button.classList.remove('sure');
      };
      button.addEventListener('blur', () => doubt !== undefined && calm());
      button.addEventListener('click', async () => {
        const key = input ? input.value : '';
        if (needsKey && key === '') {
          setText(result, 'Enter the key first, as it is in the store.');
          if (input) input.focus();
          return;
        }
        if (confirm && doubt === undefined) {
          setText(button, confirm);
          button.classList.add('sure');
          doubt = setTimeout(calm, 5000);
          return;
        }
        if (confirm) calm();
        button.disabled = true;
        setText(button, busy);
        setText(result, '');
        shown.hidden = true;
        try {
          const outcomes = await ask(needsKey ? { ...wanted, key } : wanted);
          const done = shows ? outcomes.filter((one) => one.isDone) : [];
          if (done.length > 0) {
            setText(result, done.length === 1 ? 'In ' + threadLabel(done[0] ? done[0].at : '') : '');
            setText(shown, done.map((one) => (done.length > 1 ? threadLabel(one.at) + '\n' : '') + one.text).join('\n\n'));
            shown.hidden = false;
          } else {
            setText(result, summarize(outcomes));
          }
        } catch (error) {
          setText(result, error instanceof Error ? error.message : String(error));
        } finally {
          button.disabled = false;
          setText(button, label);
        }
      });
      bar.append(button);
    },
  };
}
`;
