// Counts, a strip for each worker, the last holds and their stacks.
import { $, all, bullets, el, setData, setLength, setText } from './dom.js';
import { count, humanDuration } from './duration.js';
import { culprit } from './hold.js';
import { model, serverNow } from './live.js';
import { heldWorkers } from './model.js';

const stackButton = () => el('button.stack', { 'aria-haspopup': 'dialog' }, 'Stack');
/** @type {T.SetStack} */
const setStack = (button, hold) => {
  const { sentence = '', lines = [], places = [], stack = [] } = hold ?? {};
  const seen = lines.map(({ samples }, i) => `${count(samples, 'sample')} ${places[i]}`);
  button.onclick = () => showStack(button, sentence, seen, stack);
  // It must not take the keyboard's place with it.
  if (!stack.length && document.activeElement === button) $('holds').focus();
  button.toggleAttribute('hidden', !stack.length);
};
/** @type {T.ShowStack} */
export const showStack = (opener, sentence, lines, stack) => {
  setText($('stack-of'), sentence);
  $('stack-lines').replaceChildren(...bullets('ul', lines).children);
  $('stack-frames').replaceChildren(...bullets('ol', stack).children);
  $('stack-close').onclick = () => $('stack').close();
  // The button that opened it may be gone.
  $('stack').onclose = () => opener.checkVisibility() || $('holds').focus();
  $('stack').showModal();
};

export const forgetHeight = () => ($('workers').style.minHeight = '');
export const syncWorkers = () => {
  const list = $('workers');
  if (list.children.length !== model.workers.size) forgetHeight();
  const make = () => el('li', {}, el('b'), el('strong'), el('span'), stackButton());
  setLength(list, model.workers.size, make);
  [...model.workers].forEach(([id, { open, held }], i) => {
    const li = list.children[i];
    const [name, what, more, button] = li.children;
    setStack(button, held);
    setData(li, 'worker', id);
    setData(li, 'held', Boolean(held));
    setText(name, `worker ${id} · `);
    const lasts = held ? humanDuration(serverNow() - held.started_ms) : '';
    const how = held?.kind === 'starved' ? 'kept from its sockets' : 'held';
    setText(what, held ? `${how} for ${lasts} by ${culprit(held)}` : 'free');
    const requests = `${open ? count(open, 'request') : 'no request'} open`;
    const words = held ? [held.activity, held.places?.[0], requests, unread()] : [requests];
    setText(more, `${words.map((s) => (s ? ` · ${s}` : '')).join('')} `);
  });
  // A held worker takes more lines. They stay, or what is below would jump each time.
  list.style.minHeight = `${list.offsetHeight}px`;
};
// The kernel does not know for which worker they wait.
const unread = () => {
  const { waiting } = model.totals;
  const whom = heldWorkers(model).length > 1 ? ' by this worker or another one that is held' : '';
  return waiting && `${count(waiting, 'connection waits', 'connections wait')} to be read${whom}`;
};

export const syncRest = () => {
  const { over, totals, version, intro } = model;
  const list = $('holds');
  const make = () => el('li', {}, el('span'), stackButton());
  setLength(list, Math.max(1, over.length), make);
  [...list.children].forEach(({ children: [text, button] }, i) => {
    setText(text, over[i]?.sentence ?? 'none yet');
    setStack(button, over[i]);
  });
  for (const dd of all('dd')) setText(dd, (totals[dd.id] ?? 0).toLocaleString('en'));
  $('lost').parentElement?.toggleAttribute('hidden', !totals.lost);
  const { hidden, undrawn } = totals;
  const left = [
    hidden && `${count(hidden, 'more open request is', 'more open requests are')} not drawn.`,
    undrawn && `So far, ${count(undrawn, 'request')} came too fast to be drawn.`,
  ].filter(Boolean);
  $('hidden').hidden = !left.length;
  setText($('hidden'), left.join(' '));
  setText($('version'), `holdup ${version}`);
  setText($('how'), intro?.sentence ?? 'Send two requests to your app at the same time.');
  setText($('curl'), intro?.commands.join('\n') ?? '');
};
