// Where things are drawn: times and rows to pixels. No DOM.
import { TICK, holdEnd } from './hold.js';

/** A line that begins far left is not drawn from there. @type {T.MakeScale} */
export const scale = (from, to, left, right) => (t) =>
  left + (Math.max(-1000, t - from) * (right - left)) / (to - from);

/** @type {T.Axis} */
export const axis = (seconds, width) => {
  const steps = width < 420 ? 2 : 5;
  const marks = [...Array(steps + 1).keys()];
  return marks.map((i) => ({ at: i / steps, ago: (seconds * (steps - i)) / steps }));
};

/** @type {T.RowsInView} */
export const rowsInView = (count, height, scrolled, visible) => {
  const first = Math.max(0, Math.floor(scrolled / height));
  const end = Math.min(count, Math.ceil((scrolled + visible) / height));
  const rows = [...Array(Math.max(0, end - first)).keys()].map((i) => first + i);
  return rows.map((row) => ({ row, top: row * height - scrolled }));
};

/** @type {T.InView} */
export const inView = (holds, from, now) =>
  holds
    .map((hold) => ({ hold, from: hold.started_ms, to: holdEnd(hold, now) }))
    .filter((span) => span.from < now && span.to > from);

/** @type {T.Together} */
export const together = (spans) => {
  /** @type {T.Group[]} */
  const groups = [];
  for (const { from, to, hold } of [...spans].sort((a, b) => a.from - b.from)) {
    const last = groups.at(-1);
    if (last && from < last.to - TICK) {
      last.to = Math.max(last.to, to);
      last.workers.add(hold.worker);
    } else {
      // Twice the same band would be darker.
      const begin = Math.max(from, last?.to ?? from);
      groups.push({ from: begin, to, workers: new Set([hold.worker]) });
    }
  }
  return groups;
};

/** @type {T.AxisLength} */
export const axisLength = (longest) =>
  [0.2, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120].find((s) => s * 1000 >= longest) ??
  longest / 1000;
