// Durations and counts, as people read them.

/** Microseconds below, unit, decimals. @type {[number, string, number][]} */
const RULES = [
  [6, 'ms', 0],
  [995, 'ms', 2],
  [9950, 'ms', 1],
  [999_500, 'ms', 0],
  [9_995_000, 's', 2],
  [99_950_000, 's', 1],
  [Infinity, 's', 0],
];
/** As `holdup_model::HumanDuration`: a half goes to the even neighbour. @type {T.HumanDuration} */
export const humanDuration = (ms) => {
  const micros = Math.max(0, Math.round(ms * 1000));
  const [, unit, decimals] = RULES.find(([below]) => micros < below) ?? RULES[6];
  const step = (unit === 's' ? 1e6 : 1e3) / 10 ** decimals;
  const [steps, rest] = [Math.floor(micros / step), (micros % step) * 2];
  const up = rest > step || (rest === step && steps % 2 === 1);
  return `${((steps + Number(up)) / 10 ** decimals).toFixed(decimals)} ${unit}`;
};
/** @type {T.Count} */
export const count = (n, one, many = `${one}s`) =>
  `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
