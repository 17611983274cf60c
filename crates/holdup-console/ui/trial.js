// What the page shows of a probe. No DOM.
import { humanDuration } from './duration.js';
import { blank, isError, wordOf } from './model.js';

/** @type {Record<string, string>} */
const phases = {
  'warm-up': 'one request as a warm-up',
  solo: 'one request alone, for the baseline',
  unique: 'N requests at once, unique URLs',
  identical: 'N requests at once, the same URL',
  'beside-alone': 'another route, alone',
  beside: 'another route, while 1 to N requests run',
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
export const begun = (probe) => Math.min(...probe.lanes.map((lane) => lane.requested_ms));
/** Its requests, from when the first was sent. @type {T.BarsOf} */
export const barsOf = (probe, color) =>
  probe.lanes.map((lane) => {
    const start = begun(probe);
    /** @type {T.After} */
    const after = (t) => (t === null ? null : t - start);
    const first = after(lane.first_byte_ms);
    const over = lane.ended_ms ?? (probe.state === 'running' ? null : probe.now_ms);
    const bar = {
      ...blank,
      asked_ms: after(lane.requested_ms),
      opened_ms: first,
      answered_ms: first,
      status: lane.status,
      chunks_ms: lane.chunks_ms.map((t) => t - start),
      finished_ms: after(lane.finished_ms),
      ended_ms: after(over),
      color,
    };
    const took = lane.finished_ms !== null && humanDuration(lane.finished_ms - lane.requested_ms);
    const text = took && !isError(bar) ? took : wordOf(bar);
    return { ...bar, text, title: `${lane.label} ${lane.error ?? ''}` };
  });
