// @ts-check
// A strip for each worker, and the last holds.
import { $, el, setData, setLength, setText } from './dom.js';
import { count, humanDuration } from './duration.js';
import { culprit, heldHow, where } from './hold.js';
import { model, serverNow } from './live.js';
import { heldWorkers } from './model.js';
import { setStack, stackButton } from './stack.js';

export const syncWorkers = () => {
  const list = $('workers');
  if (list.children.length !== model.workers.size) list.style.minHeight = '';
  const make = () => el('li', {}, el('b'), el('strong'), el('span'), stackButton());
  setLength(list, model.workers.size, make);
  [...model.workers].forEach(([id, { open, held }], i) => {
    const li = /** @type {HTMLElement} */ (list.children[i]);
    const [name, what, more, button] = li.children;
    setStack(button, held);
    setData(li, 'worker', id);
    setData(li, 'held', Boolean(held));
    setText(name, `worker ${id} · `);
    setText(what, held ? whatHolds(held) : 'free');
    const doing = held ? [held.activity, where(held)] : [];
    const words = [...doing, `${open ? count(open, 'request') : 'no request'} open`];
    if (held) words.push(unread());
    setText(more, `${words.map((s) => (s ? ` · ${s}` : '')).join('')} `);
  });
};
/** @type {T.OfHold} */
const whatHolds = (hold) =>
  `${heldHow(hold)} for ${humanDuration(serverNow() - hold.started_ms)} by ${culprit(hold)}`;
// The kernel does not know for which worker they wait.
const unread = () => {
  const { waiting } = model.totals;
  const whom = heldWorkers(model).length > 1 ? ' by this worker or another held one' : '';
  const wait = count(waiting, 'connection waits', 'connections wait');
  return waiting ? `${wait} to be read${whom}` : '';
};

export const syncHolds = () => {
  const list = $('holds');
  const make = () => el('li', {}, el('span'), stackButton());
  setLength(list, Math.max(1, model.over.length), make);
  [...list.children].forEach(({ children: [text, button] }, i) => {
    setText(text, model.over[i]?.sentence ?? 'none yet');
    setStack(button, model.over[i] ?? null);
  });
};

/**
 * The strip of a held worker takes more lines. They stay, or what is below would jump each time; but
 * not where they are many.
 * @type {T.KeepHeight}
 */
export const keepHeight = (narrow) => {
  const list = $('workers');
  let before = 0;
  new ResizeObserver(() => {
    const { offsetWidth: width, offsetHeight: height } = list;
    list.style.minHeight = width === before && !narrow.matches ? `${height}px` : '';
    before = width;
  }).observe(list);
};
