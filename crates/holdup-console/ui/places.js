// Which row each place has at which requests wait. No DOM.

/** The server lists fewer. */
const ROWS = 24;

/** While somebody is at a row, none moves. Otherwise a place goes after 5 s. @type {T.Arrange} */
export const arrange = (rows, waits, now, isAt) => {
  const news = new Map(waits.map((w) => [w.place, { ...w, seen: now }]));
  const none = { requests: 0, waiting: [], others: [] };
  const kept = rows.map((row) => news.get(row.place) ?? { ...row, ...none });
  if (!isAt)
    return [...news.values(), ...kept.filter(({ seen }) => seen !== now && now - seen < 5000)];
  for (const { place } of kept) news.delete(place);
  for (const row of news.values()) {
    const gone = kept.findIndex(({ requests }, i) => !requests && !isAt(i));
    const at = kept.length < ROWS ? kept.length : gone;
    if (at >= 0) kept[at] = row;
  }
  return kept;
};
