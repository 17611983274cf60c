// The model and the server's clock, kept up to date by `/events`.
import { makeClock } from './clock.js';
import { $, setData, setText } from './dom.js';
import { apply, makeModel } from './model.js';

export const model = makeModel();
const clock = makeClock(() => performance.now());
/** By the page's clock alone. */
export const { onServer } = clock;
/** It stops when the server is heard no more: bars must not grow by guess. */
export const serverNow = () => clock.now(model.limits.heartbeat_ms * 1.5);

/** @type {T.Callbacks} */
const [onMessages, onLanes] = [[], []];
/** With each message, when the model has taken it in. @type {T.OnMessage} */
export const onMessage = (callback) => onMessages.push(callback);
/** With each lane that changes. @type {T.OnLane} */
export const onLane = (callback) => onLanes.push(callback);

/** @type {T.Connected} */
const connected = (state, detail = '') => {
  setData(document.body, 'state', state);
  setText($('connection'), state === 'live' ? state : `${state} …`);
  $('connection').title = detail;
};
/** @type {T.OfMessage} */
const receive = (message) => {
  const { event } = message;
  if (event === 'snapshot') clock.reset();
  if (event === 'snapshot' || event === 'now') clock.hear(message.now_ms);
  const lanes = apply(model, message);
  for (const callback of onMessages) callback(message);
  for (const lane of lanes) for (const callback of onLanes) callback(lane);
  if (event === 'snapshot') connected('live');
  if (event === 'behind') connected('behind', message.detail);
};
export const connect = () => {
  const source = new EventSource('/events');
  source.onmessage = ({ data }) => receive(JSON.parse(data));
  source.onerror = () => {
    if (document.body.dataset.state !== 'behind') connected('reconnecting');
    // It gives up when the answer is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
};
