// "Is it the browser?": the page asks the lab several times at once, and the console's events show
// when the server read each request.
import {
  $,
  all,
  blank,
  clearCard,
  el,
  humanDuration,
  judge,
  makeCard,
  model,
  onLane,
  onMessage,
  onServer,
  running,
  serverNow,
  setChart,
  setData,
  setRunning,
  setText,
} from '/ui/section.js';

/**
 * @typedef {object} Experiment
 * @property {string} name
 * @property {string} title
 * @property {string} about
 * @property {string} path
 * @property {boolean} [unique] whether each request has its own URL
 * @property {RequestCache} [cache]
 * @property {number} [n] how many requests; two, if it is not given
 * @property {string} [held] what it means when the second waited for the first
 * @property {string} [free] and when it did not
 */
/**
 * A run: when each request was sent, and the lanes that the server saw of them.
 * @typedef {object} Run
 * @property {string[]} labels
 * @property {number[]} asked
 * @property {Map<number, T.Lane>} lanes
 * @property {(failure?: string) => void} end
 */
/** @typedef {[kind: string, badge: string, sentence: string, more: string]} Outcome */
/** @typedef {Experiment & { card: T.Card, run?: Run }} Shown */

/** How long one request takes: two ticks. */
const COUNTDOWN = 'from=2&period=600ms';
/** The events decide; time only gives up. */
const PATIENCE = 30_000;

const kept = 'The browser is the cause: it hoped to use the first answer for both.';
const odd = 'No browser should hold these back. Look for a proxy between the browser and the lab.';
const silent = 'The console did not report the requests in time. Run it again.';
const failed = 'A request failed. Make sure that the lab still runs, and run it again.';
const nothing = 'The two cannot share an answer, so the browser does not wait.';
const [whole, stream] = ['coroutine?deliver=whole', 'coroutine?deliver=stream'];
/** @type {Experiment[]} */
const experiments = [
  {
    name: 'same-whole',
    title: 'The same URL twice',
    about: 'Each answer is sent as a whole, when the countdown is over.',
    path: whole,
    held: kept,
    free: 'This browser does not hold back the second request.',
  },
  {
    name: 'same-stream',
    title: 'The same URL, streamed',
    about: 'The headers of each answer are sent at once.',
    path: stream,
    held: kept,
    free: 'The browser sent the second request when the headers of the first answer arrived.',
  },
  {
    name: 'unique',
    title: 'Unique URLs',
    about: 'The URLs end in x=…-1 and x=…-2.',
    path: whole,
    unique: true,
    held: odd,
    free: nothing,
  },
  {
    name: 'no-store',
    title: 'The same URL, no-store',
    about: 'The page asks the browser to keep no answer.',
    path: whole,
    cache: 'no-store',
    held: odd,
    free: nothing,
  },
  {
    name: 'blocking',
    title: 'Unique URLs, blocking',
    about: 'No browser holds these back, but the server may.',
    path: 'blocking?deliver=whole',
    unique: true,
    free: 'Another worker was free for the second request.',
  },
  {
    name: 'eight',
    title: 'Eight streams',
    about: 'Unique URLs: how many connections does the browser open?',
    path: stream,
    unique: true,
    n: 8,
  },
];

function browserName() {
  /** @type {{ brand: string, version: string }[]} */
  const brands = /** @type {any} */ (navigator).userAgentData?.brands ?? [];
  const names = brands.map((b) => `${b.brand}/${b.version}`);
  const agent = navigator.userAgent.replace('Version/', 'Safari/');
  const known = /(Edge|Opera|Brave|Google Chrome|Chromium|Firefox|Chrome|Safari)\/\d+/;
  return known.exec([...names, agent].join())?.[0].replace('/', ' ') ?? 'This browser';
}

/** @param {Experiment} experiment */
function build(experiment) {
  const card = makeCard(experiment.title, el('p.about', {}, experiment.about), 'asked');
  /** @type {Shown} */
  const shown = { ...experiment, card };
  setText(card.go, 'Run');
  card.go.ariaLabel = `Run: ${experiment.title}`;
  card.go.onclick = () => runAll([shown]);
  setData(card.node, 'experiment', experiment.name);
  $('experiments').append(card.node);
  return shown;
}

/** @param {Shown[]} list */
async function runAll(list) {
  for (const experiment of list) if (!running) await runOne(experiment);
}

/** @param {Shown} e */
async function runOne(e) {
  const { card, name, path, unique, cache, n = 2 } = e;
  // The console draws requests with such a label before others.
  const token = `browser-${name}-${Math.random().toString(36).slice(2, 8)}`;
  const labels = Array.from({ length: n }, (_, i) => (unique ? `${token}-${i + 1}` : token));
  const abort = new AbortController();
  clearCard(card);
  setData(card.node, 'outcome', null);
  setData(card.node, 'at-once', null);
  setRunning(card);
  /** @type {(failure?: string) => void} */
  let end = () => {};
  const ended = new Promise((/** @type {typeof end} */ resolve) => (end = resolve));
  /** @type {Run} */
  const run = { labels, asked: [], lanes: new Map(), end };
  e.run = run;
  const fetches = labels.map(async (x) => {
    run.asked.push(onServer());
    const url = `${model.app_url}/${path}&${COUNTDOWN}&x=${x}`;
    const response = await fetch(url, { cache, signal: abort.signal });
    await response.text();
    if (!response.ok) throw new Error();
  });
  draw(e, run);
  const timer = setTimeout(end, PATIENCE, silent);
  Promise.all(fetches).catch(() => end(failed));
  const failure = await ended;
  clearTimeout(timer);
  abort.abort();
  const [kind, ...words] = outcome(e, run, failure);
  judge(card, kind, ...words);
  setData(card.node, 'outcome', kind);
  if (running === card) setRunning(null);
  draw(e, run);
}

/** @param {Run} run */
const inOrder = ({ lanes }) => [...lanes.values()].sort((a, b) => a.opened_ms - b.opened_ms);

/**
 * @param {Shown} e
 * @param {Run} run
 */
function draw({ card }, run) {
  const seen = inOrder(run);
  const [first] = run.asked;
  const after = (/** @type {number} */ t) => Math.max(0, t - first);
  const orNull = (/** @type {number | null} */ t) => (t === null ? null : after(t));
  const items = run.asked.map((asked, i) => {
    const lane = seen[i] ?? blank;
    const { opened_ms, answered_ms, finished_ms, ended_ms, chunks_ms } = lane;
    return {
      ...lane,
      asked_ms: after(asked),
      opened_ms: orNull(opened_ms),
      answered_ms: orNull(answered_ms),
      finished_ms: orNull(finished_ms),
      ended_ms: orNull(ended_ms),
      chunks_ms: chunks_ms.map(after),
      text: opened_ms === null ? 'not read yet' : `read ${humanDuration(opened_ms - asked)}`,
    };
  });
  setChart(card.chart, items, running === card ? () => serverNow() - first : null);
}

/**
 * @param {Shown} e
 * @param {Run} run
 * @param {string | undefined} failure
 * @returns {Outcome}
 */
function outcome(e, run, failure) {
  if (failure) return ['inconclusive', '? inconclusive', failure, ''];
  return run.labels.length > 2 ? outcomeOfMany(e, run) : outcomeOfTwo(e, run);
}

/**
 * By order on the server's clock.
 * @param {Shown} e
 * @param {Run} run
 * @returns {Outcome}
 */
function outcomeOfTwo({ name, held = '', free = '' }, run) {
  const [first, second] = inOrder(run);
  const late = second.opened_ms - first.opened_ms;
  const after = humanDuration(late);
  if (second.opened_ms < Number(first.ended_ms)) {
    const sentence = `Not held back: the server read the second request ${after} after the first.`;
    return ['free', '✓ not held back', sentence, free];
  }
  // It waited at a held worker: the browser had sent it.
  if (name === 'blocking' || Number(second.waited_ms) > late / 2) {
    const sentence = `The server is the cause: it read the second request after ${after}.`;
    const more = 'The browser sent both at once, but the worker was blocked.';
    return ['serialized', '✕ one by one', sentence, more];
  }
  const sentence = `Held back: the server read the second request ${after} after the first.`;
  return ['held', '◑ held back', sentence, held];
}

/**
 * @param {Shown} e
 * @param {Run} run
 * @returns {Outcome}
 */
function outcomeOfMany({ card }, run) {
  const lanes = inOrder(run);
  const openAt = (/** @type {number} */ t) =>
    lanes.filter((lane) => lane.opened_ms <= t && Number(lane.ended_ms) > t).length;
  const most = Math.max(...lanes.map((lane) => openAt(lane.opened_ms)));
  setData(card.node, 'at-once', most);
  if (most === lanes.length) return ['free', '✓ all at once', `All ${most} requests ran at once.`, ''];
  const waited = humanDuration(lanes[most].opened_ms - run.asked[0]);
  return [
    'held',
    `◑ ${most} at a time`,
    `${most} requests ran at a time. The next one waited ${waited}.`,
    'The browser is the cause: the others waited for a free connection.',
  ];
}

const built = experiments.map(build);
$('run-all').onclick = () => runAll(built);
setText($('browser-name'), browserName());
onLane((lane) => {
  const e = built.find(({ card }) => card === running);
  if (!e?.run || !lane.x || !e.run.labels.includes(lane.x)) return;
  const { lanes, labels, end } = e.run;
  lanes.set(lane.lane, lane);
  draw(e, e.run);
  if (lanes.size === labels.length && [...lanes.values()].every((l) => l.ended_ms !== null)) end();
});
onMessage(() => {
  for (const link of /** @type {HTMLAnchorElement[]} */ (all('#browser [data-x]')))
    link.href = `${model.app_url}/coroutine?deliver=whole&from=5${link.dataset.x}`;
});
