/** Of two such windows the older is thrown away: clocks drift. */
const WINDOW = 15_000;

/**
 * The server's clock. No message comes before it was sent: the smallest difference is the best.
 * @type {T.MakeClock}
 */
export const makeClock = (pageNow) => {
  let [older, newer, since, latest] = [Infinity, Infinity, 0, 0];
  const onServer = () => pageNow() - Math.min(older, newer);
  return {
    reset: () => (older = newer = Infinity),
    hear(serverMs) {
      const now = pageNow();
      if (now - since > WINDOW) [older, newer, since] = [newer, Infinity, now];
      newer = Math.min(newer, now - serverMs);
      latest = serverMs;
    },
    onServer,
    now: (patience) => Math.min(onServer(), latest + patience),
  };
};
