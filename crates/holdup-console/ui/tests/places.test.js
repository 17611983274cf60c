import assert from 'node:assert/strict';
import { test } from 'node:test';

import { arrange } from '../places.js';

const wait = (place, requests = 1) => {
  const lasting = { what: 'GET /report #1, worker 0', since_ms: 0 };
  return { ...lasting, place, requests, waiting: [lasting], others: [lasting], stack: ['frame'] };
};
const nowhere = () => false;
const places = (rows) => rows.map((row) => row.place).join(' ');

test('while nobody is at the list, the rows are in the order of the server', () => {
  const before = arrange([], [wait('a', 2), wait('b')], 1000, null);
  assert.equal(places(before), 'a b');
  const after = arrange(before, [wait('c', 4), wait('b', 3), wait('a')], 2000, null);
  assert.equal(places(after), 'c b a');
  assert.deepEqual(after[1], { ...wait('b', 3), seen: 2000 });
});

test('a place at which nobody waits any more stays for 5 s, without its former requests', () => {
  const before = arrange([], [wait('a'), wait('b')], 1000, null);
  const after = arrange(before, [wait('b')], 5999, null);
  assert.equal(places(after), 'b a');
  const none = { requests: 0, waiting: [], others: [] };
  assert.deepEqual(after[1], { ...wait('a'), ...none, seen: 1000 });
  assert.equal(places(arrange(after, [wait('b')], 6000, null)), 'b');
});

test('while somebody is at the list, no row moves or goes', () => {
  const before = arrange([], [wait('a', 2), wait('b')], 1000, null);
  const after = arrange(before, [wait('c', 4), wait('b', 3)], 60_000, nowhere);
  assert.equal(places(after), 'a b c');
  assert.deepEqual(
    after.map((row) => row.requests),
    [0, 3, 4],
  );
  const again = arrange(after, [wait('a', 5)], 90_000, nowhere);
  assert.equal(places(again), 'a b c');
  assert.equal(again[0].requests, 5);
  assert.equal(places(arrange(again, [wait('a', 5)], 91_000, null)), 'a');
});

test('the list does not grow without bound, and keeps the rows at which somebody is', () => {
  const isAt = (i) => i === 0 || i === 3;
  const listed = (n) => [...Array(12).keys()].map((i) => wait(`${n}-${i}`));
  let rows = arrange([], listed(0), 0, null);
  for (let n = 1; n < 50; n += 1) {
    rows = arrange(rows, listed(n), n * 1000, isAt);
    assert.equal(rows.length, 24);
    for (const { place } of listed(n)) assert.ok(rows.some((row) => row.place === place));
    assert.deepEqual([rows[0].place, rows[3].place], ['0-0', '0-3']);
  }
  assert.equal(new Set(rows.map((row) => row.place)).size, 24);
});
