// @ts-check
// What the page shows of a probe. No DOM.
import { humanDuration } from './duration.js';
import { blank, isError, wordOf } from './model.js';

/** @type {Record<string, string>} */
const phases = {
  'warm-up': 'one first, to warm up',
  solo: 'alone, to know how long one takes',
  unique: 'N at once, each with its own URL',
  identical: 'N at once with one URL',
};
/** @type {Record<string, string>} */
export const badges = {
  concurrent: '✓ concurrent',
  serialized: '✕ serialized',
  limited: '◑ limited',
  inconclusive: '? inconclusive',
};

/** @type {T.StepOf} */
export const stepOf = ({ state, step, steps, phase, requests }) => {
  if (state !== 'running') return state === 'stopped' ? 'Stopped.' : '';
  return `${step} of ${steps}: ${(phases[phase] ?? phase).replace('N', `${requests}`)}`;
};
/** When its first request was sent, on its own clock. @type {T.Begun} */
export const begun = (probe) => Math.min(...probe.lanes.map((lane) => lane.asked_ms));
/** Its requests, from when the first was sent. @type {T.BarsOf} */
export const barsOf = (probe, color) =>
  probe.lanes.map((lane) => {
    /** @type {T.After} */
    const after = (t) => (t === null ? null : t - begun(probe));
    const first = after(lane.first_byte_ms);
    const finished = lane.ended_ms !== null && !lane.failure;
    const gone = lane.failure || probe.state !== 'running';
    const over = lane.ended_ms ?? (gone ? probe.now_ms : null);
    const bar = {
      ...blank,
      asked: after(lane.asked_ms),
      opened: first,
      answered: first,
      status: lane.status,
      ended: after(over),
      finished,
      chunks: lane.chunks.map((chunk) => Number(after(chunk.at_ms))),
      color,
    };
    const took = finished && !isError(bar) && humanDuration(Number(over) - lane.asked_ms);
    return { ...bar, text: took || wordOf(bar), title: `${lane.label} ${lane.failure ?? ''}` };
  });
