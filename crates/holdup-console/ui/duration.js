// @ts-check
// Lengths of time and counts, as people read them. Durations are written as the Rust side does.

/** Each bound is where rounding would show one digit more. @type {T.HumanDuration} */
export const humanDuration = (ms) => {
  if (ms < 0.001) return '0 ms';
  if (ms < 999.5) return `${ms.toFixed(ms < 0.995 ? 2 : ms < 9.95 ? 1 : 0)} ms`;
  return `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`;
};
/** @type {T.Count} */
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
