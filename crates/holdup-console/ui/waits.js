// Where open requests wait, and who lost time to whom.
import { $, all, el, setLength, setText } from './dom.js';
import { count, humanDuration } from './duration.js';
import { outside } from './hold.js';
import { model, serverNow } from './live.js';
import { arrange } from './places.js';
import { showStack } from './workers.js';

/** What the rows stand for. @type {T.Row[]} */
let rows = [];
const at = ':hover, :focus-within';

/** @type {T.Lasts} */
const lasts = ({ what, since_ms }) => `${what} for ${humanDuration(serverNow() - since_ms)}`;
/** @type {T.Fill} */
const fill = ({ children }, ...texts) => texts.forEach((text, i) => setText(children[i], text));
const makeRow = () => {
  const parts = ['b', 'code', 'span', 'i'].map((kind) => el(kind));
  return el('li', {}, el('button', { 'aria-haspopup': 'dialog' }, ...parts));
};
const sync = () => {
  const { waits = [], more = 0, held_up = [] } = model.doing ?? {};
  const list = $('waits');
  // When its stack is closed, a row has the keyboard's place again.
  const { open } = $('stack');
  /** @type {T.IsAt} */
  const isAt = (i) => open || list.children[i].matches(at);
  rows = arrange(rows, waits, serverNow(), open || list.matches(at) ? isAt : null);
  setLength(list, rows.length, makeRow);
  rows.forEach((w, i) => {
    const button = /** @type {any} */ (list.children[i].firstChild);
    const lines = w.requests ? [w, ...w.others].map(lasts) : ['none now'];
    fill(button, w.requests.toLocaleString('en'), w.place, lines.join('\n'));
    button.lastChild.style.width = `${(w.requests / (waits[0]?.requests ?? 1)) * 100}%`;
    button.onclick = () =>
      showStack(button, w.place, [...w.waiting, ...w.others].map(lasts), w.stack);
  });
  $('where').hidden = !rows.length;
  setText($('more'), count(more, 'more place'));
  $('unlisted').hidden = !more;

  const table = $('victims');
  setLength(table, held_up.length, () => el('tr', {}, ...[1, 2, 3, 4].map(() => el('td'))));
  held_up.forEach(({ route, by, requests, held_up_ms }, i) =>
    fill(
      table.children[i],
      route,
      by ?? outside,
      requests.toLocaleString('en'),
      humanDuration(held_up_ms),
    ),
  );
  $('whom').hidden = !held_up.length;
};
/** What is under the pointer does not jump. */
export const syncWaits = () => {
  const [section] = all('section:hover, section:focus-within');
  const before = section?.offsetTop;
  sync();
  if (section?.checkVisibility()) scrollBy(0, section.offsetTop - before);
};
