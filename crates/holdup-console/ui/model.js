// @ts-check
// Messages of `/events` in, what the page shows out. No DOM and no clock.
import { humanDuration } from './duration.js';
import { culprit } from './hold.js';

/** How many holds that are over are listed. */
const LISTED = 8;
/** Routes with a colour of their own; the others share one. */
const COLORS = 7;

/** @type {T.Limits} */
const unlimited = {
  chunks: Infinity,
  lanes: Infinity,
  holds: Infinity,
  beat_ms: 0,
  heartbeat_ms: 1000,
  requests: null,
};
/** @type {T.Bar} */
export const blank = {
  asked: null,
  opened: null,
  answered: null,
  status: null,
  chunks: [],
  ended: null,
  finished: null,
  color: COLORS,
};

/** @type {T.OfBar} */
export const stateOf = ({ opened, answered, ended, finished }) => {
  if (ended !== null) return finished ? 'done' : 'cut';
  return answered !== null ? 'answering' : opened !== null ? 'working' : 'waiting';
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
  appUrl: null,
  limits: unlimited,
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
/** @type {T.Held} */
export const heldWorkers = ({ workers }) =>
  [...workers].flatMap(([worker, { held }]) => (held ? [{ worker, held }] : []));

/** @type {T.LaneOf} */
const laneOf = (model, m) => {
  const opened = m.opened_ms ?? m.at_ms ?? 0;
  return {
    id: m.lane,
    worker: m.worker,
    method: m.method,
    route: m.route,
    path: m.path,
    x: new URLSearchParams(m.path.split('?')[1]).get('x'),
    color: colorOf(model, m.route),
    waited: m.waited_ms ?? null,
    asked: m.waited_ms == null ? null : opened - m.waited_ms,
    opened,
    answered: m.answered_ms ?? null,
    status: m.status ?? null,
    chunks: m.chunks ?? [],
    ended: m.ended_ms ?? null,
    finished: m.finished ?? null,
  };
};
/** @type {T.Change} */
const change = ({ lanes }, id, fields) => {
  const lane = lanes.get(id);
  return lane ? [Object.assign(lane, fields(lane))] : [];
};
/** @type {T.EndHolds} */
const endHolds = (model, which) => {
  model.holds = model.holds.map((h) => (h.ongoing && which(h) ? { ...h, ongoing: false } : h));
};
/** A worker is in one hold at a time: with news of another, what lasted is over. @type {T.Remember} */
const remember = (model, hold) => {
  endHolds(model, (h) => h.worker === hold.worker);
  const at = model.holds.findIndex(
    (h) => h.worker === hold.worker && h.started_ms === hold.started_ms,
  );
  if (at < 0) model.holds.push(hold);
  else model.holds[at] = hold;
  if (model.holds.length > model.limits.holds) model.holds.shift();
  return at < 0;
};
/** @type {T.Say} */
const say = (model, { worker }, what) => {
  model.unsaid = [...model.unsaid, `Worker ${worker} is ${what}.`].slice(-2);
};
/** @type {T.SetHeld} */
const setHeld = ({ workers }, id, held) =>
  workers.set(id, { open: workers.get(id)?.open ?? 0, held });

/** @type {T.Handlers} */
const handlers = {
  snapshot(model, m) {
    Object.assign(model, {
      version: m.version,
      appUrl: m.app_url ?? null,
      limits: { ...unlimited, ...m.limits },
      buttons: m.buttons,
      workers: new Map(m.workers.map(({ worker, open, held }) => [worker, { open, held }])),
      lanes: new Map(m.lanes.map((lane) => [lane.lane, laneOf(model, lane)])),
      holds: [...m.holds],
      over: m.holds.slice(-LISTED).reverse(),
      totals: m.totals,
    });
    for (const { held } of heldWorkers(model)) remember(model, held);
    handlers.waiting(model, { ...m, event: 'waiting' });
    return [...model.lanes.values()];
  },
  opened(model, m) {
    const lane = laneOf(model, m);
    model.lanes.set(lane.id, lane);
    const [oldest] = model.lanes.keys();
    if (model.lanes.size > model.limits.lanes) model.lanes.delete(oldest);
    return [lane];
  },
  answered: (model, m) => change(model, m.lane, () => ({ answered: m.at_ms, status: m.status })),
  chunks: (model, m) =>
    change(model, m.lane, (lane) => {
      const chunks = [...lane.chunks, ...m.at_ms];
      return { chunks: chunks.slice(Math.max(0, chunks.length - model.limits.chunks)) };
    }),
  ended: (model, m) => change(model, m.lane, () => ({ ended: m.at_ms, finished: m.finished })),
  dropped(model, m) {
    for (const id of m.lanes) model.lanes.delete(id);
  },
  held(model, { hold }) {
    if (remember(model, hold)) say(model, hold, `held by ${culprit(hold)}`);
    setHeld(model, hold.worker, hold);
  },
  released(model, m) {
    const hold = { ...m.hold, ongoing: false };
    remember(model, hold);
    setHeld(model, hold.worker, null);
    model.over = [hold, ...model.over].slice(0, LISTED);
    say(model, hold, `free again after ${humanDuration(hold.duration_ms)}`);
  },
  waiting(model, m) {
    model.waiting = m.waiting.map(({ peer, since_ms }) => ({ ...blank, peer, asked: since_ms }));
  },
  now(model, m) {
    const held = (/** @type {number} */ id) => model.workers.get(id)?.held ?? null;
    model.totals = m.totals;
    model.workers = new Map(m.workers.map((w) => [w.worker, { open: w.open, held: held(w.worker) }]));
    endHolds(model, (h) => !model.workers.has(h.worker));
  },
};
/** Takes in a message. Returns the lanes that it changed. @type {T.Apply} */
export const apply = (model, message) => {
  /** @type {any} */
  const { [message.event]: handler } = Object.hasOwn(handlers, message.event) ? handlers : {};
  return handler?.(model, message) ?? [];
};
