import assert from 'node:assert/strict';
import { test } from 'node:test';

import { stateOf } from '../model.js';
import { barsOf, begun, stepOf } from '../trial.js';

const lane = (requested_ms, more = {}) => ({
  label: '/blocking?x=1',
  requested_ms,
  connected_ms: requested_ms,
  first_byte_ms: null,
  chunks_ms: [],
  chunk_count: 0,
  finished_ms: null,
  ended_ms: null,
  status: null,
  bytes: 0,
  error: null,
  ...more,
});
const probe = (lanes, more = {}) => ({
  id: 1,
  button: 0,
  requests: 2,
  state: 'running',
  phase: 'unique',
  step: 3,
  steps: 4,
  now_ms: 700,
  lanes,
  findings: null,
  detail: null,
  ...more,
});

test('bars begin when the first request was sent', () => {
  const first = { first_byte_ms: 110, chunks_ms: [120, 130], status: 200 };
  const lanes = [lane(105, { ...first, finished_ms: 1605, ended_ms: 1605 }), lane(100)];
  assert.equal(begun(probe(lanes)), 100);
  const [one, two] = barsOf(probe(lanes), 3);
  assert.deepEqual(
    [one.asked_ms, one.opened_ms, one.answered_ms, one.chunks_ms, one.ended_ms],
    [5, 10, 10, [20, 30], 1505],
  );
  assert.deepEqual([one.text, stateOf(one), one.color], ['1.50 s', 'done', 3]);
  assert.deepEqual([two.asked_ms, two.text, two.ended_ms], [0, 'waiting', null]);
});

test('what is not over when the probe ends is cut off then', () => {
  const [stopped] = barsOf(probe([lane(100, { first_byte_ms: 200 })], { state: 'stopped' }), 0);
  assert.deepEqual([stopped.ended_ms, stopped.text], [600, 'cut off']);
});

test('an error is named', () => {
  const over = { first_byte_ms: 200, ended_ms: 300 };
  const [broken] = barsOf(probe([lane(100, { ...over, error: 'connection reset' })]), 0);
  assert.deepEqual([broken.text, broken.title], ['cut off', '/blocking?x=1 connection reset']);
  const [refused] = barsOf(probe([lane(100, { ...over, finished_ms: 300, status: 503 })]), 0);
  assert.equal(refused.text, 'error 503');
});

test('the step is said in words', () => {
  assert.equal(stepOf(probe([])), '3 of 4: 2 requests at once, unique URLs');
  assert.equal(stepOf(probe([], { phase: 'another' })), '3 of 4: another');
  const beside = { phase: 'beside', step: 6, steps: 6 };
  assert.equal(stepOf(probe([], beside)), '6 of 6: another route, while 1 to 2 requests run');
  assert.equal(stepOf(probe([], { state: 'stopped' })), 'Stopped.');
  assert.equal(stepOf(probe([], { state: 'done' })), '');
});
