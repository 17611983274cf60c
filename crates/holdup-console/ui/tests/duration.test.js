import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { count, humanDuration } from '../duration.js';

const table = new URL('../../../holdup-model/tests/durations.json', import.meta.url);

test('durations are written as the Rust side writes them', () => {
  const examples = JSON.parse(readFileSync(table, 'utf8'));
  assert.ok(examples.length > 20);
  for (const { ms, text } of examples) assert.equal(humanDuration(ms), text, `${ms} ms`);
});

test('a clock that is a little behind gives no negative duration', () => {
  assert.equal(humanDuration(-3), '0 ms');
});

test('one is not many', () => {
  assert.equal(count(1, 'request'), '1 request');
  assert.equal(count(0, 'request'), '0 requests');
  assert.equal(count(9899, 'request'), '9,899 requests');
  assert.equal(count(2, 'connection waits', 'connections wait'), '2 connections wait');
});
