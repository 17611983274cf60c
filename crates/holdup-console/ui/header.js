// @ts-check
// The top of the page: whether it is live, and the counts.
import { $, all, setData, setText } from './dom.js';
import { count } from './duration.js';
import { model, onState } from './live.js';

export const syncTotals = () => {
  for (const dd of all('dd'))
    setText(dd, (model.totals[/** @type {keyof T.Totals} */ (dd.id)] ?? 0).toLocaleString('en'));
  const { lost, hidden } = model.totals;
  $('lost').parentElement?.toggleAttribute('hidden', !lost);
  $('hidden').hidden = !hidden;
  const more = count(hidden, 'more open request is', 'more open requests are');
  setText($('hidden'), `${more} not drawn.`);
  if (model.version) setText($('version'), `holdup ${model.version}`);
  setText($('how'), model.intro?.sentence ?? 'Send your app the same request twice, at once.');
  setText($('curl'), model.intro?.commands.join('\n') ?? '');
};
export const startHeader = () =>
  onState((state, detail) => {
    setData(document.body, 'state', state);
    setText($('connection'), state === 'live' ? state : `${state} …`);
    $('connection').title = detail;
  });
