import assert from 'node:assert/strict';
import { test } from 'node:test';

import { heldUp, heldUpBy, heldUpFor, holdEnd, isHeldUp } from '../hold.js';
import { culprit, hold, lane } from './sample.js';

const NOW = 10_000;
const times = (item, holds, now = NOW) => heldUp(item, holds, now).map((p) => [p.from, p.to]);

test('a lane is held up from the begin of a hold to its end', () => {
  assert.deepEqual(times(lane(1), [hold(3000, 2000)]), [[3000, 5000]]);
});

test('a lane is held up by a hold that lasts until now', () => {
  const held = hold(3000, 250, { ongoing: true });
  const pieces = heldUp(lane(1), [held], NOW);
  assert.deepEqual(times(lane(1), [held]), [[3000, NOW]]);
  assert.ok(isHeldUp(pieces, lane(1)));
  assert.ok(!isHeldUp(pieces, lane(1, { ended_ms: 9000 })));
  assert.ok(!isHeldUp(heldUp(lane(1), [hold(3000, 250)], NOW), lane(1)));
  assert.ok(!isHeldUp([], lane(1)));
});

test('a lane is held up only while it is open', () => {
  const holds = [hold(3000, 2000)];
  assert.deepEqual(times(lane(1, { opened_ms: 4000 }), holds), [[4000, 5000]]);
  assert.deepEqual(times(lane(1, { ended_ms: 4000 }), holds), [[3000, 4000]]);
  assert.deepEqual(times(lane(1, { opened_ms: 5000 }), holds), []);
  assert.deepEqual(times(lane(1, { ended_ms: 3000 }), holds), []);
});

test('a hold of another worker holds nobody up here', () => {
  assert.deepEqual(times(lane(1), [hold(3000, 2000, { worker: 1 })]), []);
  const holds = [hold(3000, 2000, { worker: 1 }), hold(4000, 2000)];
  assert.deepEqual(times(lane(1), holds), [[4000, 6000]]);
  assert.deepEqual(times(lane(1, { worker: 1 }), holds), [[3000, 5000]]);
});

test('the request that holds the worker is not held up by itself', () => {
  const named = [hold(3000, 2000, { culprits: [culprit('/blocking', { lane: 4 })] })];
  const blocking = (number) => lane(number, { route: '/blocking' });
  assert.deepEqual(times(blocking(4), named), []);
  // Another request of the same route is.
  assert.deepEqual(times(blocking(5), named), [[3000, 5000]]);
  const two = [culprit('/blocking', { lane: 4 }), culprit('/blocking', { lane: 5 })];
  const both = [hold(3000, 2000, { culprits: two })];
  assert.deepEqual(times(blocking(5), both), []);
  assert.deepEqual(times(blocking(6), both), [[3000, 5000]]);
});

test('where no lane is named, none of the route is said to be held up', () => {
  for (const more of [{}, { lane: null }]) {
    const holds = [hold(3000, 2000, { culprits: [culprit('/blocking', more)] })];
    assert.deepEqual(times(lane(4, { route: '/blocking' }), holds), []);
    const post = lane(4, { route: '/blocking', method: 'POST' });
    assert.deepEqual(times(post, holds), [[3000, 5000]]);
    assert.deepEqual(times(lane(4), holds), [[3000, 5000]]);
  }
});

test('what is outside the requests holds all of them up', () => {
  assert.deepEqual(times(lane(1), [hold(3000, 2000, { culprits: [] })]), [[3000, 5000]]);
});

test('holds that overlap by a tick of the clock are not counted twice', () => {
  const holds = [hold(5000, 1000), hold(3000, 2004)];
  assert.deepEqual(times(lane(1), holds), [
    [3000, 5004],
    [5004, 6000],
  ]);
  assert.equal(heldUpFor(heldUp(lane(1), holds, NOW)), 'held up 3.00 s');
});

test('less than a tick of the clock is nothing', () => {
  assert.deepEqual(times(lane(1, { opened_ms: 4991 }), [hold(3000, 2000)]), []);
  assert.deepEqual(times(lane(1, { opened_ms: 4990 }), [hold(3000, 2000)]), [[4990, 5000]]);
});

test('a worker that is only kept from its sockets may go on with another lane', () => {
  const starved = [hold(3000, 2000, { kind: 'starved', turns: 80 })];
  assert.deepEqual(times(lane(1), starved), [[3000, 5000]]);
  assert.deepEqual(times(lane(1, { chunks_ms: [2990, 5005] }), starved), [[3000, 5000]]);
  assert.deepEqual(times(lane(1, { chunks_ms: [2990, 4000] }), starved), []);
  assert.deepEqual(times(lane(1, { answered_ms: 4000 }), starved), []);
  // A blocked worker does not, whatever came in the same busy period before.
  const blocked = [hold(3000, 2000)];
  assert.deepEqual(times(lane(1, { chunks_ms: [3015] }), blocked), [[3000, 5000]]);
});

test('a lane that is over and lost nothing was not held up', () => {
  const holds = [hold(3000, 2000)];
  const over = (held_up_ms) => lane(1, { ended_ms: 6000, held_up_ms });
  assert.deepEqual(times(over(9.9), holds), []);
  assert.deepEqual(times(over(1500), holds), [[3000, 5000]]);
});

test('the picture of an earlier time knows no later holds', () => {
  const holds = [hold(3000, 2000), hold(6000, 500, { ongoing: true })];
  assert.deepEqual(times(lane(1), holds, 4000), [[3000, 4000]]);
  assert.deepEqual(times(lane(1), holds, 2000), []);
});

test('it is said how long and by whom', () => {
  const by = (route) => ({ culprits: [culprit(route)] });
  const pieces = (...holds) => heldUp(lane(1), holds, NOW);
  const one = pieces(hold(2000, 3000));
  assert.equal(`${heldUpFor(one)} ${heldUpBy(one)}`, 'held up 3.00 s by GET /blocking');
  const same = pieces(hold(2000, 300), hold(4000, 300));
  assert.equal(`${heldUpFor(same)} ${heldUpBy(same)}`, 'held up 600 ms by GET /blocking');
  const two = pieces(hold(2000, 300, by('/a')), hold(4000, 300, by('/b')));
  assert.equal(heldUpBy(two), 'by GET /a and 1 other');
  const outside = pieces(hold(2000, 300, { culprits: [] }));
  assert.equal(heldUpBy(outside), 'by something outside the watched requests');
});

test('a hold ends after its duration, or goes on', () => {
  assert.equal(holdEnd(hold(100, 200), NOW), 300);
  assert.equal(holdEnd(hold(100, 200), 250), 250);
  assert.equal(holdEnd(hold(100, 200, { ongoing: true }), NOW), NOW);
});
