// @ts-check
// The model and the server's clock, kept up to date by `/events`, and who is called about it.
import { makeClock } from './clock.js';
import { apply, makeModel } from './model.js';

export const model = makeModel();
const clock = makeClock(() => performance.now());
/** The time on the server, as far as it is heard. */
export const serverNow = () => clock.now(model.limits.heartbeat_ms * 1.5);
/** The time on the server, by the page's clock alone. */
export const onServer = clock.onServer;

/** @type {T.Hub} */
const hub = { messages: [], lanes: [], states: [] };
/** @type {T.State} */
let state = 'reconnecting';

/** Calls back after the model has taken in a message. @type {T.OnMessage} */
export const onMessage = (callback) => hub.messages.push(callback);
/** Calls back with each lane that changes. @type {T.OnLane} */
export const onLane = (callback) => hub.lanes.push(callback);
/** @type {T.OnState} */
export const onState = (callback) => hub.states.push(callback);
/** Calls back after each snapshot, and at once if there is one already. @type {T.OnSnapshot} */
export const onSnapshot = (callback) => {
  onMessage((message) => message.event === 'snapshot' && callback());
  if (model.version) callback();
};

/** @type {T.SetState} */
const setState = (next, detail) => {
  state = next;
  for (const callback of hub.states) callback(next, detail);
};
/** @type {T.OfMessage} */
const receive = (message) => {
  const { event } = message;
  if (event === 'snapshot') clock.reset();
  if (event === 'snapshot' || event === 'now') clock.hear(message.now_ms);
  const changed = apply(model, message);
  for (const callback of hub.messages) callback(message);
  for (const lane of changed) for (const callback of hub.lanes) callback(lane);
  if (event === 'snapshot') setState('live', '');
  if (event === 'behind') setState('behind', message.detail);
};
export const connect = () => {
  const source = new EventSource('/events');
  source.onmessage = ({ data }) => receive(JSON.parse(data));
  source.onerror = () => {
    if (state !== 'behind') setState('reconnecting', '');
    // It gives up when the answer is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
};
