// Messages of `/events` in, what the page shows out. No DOM and no clock.
import { humanDuration } from './duration.js';
import { TICK, culprit } from './hold.js';

/** How many holds that are over are listed. */
const LISTED = 8;
/** Routes with a colour of their own; the others share one. */
const COLORS = 7;

/** @type {T.Bar} */
export const blank = {
  asked_ms: null,
  opened_ms: null,
  answered_ms: null,
  status: null,
  chunks_ms: [],
  finished_ms: null,
  ended_ms: null,
  color: COLORS,
  waits_ms: null,
};
/** @type {T.OfBar} */
export const stateOf = ({ opened_ms, answered_ms, finished_ms, ended_ms }) => {
  if (ended_ms !== null) return finished_ms === null ? 'cut' : 'done';
  return answered_ms !== null ? 'answering' : opened_ms !== null ? 'working' : 'waiting';
};
/** @type {T.IsError} */
export const isError = ({ status }) => status !== null && status >= 400;
/** @type {T.OfBar} */
export const wordOf = (bar) => {
  const state = stateOf(bar);
  return state === 'cut' ? 'cut off' : isError(bar) ? `error ${bar.status}` : state;
};

/** Since when it waits; between chunks not at once. @type {T.WaitsSince} */
export const waitsSince = ({ waits_ms: since, answered_ms, chunks_ms, ended_ms }, now) => {
  const came = chunks_ms.at(-1) ?? answered_ms;
  const is = since && (came === null || (came < since + TICK && now - since > 1500));
  return is && ended_ms === null ? since : null;
};

/** @type {() => T.Model} */
export const makeModel = () => ({
  version: '',
  app_url: null,
  intro: null,
  limits: /** @type {any} */ ({}),
  buttons: [],
  workers: new Map(),
  lanes: new Map(),
  waiting: [],
  holds: [],
  over: [],
  totals: {},
  doing: null,
  unsaid: [],
  routes: new Map(),
});
/** @type {T.ColorOf} */
export const colorOf = ({ routes }, route) => {
  if (!routes.has(route) && routes.size < 200) routes.set(route, routes.size % COLORS);
  return routes.get(route) ?? COLORS;
};
/** @type {T.HeldWorkers} */
export const heldWorkers = ({ workers }) =>
  [...workers].flatMap(([worker, { held }]) => (held ? [{ worker, held }] : []));

/** @type {T.Open} */
const open = (model, m) => {
  const asked_ms = m.waited_ms === null ? null : m.opened_ms - m.waited_ms;
  const x = new URLSearchParams(m.path.split('?')[1]).get('x');
  const lane = { ...blank, ...m, asked_ms, x, color: colorOf(model, m.route) };
  const isLate = Math.max(...model.lanes.keys()) > lane.lane;
  model.lanes.set(lane.lane, lane);
  // It waited for a place. Its row is where it would have been.
  if (isLate) model.lanes = new Map([...model.lanes].sort(([a], [b]) => a - b));
  return lane;
};
/** @type {T.Change} */
const change = ({ lanes }, { event, ...fields }) => {
  const lane = lanes.get(fields.lane);
  return lane && [Object.assign(lane, fields)];
};
/** News of a hold, or its end. Returns whether it is a new one. @type {T.Remember} */
const remember = (model, hold, held) => {
  const { worker, started_ms } = hold;
  // A worker is in one hold at a time: what lasted is this one, or is over.
  for (const h of model.holds) h.ongoing &&= h.worker !== worker;
  const others = model.holds.filter((h) => h.worker !== worker || h.started_ms !== started_ms);
  const isNew = others.length === model.holds.length;
  model.holds = [...others, hold].slice(-model.limits.holds);
  model.workers.set(worker, { open: model.workers.get(worker)?.open ?? 0, held });
  return isNew;
};
/** @type {T.Say} */
const say = (model, { worker }, what) => {
  model.unsaid = [...model.unsaid, `Worker ${worker} is ${what}.`].slice(-2);
};

/** @type {T.Handlers} */
const handlers = {
  snapshot(model, { event, ...m }) {
    const workers = new Map(m.workers.map(({ worker, ...load }) => [worker, load]));
    const over = m.holds.slice(-LISTED).reverse();
    Object.assign(model, { ...m, workers, over, lanes: new Map() });
    for (const { held } of heldWorkers(model)) remember(model, held, held);
    handlers.waiting(model, m);
    const lanes = m.lanes.map((lane) => open(model, lane));
    if (m.doing) handlers.doing(model, m.doing);
    return lanes;
  },
  opened(model, { event, ...m }) {
    const lane = open(model, m);
    const [oldest] = model.lanes.keys();
    if (model.lanes.size > model.limits.lanes) model.lanes.delete(oldest);
    return [lane];
  },
  answered: change,
  chunks(model, m) {
    const all = [...(model.lanes.get(m.lane)?.chunks_ms ?? []), ...m.chunks_ms];
    return change(model, { ...m, chunks_ms: all.slice(-model.limits.chunks) });
  },
  ended: change,
  dropped(model, m) {
    for (const lane of m.lanes) model.lanes.delete(lane);
  },
  held(model, { hold }) {
    if (remember(model, hold, hold)) say(model, hold, `held by ${culprit(hold)}`);
  },
  released(model, m) {
    const hold = { ...m.hold, ongoing: false };
    remember(model, hold, null);
    model.over = [hold, ...model.over].slice(0, LISTED);
    say(model, hold, `free again after ${humanDuration(hold.duration_ms)}`);
  },
  withdrawn(model, { hold }) {
    remember(model, hold, null);
    model.holds.pop();
    say(model, hold, 'free again');
  },
  waiting(model, { waiting }) {
    model.waiting = waiting.map(({ peer, since_ms }) => ({ ...blank, peer, asked_ms: since_ms }));
  },
  doing(model, doing) {
    model.doing = doing;
    for (const { state, since_ms, ...lane } of doing.lanes)
      change(model, { event: '', waits_ms: state === 'waiting' ? since_ms : null, ...lane });
  },
  now(model, { totals, workers }) {
    model.totals = totals;
    const before = model.workers;
    model.workers = new Map();
    for (const { worker, open } of workers)
      model.workers.set(worker, { open, held: before.get(worker)?.held ?? null });
    for (const h of model.holds) h.ongoing &&= model.workers.has(h.worker);
  },
};
/** Takes in a message. Returns the lanes that it changed. @type {T.Apply} */
export const apply = (model, message) => {
  const { [message.event]: handler } = /** @type {any} */ (handlers);
  return handler?.(model, message) ?? [];
};
