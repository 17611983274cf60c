// @ts-check
// What the page says of a hold, and whom a hold holds up.
import { count, humanDuration } from './duration.js';

/** Shorter is what a tick of the system's clock, up to 10 ms, makes of nothing. */
const LEAST = 10;

/** @type {T.HoldEnd} */
export const holdEnd = (hold, now) =>
  hold.ongoing ? now : Math.min(now, hold.started_ms + hold.duration_ms);
/** @type {T.OfHold} */
const routeOf = ({ culprits: [c] }) =>
  c ? `${c.method} ${c.route}` : 'something outside the requests';
/** @type {T.More} */
const andMore = ({ length }) => (length > 1 ? ` and ${count(length - 1, 'other')}` : '');
/** @type {T.OfHold} */
export const culprit = (hold) =>
  `${routeOf(hold)}${hold.culprits[0] ? ` (${hold.culprits[0].part})` : ''}${andMore(hold.culprits)}`;
/** Its loop stands still, or turns without looking at its sockets. @type {T.OfHold} */
export const heldHow = ({ kind }) => (kind === 'starved' ? 'kept from its sockets' : 'held');
/** The line that holds it, if that is known. @type {T.Where} */
export const where = ({ lines: [line] = [] }) => {
  if (!line) return '';
  const place = line.file ? ` (${line.file}:${line.line})` : '';
  return `at ${line.function}${place}${line.called ? `, in ${line.called}` : ''}`;
};

/**
 * Where a hold does not name a lane, any lane of that route may be the one that holds the worker: none
 * of them is said to be held up by it.
 * @type {T.MayBe}
 */
const mayBeCulprit = (lane, { culprits }) =>
  culprits.some((c) =>
    c.lane == null ? c.method === lane.method && c.route === lane.route : c.lane === lane.id,
  );
/** A worker that is only kept from its sockets goes on with what is ready. @type {T.CameOn} */
const cameOn = ({ answered, chunks }, from, to) =>
  [answered, ...chunks].some((t) => t !== null && t > from + LEAST && t < to - LEAST);

/** @type {T.HeldUpPieces} */
export const heldUp = (lane, holds, now) => {
  const pieces = holds
    .filter((hold) => hold.worker === lane.worker && !mayBeCulprit(lane, hold))
    .map((hold) => ({
      from: Math.max(lane.opened, hold.started_ms),
      to: Math.min(lane.ended ?? now, holdEnd(hold, now)),
      hold,
    }))
    .filter(({ from, to, hold }) => {
      const hadItsTurn = hold.kind === 'starved' && cameOn(lane, from, to);
      return to - from >= LEAST && !hadItsTurn;
    })
    .sort((a, b) => a.from - b.from);
  // By the system's clock one may begin a little before the last one ended.
  pieces.forEach((piece, i) => (piece.from = Math.max(piece.from, pieces[i - 1]?.to ?? 0)));
  return pieces.filter(({ from, to }) => to > from);
};
/** @type {T.IsHeldUp} */
export const isHeldUp = (pieces, lane) =>
  lane.ended === null && Boolean(pieces.at(-1)?.hold.ongoing);
/** @type {T.OfPieces} */
export const heldUpFor = (pieces) =>
  `held up ${humanDuration(pieces.reduce((sum, { from, to }) => sum + to - from, 0))}`;
/** The one that took the longest is named. @type {T.OfPieces} */
export const heldUpBy = (pieces) => {
  const names = new Map();
  for (const { from, to, hold } of pieces)
    names.set(routeOf(hold), (names.get(routeOf(hold)) ?? 0) + to - from);
  const sorted = [...names].sort((a, b) => b[1] - a[1]);
  return `by ${sorted[0][0]}${andMore(sorted)}`;
};
