// The names of the requests, one row each.
import { $, el, setData, setText } from './dom.js';
import { humanDuration } from './duration.js';
import { heldUp, heldUpBy, heldUpFor, isHeldUp } from './hold.js';
import { model, serverNow } from './live.js';
import { isError, stateOf, waitsSince, wordOf } from './model.js';

/** @type {Map<string | number, HTMLElement>} */
const rows = new Map();
/** What the rows stand for. @type {T.Item[]} */
export let shown = [];
let tallest = 6;

/** @type {T.KeyOf} */
const keyOf = (item) => ('peer' in item ? item.peer : item.lane);
const makeRow = () => {
  const names = ['number', 'dot', 'route', 'x', 'word', 'unseen'];
  return el('li.lane', {}, ...names.map((name) => el(`span.${name}`)));
};
/** @type {T.FillRow} */
const fillRow = (row, item) => {
  const [number, , route, x, word, unseen] = row.children;
  setData(row, 'state', stateOf(item));
  row.style.setProperty('--dot', `var(--c${item.color})`);
  if ('peer' in item) {
    setData(row, 'peer', (row.title = item.peer));
    setText(route, item.peer);
    return setText(word, waitingFor());
  }
  setData(row, 'lane', item.lane);
  setData(row, 'route', item.route);
  setText(number, `#${item.lane}`);
  setText(route, `${item.method} ${item.route}`);
  setText(x, item.x === null ? '' : `x=${item.x}`);
  word.classList.toggle('bad', isError(item));
  const now = serverNow();
  const pieces = heldUp(item, model.holds, now);
  const goesOn = isHeldUp(pieces, item);
  const since = waitsSince(item, now);
  let says = [wordOf(item), item.spent ?? ''];
  if (since) says = [`waiting ${humanDuration(now - since)}`, item.place ?? ''];
  if (goesOn) says = [heldUpFor(pieces), heldUpBy(pieces)];
  setData(row, 'held-up', pieces.length ? goesOn : null);
  setText(word, says[0]);
  setText(unseen, says[1] ? `, ${says[1]}` : '');
  row.title = `${item.path}\n${says[0]}${unseen.textContent}`;
};
/** The kernel knows of no worker. Where there is only one, it is that. */
const waitingFor = () => {
  const [id, ...others] = model.workers.keys();
  return id == null || others.length ? 'waiting to be read' : `waiting for worker ${id}`;
};

/** New rows come in at the end, and the end stays in view. @type {T.SyncRows} */
export const syncRows = (narrow) => {
  const [scroll, list] = [$('scroll'), $('lanes')];
  const atEnd = scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 4;
  shown = [...model.lanes.values(), ...model.waiting];
  const keys = new Set(shown.map(keyOf));
  let [added, removed] = [false, false];
  for (const [key, row] of rows) {
    if (keys.has(key)) continue;
    row.remove();
    removed = rows.delete(key);
  }
  let next = list.firstChild;
  for (const item of shown) {
    const key = keyOf(item);
    const row = rows.get(key) ?? makeRow();
    added ||= !rows.has(key);
    rows.set(key, row);
    fillRow(row, item);
    if (row === next) next = next.nextSibling;
    else list.insertBefore(row, next);
  }
  // It never shrinks: what is below must not jump.
  tallest = Math.min(narrow ? 9 : 16, Math.max(tallest, shown.length));
  scroll.style.height = `calc(${tallest} * var(--row) + 8px)`;
  if (added && atEnd) scroll.scrollTop = scroll.scrollHeight;
  $('empty').hidden = shown.length > 0;
  return added || removed;
};
