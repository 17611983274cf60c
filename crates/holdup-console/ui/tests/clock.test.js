import assert from 'node:assert/strict';
import { test } from 'node:test';

import { makeClock } from '../clock.js';

/** A clock, and the page's time to be set. */
function paused() {
  const page = { now: 0 };
  const clock = makeClock(() => page.now);
  const hear = (pageNow, serverMs) => {
    page.now = pageNow;
    clock.hear(serverMs);
  };
  return { page, clock, hear };
}

test('the message that was on its way for the shortest time counts', () => {
  const { page, clock, hear } = paused();
  hear(1050, 1_000_000);
  hear(2005, 1_001_000);
  hear(3300, 1_002_000);
  page.now = 3305;
  assert.equal(clock.onServer(), 1_002_300);
});

test('it stops when nothing is heard', () => {
  const { page, clock, hear } = paused();
  hear(1000, 50_000);
  page.now = 2000;
  assert.equal(clock.now(1500), 51_000);
  page.now = 9000;
  assert.equal(clock.now(1500), 51_500);
  assert.equal(clock.onServer(), 58_000);
});

test('a drift of the clocks is followed within two windows', () => {
  const { page, clock, hear } = paused();
  // The server's clock falls behind by 1 ms a second.
  for (let s = 0; s <= 120; s++) hear(s * 1000, s * 999);
  page.now = 120_000;
  const late = clock.onServer() - 120 * 999;
  assert.ok(late >= 0 && late <= 32, `${late} ms`);
});

test('another server has another clock', () => {
  const { page, clock, hear } = paused();
  hear(1000, 900_000);
  clock.reset();
  hear(2000, 100);
  page.now = 2010;
  assert.equal(clock.now(1500), 110);
});
