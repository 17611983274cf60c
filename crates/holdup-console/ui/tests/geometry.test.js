import assert from 'node:assert/strict';
import { test } from 'node:test';

import { axis, axisLength, inView, rowsInView, scale, together } from '../geometry.js';
import { hold } from './sample.js';

test('times lie between the left and the right edge', () => {
  const x = scale(10_000, 20_000, 100, 1100);
  assert.equal(x(10_000), 100);
  assert.equal(x(15_000), 600);
  assert.equal(x(20_000), 1100);
});

test('what began long before the picture does not begin far outside', () => {
  const x = scale(10_000, 20_000, 100, 1100);
  assert.equal(x(9500), 50);
  assert.equal(x(9000), 0);
  assert.equal(x(-1e9), 0);
});

test('the axis has a line each fifth, or each half where there is little room', () => {
  assert.deepEqual(
    axis(30, 800).map((mark) => mark.ago),
    [30, 24, 18, 12, 6, 0],
  );
  assert.deepEqual(axis(60, 300), [
    { at: 0, ago: 60 },
    { at: 0.5, ago: 30 },
    { at: 1, ago: 0 },
  ]);
});

test('only rows that are seen are drawn', () => {
  const rows = (...all) => rowsInView(...all).map(({ row }) => row);
  assert.deepEqual(rows(3, 26, 0, 160), [0, 1, 2]);
  assert.deepEqual(rows(100, 26, 0, 78), [0, 1, 2]);
  assert.deepEqual(rows(100, 26, 30, 78), [1, 2, 3, 4]);
  assert.deepEqual(rows(100, 26, 2540, 78), [97, 98, 99]);
  assert.deepEqual(rows(2, 26, 2540, 78), []);
  assert.deepEqual(rows(0, 26, 0, 78), []);
  assert.deepEqual(rowsInView(100, 26, 30, 40)[0], { row: 1, top: -4 });
});

test('holds are in view that have begun and were not over before', () => {
  const holds = [hold(1000, 500), hold(4000, 2000), hold(7000, 100, { ongoing: true })];
  const seen = (from, now) => inView(holds, from, now).map((span) => [span.from, span.to]);
  assert.deepEqual(seen(5000, 9000), [
    [4000, 6000],
    [7000, 9000],
  ]);
  assert.deepEqual(seen(1500, 4000), []);
  assert.deepEqual(seen(0, 5000), [
    [1000, 1500],
    [4000, 5000],
  ]);
});

const groups = (...holds) =>
  together(inView(holds, 0, 100_000)).map(({ from, to, workers }) => [from, to, [...workers]]);

test('holds of two workers at a time are one group', () => {
  assert.deepEqual(groups(hold(5000, 1000, { worker: 1 }), hold(4000, 1500)), [
    [4000, 6000, [0, 1]],
  ]);
  assert.deepEqual(groups(hold(4000, 5000), hold(5000, 1000, { worker: 1 })), [
    [4000, 9000, [0, 1]],
  ]);
});

test('holds that follow each other stay apart, and do not overlap', () => {
  assert.deepEqual(groups(hold(4000, 1004), hold(5000, 1000), hold(7000, 200)), [
    [4000, 5004, [0]],
    [5004, 6000, [0]],
    [7000, 7200, [0]],
  ]);
});

test('a small chart is as long as it takes', () => {
  assert.equal(axisLength(1), 0.2);
  assert.equal(axisLength(1000), 1);
  assert.equal(axisLength(1001), 2);
  assert.equal(axisLength(500_000), 500);
});
