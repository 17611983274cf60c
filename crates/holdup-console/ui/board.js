// The requests against time: the picture beside the rows.
import { drawBar, labelHeldUp } from './bar.js';
import { box, fit, label, measure, theme } from './canvas.js';
import { $, all, setText } from './dom.js';
import { humanDuration } from './duration.js';
import { axis, inView, rowsInView, scale, together } from './geometry.js';
import { culprit, heldUp, holdEnd } from './hold.js';
import { model, serverNow } from './live.js';
import { heldWorkers } from './model.js';
import { shown, syncRows } from './rows.js';

const AXIS = 42;
const narrow = matchMedia('(max-width: 760px)');
const size = { width: 0, height: 0, top: 0 };
/** @type {T.Board} */
export const board = { ...size, seconds: 30, pausedAt: null, redraw: true, drawnAt: 0 };

// News comes in batches. Drawn a little late, a bar's end need not be taken back.
const viewNow = () => board.pausedAt ?? serverNow() - model.limits.beat_ms - 30;

export const syncBoard = () => {
  if (board.pausedAt === null && syncRows(narrow.matches)) board.redraw = true;
};
export const drawBoard = () => {
  const ctx = fit($('chart'), board);
  const now = viewNow();
  const [left, right] = [narrow.matches ? 12 : 384, board.width - 26];
  const begin = now - board.seconds * 1000;
  const x = scale(begin, now, left, right);
  /** @type {T.Scale} */
  const edge = (t) => Math.max(left, x(t));
  const holds = inView(model.holds, begin, now);
  for (const { at, ago } of axis(board.seconds, right - left)) {
    const mark = Math.round(left + (right - left) * at);
    box(ctx, ago ? theme.grid : theme.muted, mark, 22, 1, board.height);
    const word = ago ? `${ago} s ago` : board.pausedAt === null ? 'now' : 'paused';
    label(ctx, word, mark, 12, at ? 'center' : 'left', ago ? theme.muted : theme.text);
  }
  for (const group of together(holds)) drawHold(ctx, edge(group.from), edge(group.to), group);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left - 1, AXIS, board.width, board.height);
  ctx.clip();
  const height = narrow.matches ? 46 : 26;
  for (const { row, top } of rowsInView(shown.length, height, board.top, board.height - AXIS)) {
    const item = shown[row];
    const y = AXIS + top + height - 13;
    // An unread connection may wait for any held worker.
    const its = holds.filter(({ hold }) =>
      'peer' in item ? hold.ongoing : hold.worker === item.worker,
    );
    for (const { from, to } of together(its))
      box(ctx, theme.band, edge(from), AXIS + top, edge(to) - edge(from), height);
    if (item.ended_ms !== null && item.ended_ms < begin) {
      const ago = Math.round((now - item.ended_ms) / 1000);
      label(ctx, `‹ ended ${ago} s ago`, left + 4, y, 'left');
      continue;
    }
    const pieces = 'peer' in item ? [] : heldUp(item, model.holds, now);
    drawBar(ctx, item, y, x, now, pieces);
    labelHeldUp(ctx, pieces, y, x, left);
  }
  ctx.restore();
};
/** @type {T.DrawHold} */
const drawHold = (ctx, left, right, { from, to, workers }) => {
  box(ctx, theme.soft, left, 23, right - left, AXIS - 23);
  box(ctx, theme.held, left, AXIS - 2, Math.max(1, right - left), 2);
  const held = `held ${humanDuration(to - from)}`;
  const one = [`worker ${[...workers]} ${held}`, held, 'held'];
  const texts = workers.size > 1 ? [`${workers.size} workers held`, 'held'] : one;
  const text = texts.find((s) => ctx.measureText(s).width < right - left - 10);
  if (text) label(ctx, text, left + 5, 32, 'left', theme.held);
};
/** Whether the picture changes with time alone. @type {T.IsMoving} */
export const isMoving = (since) => {
  const from = viewNow() - board.seconds * 1000 - 1000;
  const ends = model.holds.map((h) => holdEnd(h, Infinity));
  ends.push(...shown.map((item) => item.ended_ms ?? Infinity));
  return board.pausedAt === null && (since > 1000 || ends.some((end) => end > from));
};

/** The picture in words. */
export const summarise = () => {
  const states = ['waiting', 'working', 'answering', 'done', 'cut'];
  const counts = states.map((s) => `${all(`.lane[data-state=${s}]`).length} ${s}`);
  const up = all('.lane[data-held-up=true]');
  const held = heldWorkers(model).slice(0, 3);
  $('chart').ariaLabel = [
    `Requests over the last ${board.seconds} s: ${counts.join(', ')} off.`,
    up.length ? `${up.length} held up now.` : '',
    ...held.map((h) => `Worker ${h.worker} is held by ${culprit(h.held)}.`),
  ].join(' ');
};
export const startBoard = () => {
  measure(board, $('board'));
  $('scroll').onscroll = () => Object.assign(board, { top: $('scroll').scrollTop, redraw: true });
  $('window').onchange = ({ target }) => {
    const { value } = /** @type {HTMLInputElement} */ (target);
    Object.assign(board, { seconds: Number(value), redraw: true });
  };
  $('pause').onclick = () => {
    const paused = board.pausedAt === null;
    Object.assign(board, { pausedAt: paused ? viewNow() : null, redraw: true });
    $('pause').ariaPressed = `${paused}`;
    setText($('pause'), paused ? 'Resume' : 'Pause');
    syncBoard();
  };
};
