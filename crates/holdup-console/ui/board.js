// @ts-check
// The requests against time: the picture beside the rows.
import { drawBar, labelHeldUp } from './bar.js';
import { box, fit, label, measure, theme } from './canvas.js';
import { $, setText } from './dom.js';
import { humanDuration } from './duration.js';
import { axis, fitting, inView, rowsInView, scale, together } from './geometry.js';
import { culprit, heldUp, holdEnd, isHeldUp } from './hold.js';
import { model, serverNow } from './live.js';
import { heldWorkers, stateOf } from './model.js';
import { grow, shown, syncRows } from './rows.js';

/** The axis's height. */
const AXIS = 42;
export const narrow = matchMedia('(max-width: 760px)');
/** @type {T.Board} */
export const board = {
  width: 0,
  height: 0,
  top: 0,
  seconds: 30,
  pausedAt: null,
  redraw: true,
  drawnAt: 0,
};

// News comes in batches. Drawn a little late, a bar's end need not be taken back.
const viewNow = () => board.pausedAt ?? serverNow() - model.limits.beat_ms - 30;

export const syncBoard = () => {
  if (board.pausedAt === null && syncRows(narrow.matches)) board.redraw = true;
};
export const drawBoard = () => {
  const ctx = fit($('chart'), board);
  const now = viewNow();
  const [left, right] = [narrow.matches ? 12 : 384, board.width - 26];
  const from = now - board.seconds * 1000;
  const x = scale(from, now, left, right);
  /** @type {T.Scale} */
  const edge = (t) => Math.max(left, x(t));
  const holds = inView(model.holds, from, now);
  drawAxis(ctx, left, right);
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
    if (item.ended_ms !== null && item.ended_ms < from) {
      const ago = Math.round((now - item.ended_ms) / 1000);
      label(ctx, `‹ ended ${ago} s ago`, left + 4, y, 'left');
      continue;
    }
    const pieces = 'peer' in item ? [] : heldUp(item, its.map((h) => h.hold), now); // prettier-ignore
    drawBar(ctx, item, y, x, now, pieces);
    labelHeldUp(ctx, pieces, y, x, left);
  }
  ctx.restore();
};
/** @type {T.DrawAxis} */
const drawAxis = (ctx, left, right) => {
  for (const { at, ago } of axis(board.seconds, right - left)) {
    const x = Math.round(left + (right - left) * at);
    box(ctx, ago ? theme.grid : theme.muted, x, 22, 1, board.height);
    const word = ago ? `${ago} s ago` : board.pausedAt === null ? 'now' : 'paused';
    label(ctx, word, x, 12, at ? 'center' : 'left', ago ? theme.muted : theme.text);
  }
};
/** @type {T.DrawHold} */
const drawHold = (ctx, left, right, { from, to, workers }) => {
  box(ctx, theme.soft, left, 23, right - left, AXIS - 23);
  box(ctx, theme.held, left, AXIS - 2, Math.max(1, right - left), 2);
  const [worker] = workers;
  const held = `held ${humanDuration(to - from)}`;
  const texts = [`worker ${worker} ${held}`, held, 'held'];
  if (workers.size > 1) texts.splice(0, 2, `${workers.size} workers held`);
  const text = fitting(texts, right - left - 10, (s) => ctx.measureText(s).width);
  if (text) label(ctx, text, left + 5, 32, 'left', theme.held);
};
/** Whether the picture changes with time alone. */
export const isMoving = () => {
  const from = viewNow() - board.seconds * 1000 - 1000;
  return (
    board.pausedAt === null &&
    (shown.some((item) => item.ended_ms === null || item.ended_ms > from) ||
      model.holds.some((h) => holdEnd(h, Infinity) > from))
  );
};

/** The picture in words. */
export const summarise = () => {
  const states = ['waiting', 'working', 'answering', 'done', 'cut'];
  const counts = states.map((s) => `${shown.filter((i) => stateOf(i) === s).length} ${s}`);
  const [now, holds] = [serverNow(), model.holds];
  const up = shown.filter((i) => !('peer' in i) && isHeldUp(heldUp(i, holds, now), i)).length;
  const held = heldWorkers(model).slice(0, 3);
  $('chart').ariaLabel = [
    `Requests over the last ${board.seconds} s: ${counts.join(', ')} off.`,
    ...(up ? [`${up} of them held up now.`] : []),
    ...held.map((h) => `Worker ${h.worker} is held by ${culprit(h.held)}.`),
  ].join(' ');
};
const togglePause = () => {
  const paused = board.pausedAt === null;
  board.pausedAt = paused ? viewNow() : null;
  $('pause').ariaPressed = `${paused}`;
  setText($('pause'), paused ? 'Go on' : 'Pause');
  board.redraw = true;
  syncBoard();
};
/** @type {T.StartBoard} */
export const startBoard = (redraw) => {
  narrow.onchange = () => {
    grow(narrow.matches);
    redraw();
  };
  measure(board, $('board'));
  $('scroll').onscroll = () => Object.assign(board, { top: $('scroll').scrollTop, redraw: true });
  $('window').onchange = ({ target }) => {
    const { value } = /** @type {HTMLInputElement} */ (target);
    Object.assign(board, { seconds: Number(value), redraw: true });
  };
  $('pause').onclick = togglePause;
};
