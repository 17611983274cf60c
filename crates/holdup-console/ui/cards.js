// Cards: a button that starts a measurement, its chart, and what came of it.
import { makeChart, setChart } from './charts.js';
import { $, all, el, setData, setText } from './dom.js';

/** @type {T.MakeCard} */
export const makeCard = (title, about, list) => {
  const card = {
    title,
    node: el('article.card'),
    go: el('button.run', { 'aria-describedby': 'busy' }),
    badge: el('span.badge'),
    step: el('p.step', { role: 'status' }),
    problem: el('p.problem', { role: 'alert' }),
    chart: makeChart(list, title),
    verdict: el('p.verdict', { role: 'status' }),
    more: el('div.more'),
  };
  const { go, badge, step, problem, chart, verdict, more } = card;
  const rest = [el('div.actions', {}, go), step, problem, chart.node, verdict, more];
  const head = el('header', {}, el('h3', {}, title), badge);
  card.node.append(head, about, el('div.rest', {}, ...rest));
  return card;
};
/** @type {T.OfCard} */
export const clearCard = (card) => {
  for (const node of [card.badge, card.step, card.problem, card.verdict, card.more])
    setText(node, '');
  setData(card.verdict, 'kind', null);
  setChart(card.chart, []);
};
/** @type {T.Judge} */
export const judge = (card, kind, badge, sentence, ...more) => {
  setText(card.badge, badge);
  setText(card.verdict, sentence);
  for (const node of [card.badge, card.verdict]) setData(node, 'kind', kind);
  card.more.replaceChildren(...more);
};

/** One at a time, or they would measure each other. @type {T.Card | null} */
export let running = null;
/** @type {T.SetRunning} */
export const setRunning = (card) => {
  const [focused, before] = [document.activeElement, running];
  running = card;
  for (const go of all('.run')) go.toggleAttribute('disabled', Boolean(card));
  for (const stop of all('.stop')) stop.hidden = stop !== card?.stop;
  setText($('busy'), card ? `“${card.title}” is running. Only one runs at a time.` : '');
  // A button that goes away must not take the keyboard's place with it.
  if (card && focused === card.go) card.stop?.focus();
  if (before && focused === before.stop) before.go.focus();
};
