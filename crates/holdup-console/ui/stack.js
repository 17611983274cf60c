// @ts-check
// The stack of a hold, in a dialog.
import { $, bullets, el, setText } from './dom.js';
import { count } from './duration.js';
import { where } from './hold.js';

/** @type {WeakMap<Element, T.Hold | null>} */
const holds = new WeakMap();

export const stackButton = () => {
  const button = el('button.stack', { type: 'button', 'aria-haspopup': 'dialog' }, 'Stack');
  button.onclick = () => show(button);
  return button;
};
/** @type {T.SetStack} */
export const setStack = (button, hold) => {
  holds.set(button, hold);
  const gone = !hold?.stack?.length;
  // It must not take the keyboard's place with it.
  if (gone && document.activeElement === button) $('holds').focus();
  button.toggleAttribute('hidden', gone);
};
/** @type {T.ShowStack} */
const show = (opener) => {
  const hold = holds.get(opener);
  if (!hold) return;
  const { sentence, lines = [], stack = [] } = hold;
  const seen = lines.map((line) => `${count(line.samples, 'sample')} ${where({ lines: [line] })}`);
  setText($('stack-of'), sentence);
  $('stack-lines').replaceChildren(...bullets('ul', seen).children);
  $('stack-frames').replaceChildren(...bullets('ol', stack).children);
  $('stack-close').onclick = () => $('stack').close();
  // The button that opened it may be gone.
  $('stack').onclose = () => opener.hidden && $('holds').focus();
  $('stack').showModal();
};
