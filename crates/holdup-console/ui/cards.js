// @ts-check
// Cards: a button that starts a measurement, its chart, and what came of it. One at a time, or they
// would measure each other.
import { charts, makeChart, setChart } from './charts.js';
import { $, el, setData, setText } from './dom.js';

/** @type {Set<T.Card>} */
const cards = new Set();
/** @type {T.Card | null} */
let current = null;
/** @type {T.SetRunning[]} */
const watchers = [];

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
  cards.add(card);
  return card;
};
/** @type {T.OfCard} */
export const dropCard = (card) => {
  charts.delete(card.chart);
  cards.delete(card);
};
/** @type {T.OfCard} */
export const clearCard = (card) => {
  for (const node of [card.badge, card.step, card.problem, card.verdict, card.more])
    setText(node, '');
  setData(card.verdict, 'kind', null);
  setChart(card.chart, []);
};
/** Shows the outcome. @type {T.Judge} */
export const judge = (card, kind, badge, sentence, ...more) => {
  setText(card.badge, badge);
  setText(card.verdict, sentence);
  for (const node of [card.badge, card.verdict]) setData(node, 'kind', kind);
  card.more.replaceChildren(...more);
};

/** The card that measures now. */
export const running = () => current;
/** Calls back whenever another card measures, or none. @type {T.OnRunning} */
export const onRunning = (watcher) => watchers.push(watcher);
/** @type {T.SetRunning} */
export const setRunning = (card) => {
  const [focused, before] = [document.activeElement, current];
  current = card;
  for (const c of cards) {
    c.go.disabled = Boolean(card);
    if (c.stop) c.stop.hidden = c !== card;
  }
  setText($('busy'), card ? `“${card.title}” is running: one at a time.` : '');
  // A button that goes away must not take the keyboard's place with it.
  if (card?.stop && focused === card.go) card.stop.focus();
  if (!card && before?.stop && focused === before.stop) before.go.focus();
  for (const watcher of watchers) watcher(card);
};
