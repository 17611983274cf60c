import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  apply,
  blank,
  colorOf,
  heldWorkers,
  makeModel,
  stateOf,
  waitsSince,
  wordOf,
} from '../model.js';
import { culprit, doing, hold, lane, opened, snapshot, totals, wait } from './sample.js';

/** A model that has taken in a snapshot with this in it. */
function begun(more = {}) {
  const model = makeModel();
  apply(model, snapshot(more));
  return model;
}

test('a snapshot replaces everything that was known', () => {
  const model = begun({
    lanes: [lane(1), lane(2)],
    holds: [hold(100, 200), hold(400, 200)],
    waiting: [{ peer: '127.0.0.1:5000', since_ms: 4000 }],
  });
  const held = hold(4500, 500, { ongoing: true });
  const changed = apply(
    model,
    snapshot({
      version: '0.2.0',
      app_url: null,
      workers: [{ worker: 0, open: 1, held }],
      lanes: [lane(7, { chunks_ms: [1100, 1200], answered_ms: 1050, status: 200 })],
      holds: [hold(3000, 200)],
      totals: { ...totals, open: 1 },
    }),
  );
  assert.equal(model.version, '0.2.0');
  assert.equal(model.app_url, null);
  assert.deepEqual([...model.lanes.keys()], [7]);
  assert.deepEqual(model.lanes.get(7).chunks_ms, [1100, 1200]);
  assert.deepEqual(
    changed.map((l) => l.lane),
    [7],
  );
  assert.deepEqual(
    model.holds.map((h) => h.started_ms),
    [3000, 4500],
  );
  assert.deepEqual(model.workers.get(0), { open: 1, held });
  assert.deepEqual(model.waiting, []);
  assert.equal(model.totals.open, 1);
  assert.deepEqual(model.unsaid, [], 'what is there already is not announced');
});

test('a snapshot lists the last eight holds that are over, the newest first', () => {
  const model = makeModel();
  const holds = Array.from({ length: 10 }, (_, i) => hold(i * 1000, 200));
  apply(model, snapshot({ holds, limits: { ...snapshot().limits, holds: 50 } }));
  assert.deepEqual(
    model.over.map((h) => h.started_ms / 1000),
    [9, 8, 7, 6, 5, 4, 3, 2],
  );
});

test('a request goes through its states', () => {
  const model = begun();
  const state = () => stateOf(model.lanes.get(5));
  const told = (message) => apply(model, message).map((l) => l.lane);
  assert.deepEqual(told(opened(5)), [5]);
  assert.equal(state(), 'working');
  assert.deepEqual(told({ event: 'answered', lane: 5, answered_ms: 1010, status: 200 }), [5]);
  assert.equal(state(), 'answering');
  const chunks = { event: 'chunks', lane: 5, chunks_ms: [1020, 1030], chunk_count: 2, bytes: 20 };
  assert.deepEqual(told(chunks), [5]);
  assert.deepEqual(model.lanes.get(5).chunks_ms, [1020, 1030]);
  assert.deepEqual(told({ event: 'ended', lane: 5, ended_ms: 1040, finished_ms: 1040 }), [5]);
  assert.equal(state(), 'done');
  const { opened_ms, answered_ms, ended_ms, status } = model.lanes.get(5);
  assert.deepEqual([opened_ms, answered_ms, ended_ms, status], [1000, 1010, 1040, 200]);
});

test('a request that ends without having finished was cut off', () => {
  const model = begun({ lanes: [lane(1, { answered_ms: 1001, status: 200 })] });
  apply(model, { event: 'ended', lane: 1, ended_ms: 1040, finished_ms: null });
  assert.equal(stateOf(model.lanes.get(1)), 'cut');
  assert.equal(wordOf(model.lanes.get(1)), 'cut off');
});

test('an error status is the word, unless the answer was cut off', () => {
  const answer = { ...blank, opened_ms: 1, answered_ms: 2, status: 503 };
  assert.equal(wordOf(answer), 'error 503');
  assert.equal(wordOf({ ...answer, ended_ms: 3, finished_ms: 3 }), 'error 503');
  assert.equal(wordOf({ ...answer, ended_ms: 3 }), 'cut off');
  assert.equal(wordOf({ ...answer, status: 399 }), 'answering');
});

test('only the newest chunks of a lane are kept, as many as the server keeps', () => {
  const model = begun({ lanes: [lane(1, { chunks_ms: [1, 2, 3] })] });
  apply(model, { event: 'chunks', lane: 1, chunks_ms: [4, 5, 6], chunk_count: 6, bytes: 6 });
  assert.deepEqual(model.lanes.get(1).chunks_ms, [3, 4, 5, 6]);
});

test('there are as many lanes as the server keeps, and the oldest goes first', () => {
  const model = begun({ lanes: [lane(1), lane(2), lane(3)] });
  apply(model, opened(4));
  assert.deepEqual([...model.lanes.keys()], [2, 3, 4]);
});

test('dropped lanes are gone, and news of lanes that are not there is ignored', () => {
  const model = begun({ lanes: [lane(1), lane(2)] });
  assert.deepEqual(apply(model, { event: 'dropped', lanes: [1, 99] }), []);
  assert.deepEqual([...model.lanes.keys()], [2]);
  for (const message of [
    { event: 'answered', lane: 1, answered_ms: 2, status: 200 },
    { event: 'chunks', lane: 1, chunks_ms: [3], chunk_count: 1, bytes: 1 },
    { event: 'ended', lane: 1, ended_ms: 4, finished_ms: 4 },
  ])
    assert.deepEqual(apply(model, message), [], message.event);
  assert.deepEqual([...model.lanes.keys()], [2]);
});

test('a request that was read late was asked for before', () => {
  const model = begun({ lanes: [lane(1, { waited_ms: 300 }), lane(2)] });
  assert.equal(model.lanes.get(1).asked_ms, 700);
  assert.equal(model.lanes.get(2).asked_ms, null);
  apply(model, opened(3, { waited_ms: 100 }));
  assert.equal(model.lanes.get(3).asked_ms, 900);
});

test('the label of a lane is what its query says of x', () => {
  const model = begun({
    lanes: [lane(1, { path: '/a?from=2&x=caf%C3%A9&y=1' }), lane(2, { path: '/a' })],
  });
  assert.equal(model.lanes.get(1).x, 'café');
  assert.equal(model.lanes.get(2).x, null);
});

test('who waits to be read is replaced each time', () => {
  const model = begun();
  apply(model, { event: 'waiting', waiting: [{ peer: '127.0.0.1:1', since_ms: 10 }] });
  apply(model, { event: 'waiting', waiting: [{ peer: '127.0.0.1:2', since_ms: 20 }] });
  assert.deepEqual(model.waiting, [{ ...blank, peer: '127.0.0.1:2', asked_ms: 20 }]);
  assert.equal(stateOf(model.waiting[0]), 'waiting');
});

test('a hold is announced once, and is one hold while it lasts and when it is over', () => {
  const model = begun();
  apply(model, { event: 'held', hold: hold(2000, 100, { ongoing: true }) });
  apply(model, { event: 'held', hold: hold(2000, 350, { ongoing: true }) });
  assert.deepEqual(model.unsaid, ['Worker 0 is held by GET /blocking (body).']);
  assert.equal(model.workers.get(0).held.duration_ms, 350);
  assert.equal(model.holds.length, 1);
  assert.equal(heldWorkers(model).length, 1);
  apply(model, { event: 'released', hold: hold(2000, 3000) });
  assert.equal(model.unsaid.at(-1), 'Worker 0 is free again after 3.00 s.');
  assert.equal(model.workers.get(0).held, null);
  assert.deepEqual(
    model.holds.map((h) => [h.duration_ms, h.ongoing]),
    [[3000, false]],
  );
  assert.deepEqual(model.over[0].duration_ms, 3000);
});

test('a hold that was released after its end was lost goes on no longer', () => {
  const model = begun();
  apply(model, { event: 'held', hold: hold(2000, 100, { ongoing: true }) });
  apply(model, { event: 'held', hold: hold(9000, 100, { ongoing: true }) });
  assert.deepEqual(
    model.holds.map((h) => h.ongoing),
    [false, true],
  );
});

test('two workers are held at once, and one is released', () => {
  const model = begun();
  apply(model, { event: 'held', hold: hold(2000, 100, { ongoing: true }) });
  apply(model, { event: 'held', hold: hold(2000, 100, { ongoing: true, worker: 1 }) });
  assert.deepEqual(
    heldWorkers(model).map((h) => h.worker),
    [0, 1],
  );
  apply(model, { event: 'released', hold: hold(2000, 500) });
  assert.deepEqual(
    heldWorkers(model).map((h) => h.worker),
    [1],
  );
  assert.deepEqual(
    model.holds.map((h) => [h.worker, h.ongoing]),
    [
      [1, true],
      [0, false],
    ],
  );
});

test('a hold that was none leaves nothing behind', () => {
  const model = begun();
  apply(model, { event: 'held', hold: hold(2000, 100, { ongoing: true }) });
  apply(model, { event: 'withdrawn', hold: hold(2000, 100) });
  assert.deepEqual(model.holds, []);
  assert.deepEqual(model.over, []);
  assert.equal(model.workers.get(0).held, null);
  assert.equal(model.unsaid.at(-1), 'Worker 0 is free again.');
});

test('only the newest holds are kept, and the last eight that are over are listed', () => {
  const model = begun();
  for (let i = 0; i < 10; i++) apply(model, { event: 'released', hold: hold(i * 1000, 200) });
  assert.deepEqual(
    model.holds.map((h) => h.started_ms / 1000),
    [5, 6, 7, 8, 9],
  );
  assert.deepEqual(
    model.over.map((h) => h.started_ms / 1000),
    [9, 8, 7, 6, 5, 4, 3, 2],
  );
  assert.equal(model.unsaid.length, 2, 'the latest two are read out');
});

test('the time brings the counts and the workers that there are', () => {
  const model = begun();
  apply(model, { event: 'held', hold: hold(2000, 100, { ongoing: true }) });
  apply(model, { event: 'held', hold: hold(2000, 100, { ongoing: true, worker: 1 }) });
  const counts = { ...totals, open: 3, lost: 2 };
  const workers = [
    { worker: 0, open: 3 },
    { worker: 2, open: 0 },
  ];
  apply(model, { event: 'now', now_ms: 6000, totals: counts, workers });
  assert.deepEqual(model.totals, counts);
  assert.deepEqual([...model.workers.keys()], [0, 2]);
  assert.equal(model.workers.get(0).held.started_ms, 2000);
  assert.equal(model.workers.get(0).open, 3);
  assert.deepEqual(
    model.holds.map((h) => [h.worker, h.ongoing]),
    [
      [0, true],
      [1, false],
    ],
    'a worker that is gone holds nobody up any more',
  );
});

test('messages that are not about the model change nothing', () => {
  const model = begun({ lanes: [lane(1)] });
  const before = structuredClone({ ...model });
  for (const event of ['probe', 'behind', 'something-new'])
    assert.deepEqual(apply(model, { event, detail: '', lanes: [] }), [], event);
  assert.deepEqual(structuredClone({ ...model }), before);
});

test('a route keeps its colour, and there are seven before they come again', () => {
  const model = makeModel();
  const colors = Array.from({ length: 8 }, (_, i) => colorOf(model, `/${i}`));
  assert.deepEqual(colors, [0, 1, 2, 3, 4, 5, 6, 0]);
  assert.equal(colorOf(model, '/3'), 3);
  for (let i = 8; i < 300; i++) colorOf(model, `/${i}`);
  assert.equal(colorOf(model, '/one-too-many'), 7);
  assert.equal(colorOf(model, '/3'), 3);
});

test('a hold without culprits is nobody’s', () => {
  const model = begun();
  apply(model, { event: 'held', hold: hold(1, 200, { culprits: [], ongoing: true }) });
  assert.deepEqual(model.unsaid, ['Worker 0 is held by something outside the watched requests.']);
  const two = [culprit('/a'), culprit('/b'), culprit('/c')];
  apply(model, { event: 'held', hold: hold(1000, 200, { culprits: two, ongoing: true }) });
  assert.equal(model.unsaid.at(-1), 'Worker 0 is held by GET /a (body) and 2 others.');
});

test('a lane waits since it was seen to, and says where', () => {
  const model = makeModel();
  const places = [{ lane: 1, place: 'app::report' }, { lane: 2, state: 'running' }, { lane: 9 }];
  const lanes = [lane(1), lane(2)];
  const { event, ...known } = doing(places, { waits: [wait('app::report', 1)] });
  apply(model, snapshot({ lanes, doing: known }));
  const [one, two] = model.lanes.values();
  assert.equal(waitsSince(one, 5000), 3000);
  assert.equal(one.place, 'app::report');
  assert.equal(waitsSince(two, 5000), null);
  assert.equal(model.lanes.size, 2);
  assert.equal(model.doing.waits[0].requests, 1);
  apply(model, doing([{ lane: 1, state: 'woken', since_ms: 5100 }]));
  assert.equal(waitsSince(one, 5200), null);
  assert.equal(one.place, null);
  assert.deepEqual(model.doing.waits, []);
});

test('what came of a lane since ends its wait', () => {
  const model = makeModel();
  apply(model, snapshot({ lanes: [lane(1), lane(2)] }));
  apply(model, doing([{ lane: 1 }, { lane: 2 }]));
  const [one, two] = model.lanes.values();
  apply(model, { event: 'answered', lane: 1, answered_ms: 3500, status: 200 });
  assert.equal(waitsSince(one, 9000), null);
  apply(model, { event: 'ended', lane: 2, ended_ms: 3600, finished_ms: 3600, spent: 'ran' });
  assert.equal(waitsSince(two, 9000), null);
  assert.equal(two.spent, 'ran');
});

test('between chunks a lane does not wait at once', () => {
  const bar = { ...blank, answered_ms: 1000, chunks_ms: [1000, 2000], waits_ms: 2000 };
  assert.equal(waitsSince(bar, 3500), null);
  assert.equal(waitsSince(bar, 3501), 2000);
  // The wait's time is that of the system's last tick.
  assert.equal(waitsSince({ ...bar, chunks_ms: [1000, 2009] }, 9000), 2000);
  assert.equal(waitsSince({ ...bar, chunks_ms: [1000, 2010] }, 9000), null);
  assert.equal(waitsSince({ ...blank, waits_ms: 2000 }, 2001), 2000);
});

test('a request that waited for its place is drawn between the others', () => {
  const model = begun({ lanes: [lane(4)] });
  apply(model, opened(6));
  apply(model, opened(3));
  assert.deepEqual([...model.lanes.keys()], [3, 4, 6]);
});
