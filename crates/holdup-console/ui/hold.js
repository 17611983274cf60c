// What the page says of a hold, and whom a hold holds up.
import { count, humanDuration } from './duration.js';

/** The most that a tick of the system's clock makes of nothing. */
export const TICK = 10;

/** @type {T.HoldEnd} */
export const holdEnd = (hold, now) =>
  hold.ongoing ? now : Math.min(now, hold.started_ms + hold.duration_ms);
export const outside = 'something outside the watched requests';
/** @type {T.OfHold} */
const routeOf = ({ culprits: [c] }) => (c ? `${c.method} ${c.route}` : outside);
/** @type {T.AndMore} */
const andMore = ({ length }) => (length > 1 ? ` and ${count(length - 1, 'other')}` : '');
/** @type {T.OfHold} */
export const culprit = (hold) => {
  const [first] = hold.culprits;
  return `${routeOf(hold)}${first ? ` (${first.part})` : ''}${andMore(hold.culprits)}`;
};
/** Without a lane's number, any lane of the route may be the one that holds. @type {T.MayHold} */
const mayHold = (lane, { culprits }) =>
  culprits.some((c) =>
    c.lane == null ? c.method === lane.method && c.route === lane.route : c.lane === lane.lane,
  );
/** A worker that is kept from its sockets goes on with what is ready. @type {T.HadItsTurn} */
const hadItsTurn = ({ answered_ms, chunks_ms }, { from, to, hold }) =>
  hold.kind === 'starved' &&
  [answered_ms, ...chunks_ms].some((t) => t !== null && t > from + TICK && t < to - TICK);

/** @type {T.HeldUpPieces} */
export const heldUp = (lane, holds, now) => {
  // What is over is known exactly.
  if ((lane.held_up_ms ?? TICK) < TICK) return [];
  let free = lane.opened_ms;
  return holds
    .filter((hold) => hold.worker === lane.worker && !mayHold(lane, hold))
    .sort((a, b) => a.started_ms - b.started_ms)
    .map((hold) => {
      // By the system's clock a hold may begin a little before the last one ended.
      const from = Math.max(free, hold.started_ms);
      free = Math.max(from, Math.min(lane.ended_ms ?? now, holdEnd(hold, now)));
      return { from, to: free, hold };
    })
    .filter((piece) => piece.to - piece.from >= TICK && !hadItsTurn(lane, piece));
};
/** @type {T.IsHeldUp} */
export const isHeldUp = (pieces, lane) =>
  lane.ended_ms === null && Boolean(pieces.at(-1)?.hold.ongoing);
/** @type {T.OfPieces} */
export const heldUpFor = (pieces) =>
  `held up ${humanDuration(pieces.reduce((sum, { from, to }) => sum + to - from, 0))}`;
/** @type {T.OfPieces} */
export const heldUpBy = (pieces) => {
  const names = [...new Set(pieces.map(({ hold }) => routeOf(hold)))];
  return `by ${names[0]}${andMore(names)}`;
};
