// What the server sends, as the tests need it.

export const limits = {
  chunks: 4,
  lanes: 3,
  holds: 5,
  requests: 16,
  beat_ms: 50,
  heartbeat_ms: 1000,
};

/** A lane as a snapshot has it. */
export const lane = (number, more = {}) => ({
  lane: number,
  worker: 0,
  method: 'GET',
  route: '/coroutine',
  path: '/coroutine',
  waited_ms: null,
  opened_ms: 1000,
  answered_ms: null,
  status: null,
  chunks_ms: [],
  finished_ms: null,
  ended_ms: null,
  ...more,
});

/** A lane as it is announced when a worker has read the request. */
export function opened(number, more = {}) {
  const { lane: id, worker, method, route, path, waited_ms, opened_ms } = lane(number, more);
  return { event: 'opened', lane: id, worker, method, route, path, waited_ms, opened_ms };
}

export const culprit = (route, more = {}) => ({ method: 'GET', route, part: 'body', ...more });

export const hold = (started_ms, duration_ms, more = {}) => ({
  kind: 'blocked',
  worker: 0,
  started_ms,
  duration_ms,
  culprits: [culprit('/blocking')],
  ongoing: false,
  activity: null,
  lines: [],
  stack: [],
  sentence: `GET /blocking held worker ${more.worker ?? 0}`,
  ...more,
});

/** A place at which requests wait. */
export const wait = (place, requests, more = {}) => ({
  place,
  requests,
  what: 'GET /report',
  since_ms: 3000,
  waiting: [],
  others: [],
  stack: [],
  ...more,
});

/** What the open lanes do. */
export const doing = (lanes, more = {}) => ({
  event: 'doing',
  waits: [],
  more: 0,
  lanes: lanes.map((its) => ({ state: 'waiting', since_ms: 3000, place: null, ...its })),
  held_up: [],
  ...more,
});

export const totals = {
  open: 0,
  finished: 0,
  unfinished: 0,
  chunks: 0,
  lost: 0,
  hidden: 0,
  undrawn: 0,
  waiting: 0,
};

export const snapshot = (more = {}) => ({
  event: 'snapshot',
  schema: 1,
  version: '0.1.0',
  now_ms: 5000,
  threshold_ms: 100,
  limits,
  app_url: 'http://127.0.0.1:8080',
  intro: null,
  buttons: [],
  workers: [{ worker: 0, open: 0, held: null }],
  lanes: [],
  waiting: [],
  holds: [],
  totals,
  doing: null,
  probe: null,
  ...more,
});
