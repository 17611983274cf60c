// A request as a bar. Its shape shows the state: dotted, hollow, filled, hatched, a cap.
import { box, fit, label, lines, theme } from './canvas.js';
import { all, el } from './dom.js';
import { heldUpBy, heldUpFor } from './hold.js';
import { blank, isError, waitsSince } from './model.js';

/** @type {T.DrawBar} */
export const drawBar = (ctx, bar, y, x, now, heldUp = []) => {
  const times = [bar.asked_ms, bar.opened_ms, bar.answered_ms, bar.ended_ms];
  const reached = times.map((t) => (t !== null && t <= now ? x(t) : null));
  const [asked, opened, answered, over] = reached;
  const end = over ?? x(now);
  const since = waitsSince(bar, now);
  const wait = since ? x(since) : end;
  const color = theme[`c${bar.color}`];
  ctx.strokeStyle = ctx.fillStyle = color;
  if (asked !== null) lines(ctx, 2, [2, 4], [[asked, y, opened ?? end, y]]);
  ctx.lineWidth = 1.5;
  if (opened !== null) ctx.strokeRect(opened, y - 4.25, (answered ?? wait) - opened, 8.5);
  ctx.globalAlpha = 0.45;
  if (answered !== null) ctx.fillRect(answered, y - 5, Math.max(1, wait - answered), 10);
  ctx.globalAlpha = 1;
  lines(ctx, 1.5, [3, 3], [[wait, y - 4.25, end, y - 4.25], [wait, y + 4.25, end, y + 4.25]]);
  for (const { from, to } of heldUp) hatch(ctx, x(from), x(to), y);
  for (const t of bar.chunks_ms) if (t <= now) box(ctx, color, Math.round(x(t)) - 1, y - 7, 2, 14);
  ctx.strokeStyle = theme.held;
  const cross = [-5, 5].map((d) => [end - 5, y - d, end + 5, y + d]);
  if (over !== null && bar.finished_ms !== null) box(ctx, color, end - 2, y - 7, 4, 14);
  else if (over !== null) lines(ctx, 2.25, [], cross);
  if (isError(bar) && answered !== null) {
    box(ctx, theme.held, end + 8, y - 7, 2.5, 8.5);
    box(ctx, theme.held, end + 8, y + 3.5, 2.5, 2.5);
  }
};
/** @type {T.Hatch} */
const hatch = (ctx, left, right, y) => {
  // Nothing else shows through.
  box(ctx, theme.soft, left, y - 5, right - left, 10);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, y - 4.5, right - left, 9);
  ctx.strokeStyle = theme.muted;
  ctx.lineWidth = 1;
  ctx.stroke();
  ctx.clip();
  const strokes = [];
  for (let x = left; x < right + 9; x += 6) strokes.push([x, y - 4.5, x - 9, y + 4.5]);
  lines(ctx, 1, [], strokes);
  ctx.restore();
};
/** On each piece that has room. @type {T.LabelHeldUp} */
export const labelHeldUp = (ctx, heldUp, y, x, least) => {
  /** @type {T.Width} */
  const width = (text) => ctx.measureText(text).width + 8;
  for (const piece of heldUp) {
    const left = Math.max(least, x(piece.from)) + 6;
    const how = heldUpFor([piece]);
    const texts = [`${how} ${heldUpBy([piece])}`, how, 'held up'];
    const text = texts.find((s) => width(s) < x(piece.to) - left - 6);
    if (!text) continue;
    box(ctx, theme.card, left, y - 7, width(text), 14);
    label(ctx, text, left + 4, y + 0.5, 'left', theme.text);
  }
};

/** @type {T.Bar} */
const bar = { ...blank, opened_ms: 3, answered_ms: 3, color: 0 };
/** In the order of the page. */
const legend = [
  { ...blank, asked_ms: 0, color: 0 },
  { ...bar, answered_ms: null },
  { ...bar, answered_ms: null, waits_ms: 3 },
  bar,
  { ...bar, chunks_ms: [17] },
  { ...bar, ended_ms: 26, finished_ms: 26 },
  { ...bar, ended_ms: 26 },
  { ...bar, answered_ms: 20, ended_ms: 20, finished_ms: 20, status: 500 },
];
export const drawLegend = () =>
  all('#legend li').forEach((li, i) => {
    const canvas = li.querySelector('canvas') ?? el('canvas');
    li.prepend(canvas);
    const ctx = fit(canvas, { width: 34, height: 18 });
    if (legend[i]) drawBar(ctx, legend[i], 9, (t) => t, 31);
    else if (i === legend.length) hatch(ctx, 3, 31, 9);
    else box(ctx, theme.band, 2, 0, 30, 18);
  });
