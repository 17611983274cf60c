// @ts-check
// Messages of `/events` in, what the page shows out. No DOM and no clock.
import { humanDuration } from './duration.js';
import { culprit } from './hold.js';

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

/** @type {() => T.Model} */
export const makeModel = () => ({
  version: '',
  app_url: null,
  intro: null,
  limits: { chunks: 0, lanes: 0, holds: 0, requests: null, beat_ms: 0, heartbeat_ms: 0 },
  buttons: [],
  workers: new Map(),
  lanes: new Map(),
  waiting: [],
  holds: [],
  over: [],
  totals: { open: 0, finished: 0, unfinished: 0, chunks: 0, lost: 0, hidden: 0, waiting: 0 },
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
  model.lanes.set(lane.lane, lane);
  return lane;
};
/** @type {T.Change} */
const change = ({ lanes }, { event, ...fields }) => {
  const lane = lanes.get(fields.lane);
  return lane && [Object.assign(lane, fields)];
};
/** @type {T.Forget} */
const forget = (model, which) => {
  model.holds = model.holds.filter((hold) => !which(hold));
};
/** Returns whether it is a new one. @type {T.Remember} */
const remember = (model, hold) => {
  const before = model.holds.length;
  // A worker is in one hold at a time: what lasted is this one, or is over.
  const over = model.holds.find((h) => h.ongoing && h.worker === hold.worker);
  if (over) over.ongoing = false;
  forget(model, (h) => h.worker === hold.worker && h.started_ms === hold.started_ms);
  const isNew = model.holds.length === before;
  model.holds = [...model.holds, hold].slice(-model.limits.holds);
  return isNew;
};
/** @type {T.SetHeld} */
const setHeld = ({ workers }, { worker }, held) =>
  workers.set(worker, { open: workers.get(worker)?.open ?? 0, held });
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
    for (const { held } of heldWorkers(model)) remember(model, held);
    handlers.waiting(model, m);
    return m.lanes.map((lane) => open(model, lane));
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
    if (remember(model, hold)) say(model, hold, `held by ${culprit(hold)}`);
    setHeld(model, hold, hold);
  },
  released(model, m) {
    const hold = { ...m.hold, ongoing: false };
    remember(model, hold);
    setHeld(model, hold, null);
    model.over = [hold, ...model.over].slice(0, LISTED);
    say(model, hold, `free again after ${humanDuration(hold.duration_ms)}`);
  },
  withdrawn(model, { hold }) {
    forget(model, (h) => h.worker === hold.worker && h.started_ms === hold.started_ms);
    setHeld(model, hold, null);
    say(model, hold, 'free again');
  },
  waiting(model, { waiting }) {
    model.waiting = waiting.map(({ peer, since_ms }) => ({ ...blank, peer, asked_ms: since_ms }));
  },
  now(model, { totals, workers }) {
    model.totals = totals;
    const known = model.workers;
    const held = (/** @type {number} */ worker) => known.get(worker)?.held ?? null;
    model.workers = new Map(workers.map((w) => [w.worker, { ...w, held: held(w.worker) }]));
    forget(model, (h) => h.ongoing && !model.workers.has(h.worker));
  },
};
/** Takes in a message. Returns the lanes that it changed. @type {T.Apply} */
export const apply = (model, message) => {
  /** @type {any} */
  const { [message.event]: handler } = Object.hasOwn(handlers, message.event) ? handlers : {};
  return handler?.(model, message) ?? [];
};
