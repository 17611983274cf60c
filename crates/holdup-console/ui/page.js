'use strict';
// Events change `model`. The frame loop writes what changed to the DOM, ten times a second at most,
// and draws the bars. All that the server sends becomes text.

// ---- helpers ----

const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const { max, min, round } = Math;
const { assign } = Object;

/** `kind`: tag or tag.class */
function el(kind, attributes, ...children) {
  const [tag, name] = kind.split('.');
  const node = document.createElement(tag);
  if (name) node.className = name;
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return node;
}
// Only what differs is written: no layout for nothing, and nothing is read out twice.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
function setData(node, name, value) {
  if (value == null) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}
function setLength(list, length, make) {
  while (list.children.length < length) list.append(make());
  while (list.children.length > length) list.lastChild.remove();
}
/** The same rule as holdup_model::HumanDuration: a half goes to the even neighbour. */
function span(ms) {
  const micros = max(0, round(ms * 1000));
  const [unit, decimals] =
    micros <= 5
      ? [1e3, 0]
      : micros < 995
        ? [1e3, 2]
        : micros < 9950
          ? [1e3, 1]
          : micros < 999500
            ? [1e3, 0]
            : [1e6, micros < 9995000 ? 2 : micros < 99950000 ? 1 : 0];
  const step = unit / 10 ** decimals;
  const [steps, rest] = [Math.floor(micros / step), micros % step];
  const next = rest * 2 > step || (rest * 2 === step && steps % 2 === 1);
  return `${((steps + next) / 10 ** decimals).toFixed(decimals)} ${unit === 1e3 ? 'ms' : 's'}`;
}
const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

// ---- the server's clock ----

// No event arrives before it was sent: the smallest difference is the best. Of two windows of 15 s
// the older is thrown away: clocks drift.
const clock = { older: Infinity, newer: Infinity, since: 0, latest: 0 };
function heard(serverMs) {
  const now = performance.now();
  if (now - clock.since > 15000) assign(clock, { older: clock.newer, newer: Infinity, since: now });
  clock.newer = min(clock.newer, now - serverMs);
  clock.latest = serverMs;
}
const onServer = (pageMs) => pageMs - min(clock.older, clock.newer);
/** It stops when the server is heard no more: bars must not grow by guess. */
const serverNow = () => min(onServer(performance.now()), clock.latest + 1500);

// ---- what is known ----

const model = {
  workers: new Map(),
  lanes: new Map(),
  waiting: [],
  holds: [],
  over: [],
  totals: {},
  limits: {},
  buttons: null,
  lab: null,
};
let dirty = true;

const routes = new Map();
function colorOf(route) {
  if (!routes.has(route) && routes.size < 200) routes.set(route, routes.size % 7);
  return routes.get(route) ?? 7;
}

/** A row. Times are null if not yet. */
const blank = {
  asked: null,
  opened: null,
  answered: null,
  status: null,
  chunks: [],
  ended: null,
  finished: null,
  color: 7,
};

function laneOf(m) {
  const opened = m.opened_ms;
  const query = m.path.split('?')[1];
  return {
    ...blank,
    id: m.lane,
    worker: m.worker,
    name: `${m.method} ${m.route}`,
    route: m.route,
    path: m.path,
    x: new URLSearchParams(query).get('x'),
    color: colorOf(m.route),
    waited: m.waited_ms,
    asked: m.waited_ms == null ? null : opened - m.waited_ms,
    opened,
    answered: m.answered_ms ?? null,
    status: m.status ?? null,
    chunks: m.chunks_ms ?? [],
    ended: m.ended_ms ?? null,
    finished: m.finished_ms != null,
  };
}
function stateOf(item) {
  if (item.ended !== null) return item.finished ? 'done' : 'cut';
  return item.answered !== null ? 'answering' : item.opened !== null ? 'working' : 'waiting';
}
function wordOf(item) {
  const state = stateOf(item);
  return state === 'cut' ? 'cut off' : item.status >= 400 ? `error ${item.status}` : state;
}

function remember(hold) {
  const at = model.holds.findIndex(
    (h) => h.worker === hold.worker && h.started_ms === hold.started_ms,
  );
  if (at < 0) model.holds.push(hold);
  else model.holds[at] = hold;
  if (model.holds.length > model.limits.holds) model.holds.shift();
}
function workerOf(id) {
  if (!model.workers.has(id)) model.workers.set(id, { open: 0, held: null });
  return model.workers.get(id);
}
const heldOnes = () => [...model.workers].filter(([, w]) => w.held);
function culprit({ culprits: [first, ...others] }) {
  if (!first) return 'something outside the requests';
  return `${first.method} ${first.route} (${first.part})${others.length ? ` and ${count(others.length, 'other')}` : ''}`;
}

/** Its loop stands still, or turns without looking at its sockets. */
const heldHow = ({ kind }) => (kind === 'starved' ? 'kept from its sockets' : 'held');

// ---- events ----

function change({ lane: id }, { more = [], ...fields }) {
  const lane = model.lanes.get(id);
  if (!lane) return;
  assign(lane, fields);
  lane.chunks = [...lane.chunks, ...more].slice(-model.limits.chunks);
  saw(lane);
}
const handlers = {
  snapshot(m) {
    clock.older = clock.newer = Infinity;
    heard(m.now_ms);
    assign(model, {
      limits: m.limits,
      workers: new Map(m.workers.map((w) => [w.worker, w])),
      lanes: new Map(m.lanes.map((l) => [l.lane, laneOf(l)])),
      holds: m.holds,
      over: m.holds.slice(-8).reverse(),
      totals: m.totals,
      lab: m.lab && new URL(m.lab.url).origin,
    });
    for (const w of m.workers) if (w.held) remember(w.held);
    handlers.waiting(m);
    setText($('version'), `holdup ${m.version}`);
    if (JSON.stringify(m.buttons) !== JSON.stringify(model.buttons))
      buildCards((model.buttons = m.buttons));
    showLab();
    setRunning(running?.stop ? null : running);
    if (m.probe) showProbe(m.probe);
    for (const lane of model.lanes.values()) saw(lane);
    connected('live');
  },
  opened(m) {
    const lane = laneOf(m);
    model.lanes.set(lane.id, lane);
    if (model.lanes.size > model.limits.lanes) model.lanes.delete(model.lanes.keys().next().value);
    saw(lane);
  },
  answered: (m) => change(m, { answered: m.answered_ms, status: m.status }),
  chunks: (m) => change(m, { more: m.chunks_ms }),
  ended: (m) => change(m, { ended: m.ended_ms, finished: m.finished_ms !== null }),
  dropped(m) {
    for (const id of m.lanes) model.lanes.delete(id);
  },
  held({ hold }) {
    const worker = workerOf(hold.worker);
    if (worker.held?.started_ms !== hold.started_ms)
      announce(`Worker ${hold.worker} is held by ${culprit(hold)}.`);
    worker.held = hold;
    remember(hold);
  },
  released({ hold }) {
    workerOf(hold.worker).held = null;
    remember({ ...hold, ongoing: false });
    model.over = [hold, ...model.over].slice(0, 8);
    announce(`Worker ${hold.worker} is free again after ${span(hold.duration_ms)}.`);
  },
  waiting(m) {
    model.waiting = m.waiting.map((w) => ({ ...blank, peer: w.peer, asked: w.since_ms }));
  },
  probe: (m) => showProbe(m),
  now(m) {
    heard(m.now_ms);
    model.totals = m.totals;
    const held = (id) => model.workers.get(id)?.held ?? null;
    model.workers = new Map(m.workers.map((w) => [w.worker, { ...w, held: held(w.worker) }]));
  },
  behind: (m) => connected('behind', m.detail),
};
function receive({ data }) {
  const message = JSON.parse(data);
  if (Object.hasOwn(handlers, message.event)) handlers[message.event](message);
  dirty = true;
}
function connect() {
  const source = new EventSource('/events');
  source.onmessage = receive;
  source.onerror = () => {
    if (document.body.dataset.state !== 'behind') connected('reconnecting');
    // It gives up when the answer is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
}
function connected(state, detail = '') {
  setData(document.body, 'state', state);
  setText($('connection'), state === 'live' ? state : `${state} …`);
  $('connection').title = detail;
}

// ---- said aloud, at most once a second ----

let unsaid = [];
let saidAt = 0;
const announce = (text) => {
  unsaid = [...unsaid, text].slice(-2);
};
function speak(t) {
  if (!unsaid.length || t - saidAt < 1000) return;
  setText($('announce'), unsaid.join(' '));
  unsaid = [];
  saidAt = t;
}

// ---- drawing a bar ----

const theme = {};
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of 'text muted grid held soft band c0 c1 c2 c3 c4 c5 c6 c7'.split(' '))
    theme[name] = style.getPropertyValue(`--${name}`);
}

/** The shape tells the state: dotted, hollow, filled, cap. */
function drawBar(ctx, item, y, x, now) {
  const reached = (t) => t !== null && t <= now;
  const { asked, opened, answered, ended } = item;
  const end = reached(ended) ? ended : now;
  ctx.strokeStyle = ctx.fillStyle = theme[`c${item.color}`];
  if (reached(asked)) line(ctx, 2, [2, 4], [[x(asked), y, x(reached(opened) ? opened : end), y]]);
  ctx.lineWidth = 1.5;
  if (reached(opened))
    ctx.strokeRect(x(opened), y - 4.25, x(reached(answered) ? answered : end) - x(opened), 8.5);
  ctx.globalAlpha = 0.45;
  if (reached(answered)) ctx.fillRect(x(answered), y - 5, max(1, x(end) - x(answered)), 10);
  ctx.globalAlpha = 1;
  for (const t of item.chunks) if (t <= now) ctx.fillRect(round(x(t)) - 1, y - 7, 2, 14);
  if (reached(ended) && item.finished) ctx.fillRect(x(end) - 2, y - 7, 4, 14);
  ctx.strokeStyle = ctx.fillStyle = theme.held;
  const [l, r] = [x(end) - 5, x(end) + 5];
  if (reached(ended) && !item.finished)
    line(
      ctx,
      2.25,
      [],
      [
        [l, y - 5, r, y + 5],
        [r, y - 5, l, y + 5],
      ],
    );
  if (item.status >= 400 && reached(answered)) {
    ctx.fillRect(x(end) + 8, y - 7, 2.5, 8.5);
    ctx.fillRect(x(end) + 8, y + 3.5, 2.5, 2.5);
  }
}
function line(ctx, width, dash, pieces) {
  ctx.lineWidth = width;
  ctx.setLineDash(dash);
  ctx.beginPath();
  for (const [a, b, c, d] of pieces) {
    ctx.moveTo(a, b);
    ctx.lineTo(c, d);
  }
  ctx.stroke();
  ctx.setLineDash([]);
}
function measure(chart, node) {
  new ResizeObserver(() =>
    assign(chart, { width: node.clientWidth, height: node.clientHeight, redraw: true }),
  ).observe(node);
}
function box(ctx, color, ...where) {
  ctx.fillStyle = color;
  ctx.fillRect(...where);
}
function label(ctx, text, x, y, align, color = theme.muted) {
  ctx.fillStyle = color;
  ctx.textAlign = align;
  ctx.fillText(text, x, y);
}
function fit(canvas, { width, height }) {
  const ratio = min(2, devicePixelRatio);
  const [w, h] = [round(width * ratio), round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) assign(canvas, { width: w, height: h });
  const ctx = canvas.getContext('2d');
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.font = '11px system-ui, "Segoe UI", Roboto, sans-serif';
  ctx.textBaseline = 'middle';
  return ctx;
}

// ---- the requests ----

const AXIS = 42;
const still = matchMedia('(prefers-reduced-motion: reduce)');
const narrow = matchMedia('(max-width: 760px)');
const board = {
  width: 0,
  height: 0,
  top: 0,
  seconds: 30,
  pausedAt: null,
  redraw: true,
  tallest: 6,
  drawnAt: 0,
  syncedAt: 0,
  summedAt: 0,
};
const rows = new Map();
let shown = [];

// Events come in batches. Drawn a little late, a bar's end need not be taken back.
const viewNow = () => board.pausedAt ?? serverNow() - 80;

const makeRow = () =>
  el('li.lane', {}, ...['number', 'dot', 'route', 'x', 'word'].map((name) => el(`span.${name}`)));
function fillRow(row, item) {
  const [number, dot, route, x, word] = row.children;
  setData(row, 'state', stateOf(item));
  setText(word, item.peer ? waitingFor() : wordOf(item));
  word.classList.toggle('bad', item.status >= 400);
  if (row.item === item) return;
  row.item = item;
  setData(row, 'lane', item.id);
  setData(row, 'route', item.route);
  setData(row, 'peer', item.peer);
  row.title = item.path ?? item.peer;
  dot.style.background = `var(--c${item.color})`;
  setText(number, item.peer ? '' : `#${item.id}`);
  setText(route, item.peer ?? item.name);
  setText(x, item.x == null ? '' : `x=${item.x}`);
}
// The kernel knows of no worker. Where there is only one, it is that.
const waitingFor = () => {
  const [id, ...others] = model.workers.keys();
  return id == null || others.length ? 'waiting to be read' : `waiting for worker ${id}`;
};
const keyOf = (item) => item.peer ?? item.id;
/** New rows come in at the end, and the end stays in view. */
function syncRows() {
  const scroll = $('scroll');
  const atEnd = scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 4;
  shown = [...model.lanes.values(), ...model.waiting];
  const keys = new Set(shown.map(keyOf));
  for (const [key, row] of rows) {
    if (keys.has(key)) continue;
    row.remove();
    rows.delete(key);
    board.redraw = true;
  }
  let next = $('lanes').firstChild;
  let added = false;
  for (const item of shown) {
    const key = keyOf(item);
    if (!rows.has(key)) {
      rows.set(key, makeRow());
      added = board.redraw = true;
    }
    const row = rows.get(key);
    fillRow(row, item);
    if (row === next) next = next.nextSibling;
    else $('lanes').insertBefore(row, next);
  }
  grow();
  if (added && atEnd) scroll.scrollTop = scroll.scrollHeight;
  $('empty').hidden = shown.length > 0;
}
// It never shrinks: what is below must not jump.
function grow() {
  board.tallest = min(narrow.matches ? 9 : 16, max(board.tallest, shown.length));
  $('scroll').style.height = `calc(${board.tallest} * var(--row) + 8px)`;
}

const holdEnd = (hold, now) => (hold.ongoing ? now : min(now, hold.started_ms + hold.duration_ms));

function drawBoard() {
  const ctx = fit($('chart'), board);
  const now = viewNow();
  const [left, right] = [narrow.matches ? 12 : 384, board.width - 26];
  const from = now - board.seconds * 1000;
  const x = (t) => left + (max(-1000, t - from) / (now - from)) * (right - left);
  const holds = model.holds
    .filter((h) => h.started_ms < now && holdEnd(h, now) > from)
    .map((h) => ({
      ...h,
      left: max(left, x(h.started_ms)),
      right: x(holdEnd(h, now)),
      ms: holdEnd(h, now) - h.started_ms,
    }));
  drawAxis(ctx, left, right);
  for (const group of together(holds)) drawHold(ctx, group);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left - 1, AXIS, board.width, board.height);
  ctx.clip();
  const height = narrow.matches ? 46 : 26;
  for (let i = Math.floor(board.top / height); i < shown.length; i++) {
    const top = AXIS + i * height - board.top;
    if (top > board.height) break;
    const { ended, peer, worker } = shown[i];
    const middle = top + height - 13;
    // An unread connection may wait for any held worker.
    const its = holds.filter((h) => (peer ? h.ongoing : h.worker === worker));
    for (const h of peer ? together(its) : its)
      box(ctx, theme.band, h.left, top, h.right - h.left, height);
    if (ended !== null && ended < from)
      label(ctx, `‹ ended ${round((now - ended) / 1000)} s ago`, left + 4, middle, 'left');
    else drawBar(ctx, shown[i], middle, x, now);
  }
  ctx.restore();
  window.holdup.frames++;
}
function drawAxis(ctx, left, right) {
  const steps = right - left < 420 ? 2 : 5;
  for (let i = 0; i <= steps; i++) {
    const at = round(left + ((right - left) * i) / steps);
    const ago = (board.seconds * (steps - i)) / steps;
    box(ctx, ago ? theme.grid : theme.muted, at, 22, 1, board.height);
    const word = ago ? `${ago} s ago` : board.pausedAt === null ? 'now' : 'paused';
    label(ctx, word, at, 12, i ? 'center' : 'left', ago ? theme.muted : theme.text);
  }
}
/** Holds of several workers at a time as one. */
function together(holds) {
  const groups = [];
  for (const { left, right, worker, ms } of holds.toSorted((a, b) => a.left - b.left)) {
    const last = groups.at(-1);
    if (left >= (last?.right ?? 0) - 0.01)
      groups.push({ left, right, ms, workers: new Set([worker]) });
    else assign(last, { right: max(last.right, right), workers: last.workers.add(worker) });
  }
  return groups;
}
function drawHold(ctx, { left, right, workers, ms }) {
  box(ctx, theme.soft, left, 23, right - left, AXIS - 23);
  box(ctx, theme.held, left, AXIS - 2, max(1, right - left), 2);
  const [worker, other] = workers;
  const texts =
    other === undefined
      ? [`worker ${worker} held ${span(ms)}`, `held ${span(ms)}`, 'held']
      : [`${workers.size} workers held`, 'held'];
  const text = texts.find((s) => ctx.measureText(s).width + 10 < right - left);
  if (text) label(ctx, text, left + 5, 32, 'left', theme.held);
}
function isMoving() {
  const from = viewNow() - board.seconds * 1000 - 1000;
  return (
    shown.some((item) => item.ended === null || item.ended > from) ||
    model.holds.some((h) => holdEnd(h, Infinity) > from)
  );
}
function summarise() {
  const of = (state) => `${shown.filter((item) => stateOf(item) === state).length} ${state}`;
  const held = heldOnes()
    .slice(0, 3)
    .map(([id, w]) => ` Worker ${id} is held by ${culprit(w.held)}.`)
    .join('');
  $('chart').ariaLabel =
    `Requests over the last ${board.seconds} s: ${['waiting', 'working', 'answering', 'done', 'cut'].map(of).join(', ')} off.${held}`;
}

// ---- workers, holds, totals ----

function syncWorkers() {
  const list = $('workers');
  if (list.children.length !== model.workers.size) list.style.minHeight = '';
  setLength(list, model.workers.size, () =>
    el('li', {}, el('b'), el('strong'), el('span'), stackButton()),
  );
  [...model.workers].forEach(([id, { open, held }], i) => {
    const li = list.children[i];
    const [name, what, more, button] = li.children;
    setStack(button, held);
    const unread = held ? model.totals.waiting : 0;
    const forWhom = heldOnes().length > 1 ? ' by this worker or another held one' : '';
    setData(li, 'worker', id);
    setData(li, 'held', Boolean(held));
    setText(name, `worker ${id} · `);
    setText(
      what,
      held
        ? `${heldHow(held)} for ${span(serverNow() - held.started_ms)} by ${culprit(held)}`
        : 'free',
    );
    const doing = held ? [held.activity, where(held)].filter(Boolean).map((s) => ` · ${s}`) : [];
    setText(
      more,
      `${doing.join('')} · ${open ? count(open, 'request') : 'no request'} open${unread ? ` · ${count(unread, 'connection waits', 'connections wait')} to be read${forWhom}` : ''} `,
    );
  });
}
// What is told of a held worker takes more lines. They stay, or what is below would jump each time.
// Not where they are many.
function keepHeight(list) {
  let before = 0;
  new ResizeObserver(() => {
    const { offsetWidth: width, offsetHeight: height } = list;
    list.style.minHeight = width === before && !narrow.matches ? `${height}px` : '';
    before = width;
  }).observe(list);
}
/** The line that holds it, if the app was built to tell. */
function where(hold) {
  const [line] = hold.lines ?? [];
  if (!line) return '';
  const place = line.file ? ` (${line.file}:${line.line})` : '';
  return `at ${line.function}${place}${line.called ? `, in ${line.called}` : ''}`;
}
function stackButton() {
  const button = el('button.stack', { type: 'button', 'aria-haspopup': 'dialog' }, 'Stack');
  button.onclick = () => showStack(button);
  return button;
}
function setStack(button, hold) {
  button.hold = hold;
  const gone = !hold?.stack?.length;
  // It must not take the keyboard's place with it.
  if (gone && document.activeElement === button) $('holds').focus();
  button.hidden = gone;
}
function showStack(opener) {
  const { hold } = opener;
  const lines = hold.lines.map((l) => `${count(l.samples, 'sample')} ${where({ lines: [l] })}`);
  setText($('stack-of'), hold.sentence);
  const fill = (id, texts) => $(id).replaceChildren(...texts.map((text) => el('li', {}, text)));
  fill('stack-lines', lines);
  fill('stack-frames', hold.stack);
  assign($('stack'), { opener }).showModal();
}
function syncRest() {
  const list = $('holds');
  setLength(list, max(1, model.over.length), () => el('li', {}, el('span'), stackButton()));
  [...list.children].forEach((li, i) => {
    setText(li.children[0], model.over[i]?.sentence ?? 'none yet');
    setStack(li.children[1], model.over[i]);
  });
  for (const dd of all('dd')) setText(dd, (model.totals[dd.id] ?? 0).toLocaleString('en'));
  const { lost, hidden } = model.totals;
  $('lost').parentNode.hidden = !lost;
  $('hidden').hidden = !hidden;
  setText(
    $('hidden'),
    `${count(hidden, 'more open request is', 'more open requests are')} not drawn.`,
  );
}

// ---- small charts ----

const charts = new Set();
/** Rows of text, a canvas behind them, and time from zero. */
function makeChart(name, what) {
  const [canvas, list] = [el('canvas', { role: 'img', 'aria-label': what }), el(`ol.${name}`)];
  const chart = { canvas, list, node: el('div.small', {}, canvas, list), items: [], drawnAt: 0 };
  setChart(chart, []);
  measure(chart, chart.node);
  charts.add(chart);
  return chart;
}
/** `now` tells the time; null when all is over. */
function setChart(chart, items, now = null) {
  assign(chart, { items, now, redraw: true });
  chart.node.hidden = !items.length;
  setLength(chart.list, items.length, () => el('li', {}, el('i'), el('span')));
  items.forEach((item, i) => {
    const li = chart.list.children[i];
    setData(li, 'state', stateOf(item));
    setText(li.firstChild, String(i + 1));
    setText(li.lastChild, item.text);
    li.title = item.title ?? item.text;
  });
}
function drawChart(chart) {
  const ctx = fit(chart.canvas, chart);
  const live = chart.now?.() ?? 0;
  const longest = max(
    1,
    live,
    ...chart.items.flatMap((item) => [item.asked, item.opened, item.ended]),
  );
  const full =
    [0.2, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120].find((s) => s * 1000 >= longest) ??
    longest / 1000;
  const now = chart.now ? live : full * 1000;
  const [left, right, bottom] = [112, chart.width - 8, chart.height - 20];
  const x = (t) => left + (t / full / 1000) * (right - left);
  [0, full / 2, full].forEach((s, i) => {
    box(ctx, theme.grid, round(x(s * 1000)), 0, 1, bottom + 3);
    label(
      ctx,
      i ? `${s} s` : '0',
      x(s * 1000) + i * 4 - 3,
      bottom + 12,
      ['left', 'center', 'right'][i],
    );
  });
  chart.items.forEach((item, i) => drawBar(ctx, item, i * 20 + 10, x, now));
}

// ---- cards ----

function makeCard(title, about, list) {
  const part = (kind, role) => el(kind, role && { role });
  const card = {
    title,
    go: el('button.run', { 'aria-describedby': 'busy' }),
    badge: part('span.badge'),
    step: part('p.step', 'status'),
    problem: part('p.problem', 'alert'),
    chart: makeChart(list, title),
    verdict: part('p.verdict', 'status'),
    more: part('div.more'),
  };
  card.node = el(
    'article.card',
    {},
    el('header', {}, el('h3', {}, title), card.badge),
    about,
    el(
      'div.rest',
      {},
      el('div.actions', {}, card.go),
      card.step,
      card.problem,
      card.chart.node,
      card.verdict,
      card.more,
    ),
  );
  return card;
}
function clearCard(card) {
  for (const node of [card.badge, card.step, card.problem, card.verdict, card.more])
    setText(node, '');
  setData(card.verdict, 'kind', null);
  setChart(card.chart, []);
}
function judge(card, kind, badge, sentence, ...more) {
  setText(card.badge, badge);
  setText(card.verdict, sentence);
  for (const node of [card.badge, card.verdict]) setData(node, 'kind', kind);
  card.more.replaceChildren(...more);
}
const bullets = (name, lines) => el(`ul.${name}`, {}, ...lines.map((line) => el('li', {}, line)));

/** One at a time, or they would measure each other. */
let running = null;
function setRunning(card) {
  const focused = document.activeElement;
  const before = running;
  running = card;
  for (const c of [...cards.values(), ...experiments]) {
    c.go.disabled = Boolean(card);
    if (!c.stop) continue;
    c.stop.hidden = c !== card;
    setText(c.go, `Run ${$('requests').value}`);
  }
  $('run-all').disabled = Boolean(card);
  setText($('busy'), card ? `“${card.title}” runs: one at a time.` : '');
  // A button that goes away must not take the keyboard's place with it.
  if (card?.stop && focused === card.go) card.stop.focus();
  if (!card && before?.stop && focused === before.stop) before.go.focus();
}

// ---- "Run two" ----

const cards = new Map();

function buildCards(buttons) {
  for (const card of cards.values()) charts.delete(card.chart);
  cards.clear();
  for (const button of buttons) cards.set(button.button, makeProbeCard(button));
  $('cards').replaceChildren(...[...cards.values()].map((card) => card.node));
  for (const choice of all('.countdown')) choice.hidden = !buttons.some((b) => b.countdown);
  $('choices').hidden = !buttons.length;
  $('no-buttons').hidden = buttons.length > 0;
}
function makeProbeCard(button) {
  const code = el('pre', {}, el('code', {}, button.code ?? `GET ${button.path}`));
  const card = assign(makeCard(button.label, code, 'probe-lanes'), {
    button,
    stop: el('button.stop', {}, 'Stop'),
  });
  card.go.after(card.stop);
  setData(card.node, 'button', button.button);
  card.go.onclick = () => startProbe(card);
  card.stop.onclick = () => fetch('/probe', { method: 'DELETE' }).catch(() => {});
  return card;
}
async function startProbe(card) {
  const [requests, from, period] = [$('requests'), $('from'), $('period')];
  const { button, countdown } = card.button;
  if (![requests, ...(countdown ? [from, period] : [])].every((field) => field.reportValidity()))
    return;
  const body = {
    button,
    requests: requests.valueAsNumber,
    ...(countdown && { from: from.valueAsNumber, period: period.value.trim() }),
  };
  setText(card.problem, '');
  setRunning(card);
  const refuse = (reason) => {
    setText(card.problem, reason);
    setRunning(null);
  };
  try {
    const response = await fetch('/probe', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { id, detail } = await response.json();
    if (response.ok) expect(card, id);
    else refuse(detail);
  } catch {
    refuse('The server did not answer.');
  }
}

/** The last verdict stays until a new measurement has begun. */
function expect(card, id) {
  if (card.probe !== id) clearCard(card);
  card.probe = id;
}
const phases = {
  'warm-up': 'one first, to warm up',
  solo: 'alone, to know how long one takes',
  unique: 'N at once, each with its own URL',
  identical: 'N at once with one URL',
};
const badges = {
  concurrent: '✓ concurrent',
  serialized: '✕ serialized',
  limited: '◑ limited',
  inconclusive: '? inconclusive',
};

function showProbe(probe) {
  const card = cards.get(probe.button);
  if (!card) return;
  expect(card, probe.id);
  const going = probe.state === 'running';
  const begun = min(...probe.lanes.map((lane) => lane.requested_ms));
  const heardAt = performance.now();
  const now = () => probe.now_ms - begun + min(300, performance.now() - heardAt);
  const color = colorOf(card.button.path.split('?')[0]);
  setChart(
    card.chart,
    probe.lanes.map((lane) => probeItem(lane, begun, probe, color)),
    going ? now : null,
  );
  setText(
    card.step,
    going
      ? `${probe.step} of ${probe.steps}: ${(phases[probe.phase] ?? probe.phase).replace('N', probe.requests)}`
      : probe.state === 'stopped'
        ? 'Stopped.'
        : '',
  );
  setText(card.problem, probe.state === 'failed' ? probe.detail : '');
  if (going && running !== card) setRunning(card);
  if (!going && running === card) setRunning(null);
  const v = probe.findings;
  if (!v) return;
  const more = [bullets('evidence', v.evidence)];
  more.push(el('p.delivery', {}, v.delivery_sentence));
  if (v.identical) more.push(el('p.identical', {}, v.identical.sentence));
  if (v.advice?.length)
    more.push(el('details.advice', {}, el('summary', {}, 'What to do'), bullets('', v.advice)));
  judge(card, v.verdict, badges[v.verdict] ?? v.verdict, v.sentence, ...more);
}
function probeItem(lane, begun, probe, color) {
  const after = (t) => (t === null ? null : t - begun);
  const first = after(lane.first_byte_ms);
  const finished = lane.finished_ms !== null;
  const over = lane.ended_ms ?? (probe.state !== 'running' ? probe.now_ms : null);
  const item = {
    ...blank,
    asked: after(lane.requested_ms),
    opened: first,
    answered: first,
    status: lane.status,
    ended: after(over),
    finished,
    chunks: lane.chunks_ms.map(after),
    color,
    title: [lane.label, lane.error ?? ''].join(' '),
  };
  item.text = finished && !(lane.status >= 400) ? span(over - lane.requested_ms) : wordOf(item);
  return item;
}

// ---- "Is it the browser?" ----

const kept = 'This is the browser: the first answer might have been kept and served both.';
const odd = 'No browser should do this. Is there a proxy?';
const nothing = 'No answer to share: nothing to wait for.';
const [whole, stream] = ['coroutine?deliver=whole', 'coroutine?deliver=stream'];
const experiments = [
  {
    name: 'same-whole',
    title: 'The same URL twice',
    about: 'The answer comes whole, at its end.',
    path: whole,
    held: kept,
    free: 'This browser does not wait.',
  },
  {
    name: 'same-stream',
    title: 'The same, streamed',
    about: 'The answer’s headers come at once.',
    path: stream,
    held: kept,
    free: 'It went as soon as the first answer’s headers had come.',
  },
  {
    name: 'unique',
    title: 'Unique URLs',
    about: 'x=…-1 and x=…-2, else the same.',
    path: whole,
    unique: true,
    held: odd,
    free: nothing,
  },
  {
    name: 'no-store',
    title: 'The same, no-store',
    about: 'The page wants nothing kept.',
    path: whole,
    cache: 'no-store',
    held: odd,
    free: nothing,
  },
  {
    name: 'blocking',
    title: 'Unique, blocking',
    about: 'No browser holds these back. The server might.',
    path: 'blocking?deliver=whole',
    unique: true,
    free: 'Another worker had time for it.',
  },
  {
    name: 'eight',
    title: 'Eight streams',
    about: 'Unique URLs: how many connections are there?',
    path: stream,
    unique: true,
    n: 8,
  },
];

function showLab() {
  const { lab } = model;
  $('browser').hidden = $('curl').hidden = !lab;
  setText(
    $('how'),
    lab
      ? 'In two terminals, one right after the other (or press a button below):'
      : 'Ask your app for something twice, at once.',
  );
  setText($('curl'), `curl -N '${lab}/blocking?x=1'\ncurl -N '${lab}/blocking?x=2'`);
  for (const link of all('[data-x]'))
    link.href = `${lab}/coroutine?deliver=whole&from=5${link.dataset.x}`;
}
function browserName() {
  const brands = (navigator.userAgentData?.brands ?? []).map((b) => `${b.brand}/${b.version}`);
  const names = [...brands, navigator.userAgent.replace('Version/', 'Safari/')].join();
  const found = /(Edge|Opera|Brave|Google Chrome|Chromium|Firefox|Chrome|Safari)\/\d+/.exec(names);
  return found ? found[0].replace('/', ' ') : 'This browser';
}
function buildExperiments() {
  for (const e of experiments) {
    assign(e, makeCard(e.title, el('p.about', {}, e.about), 'asked'));
    setText(e.go, 'Run');
    e.go.ariaLabel = `Run: ${e.title}`;
    e.go.onclick = () => runAll([e]);
    setData(e.node, 'experiment', e.name);
    $('experiments').append(e.node);
  }
  $('run-all').onclick = () => runAll(experiments);
  setText($('browser-name'), browserName());
}
async function runAll(list) {
  for (const e of list) if (!running) await runOne(e);
}
async function runOne(e) {
  const { n = 2 } = e;
  const token = `${e.name}-${Math.random().toString(36).slice(2, 8)}`;
  const labels = Array.from({ length: n }, (_, i) => (e.unique ? `${token}-${i + 1}` : token));
  const abort = new AbortController();
  clearCard(e);
  setData(e.node, 'outcome', null);
  setData(e.node, 'atOnce', null);
  setRunning(e);
  const over = new Promise((resolve) =>
    assign(e, { n, labels, asked: [], lanes: new Map(), resolve }),
  );
  const fetches = labels.map(async (x) => {
    e.asked.push(onServer(performance.now()));
    const response = await fetch(`${model.lab}/${e.path}&from=2&period=600ms&x=${x}`, {
      cache: e.cache,
      signal: abort.signal,
    });
    await response.text();
    if (!response.ok) throw new Error();
  });
  drawOne(e);
  // The events decide; time only gives up.
  const timer = setTimeout(e.resolve, 30000, 'The server’s events did not come.');
  Promise.all(fetches).catch(() => e.resolve('A request failed.'));
  const failure = await over;
  clearTimeout(timer);
  abort.abort();
  const verdict = failure
    ? ['inconclusive', badges.inconclusive, failure, '']
    : e.n > 2
      ? outcomeOfEight(e)
      : outcomeOf(e);
  judge(e, ...verdict);
  setData(e.node, 'outcome', verdict[0]);
  if (running === e) setRunning(null);
  drawOne(e);
}
function saw(lane) {
  const e = running;
  if (!e?.labels?.includes(lane.x)) return;
  e.lanes.set(lane.id, lane);
  drawOne(e);
  if (e.lanes.size === e.n && inOrder(e).every((l) => l.ended !== null)) e.resolve();
}
const inOrder = (e) => [...e.lanes.values()].sort((a, b) => a.opened - b.opened);

function drawOne(e) {
  const seen = inOrder(e);
  const after = (t) => (t === null ? null : max(0, t - e.asked[0]));
  setChart(
    e.chart,
    e.asked.map((asked, i) => {
      const lane = seen[i] ?? blank;
      const { opened, chunks } = lane;
      const text = opened === null ? 'not seen yet' : `seen ${span(opened - asked)}`;
      return {
        ...lane,
        asked: after(asked),
        opened: after(opened),
        answered: after(lane.answered),
        ended: after(lane.ended),
        chunks: chunks.map(after),
        text,
      };
    }),
    running === e ? () => serverNow() - e.asked[0] : null,
  );
}

/** By order on the server's clock. */
function outcomeOf(e) {
  const [first, second] = inOrder(e);
  const late = second.opened - first.opened;
  if (second.opened < first.ended)
    return [
      'free',
      '✓ not held back',
      `Not held back: the server saw the second after ${span(late)}.`,
      e.free,
    ];
  // It lay before a held worker: the browser had sent it.
  if (e.name === 'blocking' || second.waited > late / 2) {
    return [
      'serialized',
      '✕ one by one',
      `One after the other: the server. It read the second after ${span(late)}.`,
      'Both were sent at once, but the worker was held.',
    ];
  }
  return ['held', '◑ held back', `Held back until the first had ended: ${span(late)}.`, e.held];
}
function outcomeOfEight(e) {
  const lanes = inOrder(e);
  const most = max(
    ...lanes.map(
      ({ opened }) => lanes.filter((l) => l.opened <= opened && l.ended > opened).length,
    ),
  );
  setData(e.node, 'atOnce', most);
  if (most === e.n) return ['free', '✓ all at once', `All ${most} at once.`, ''];
  return [
    'held',
    `◑ ${most} at a time`,
    `${most} at a time; the ${most + 1}th waited ${span(lanes[most].opened - e.asked[0])}.`,
    'This is the browser: the others waited for a free connection.',
  ];
}

// ---- frames ----

function sync(t) {
  if (t - board.syncedAt < 100 || !(dirty || heldOnes().length)) return;
  board.syncedAt = t;
  dirty = false;
  syncRest();
  syncWorkers();
  if (board.pausedAt === null) syncRows();
}
function frame(t) {
  requestAnimationFrame(frame);
  sync(t);
  speak(t);
  if (t - board.summedAt > 2000) {
    board.summedAt = t;
    summarise();
  }
  if (devicePixelRatio !== theme.ratio) {
    theme.ratio = devicePixelRatio;
    redraw();
  }
  const rest = still.matches ? 500 : 0;
  const moving =
    board.pausedAt === null &&
    t - board.drawnAt >= rest &&
    (t - board.drawnAt > 1000 || isMoving());
  if (board.redraw || moving) {
    assign(board, { redraw: false, drawnAt: t });
    drawBoard();
  }
  for (const chart of charts) {
    if (!chart.width || !(chart.redraw || chart.now) || (chart.now && t - chart.drawnAt < rest))
      continue;
    assign(chart, { redraw: false, drawnAt: t });
    drawChart(chart);
  }
}
function redraw() {
  readTheme();
  drawLegend();
  for (const chart of [board, ...charts]) chart.redraw = true;
}

// ---- start ----

const bar = { ...blank, opened: 3, answered: 3, finished: true, color: 0 };
const legend = [
  { ...blank, asked: 0, color: 0 },
  { ...bar, answered: null },
  bar,
  { ...bar, chunks: [17] },
  { ...bar, ended: 26 },
  { ...bar, ended: 26, finished: false },
  { ...bar, answered: 20, ended: 20, status: 500 },
];
function drawLegend() {
  all('#legend canvas').forEach((canvas, i) => {
    const ctx = fit(canvas, { width: 34, height: 18 });
    if (legend[i]) return drawBar(ctx, legend[i], 9, (t) => t, 31);
    box(ctx, theme.band, 2, 0, 30, 18);
  });
}
function togglePause() {
  const paused = board.pausedAt === null;
  board.pausedAt = paused ? viewNow() : null;
  $('pause').ariaPressed = paused;
  setText($('pause'), paused ? 'Go on' : 'Pause');
  dirty = board.redraw = true;
}
function start() {
  window.holdup = { frames: 0, lanes: () => model.lanes.size };
  matchMedia('(prefers-color-scheme: dark)').onchange = redraw;
  narrow.onchange = () => {
    grow();
    redraw();
  };
  measure(board, $('board'));
  $('scroll').onscroll = () => assign(board, { top: $('scroll').scrollTop, redraw: true });
  $('window').onchange = (event) =>
    assign(board, { seconds: Number(event.target.value), redraw: true });
  $('pause').onclick = togglePause;
  $('stack-close').onclick = () => $('stack').close();
  // The button that opened it may be gone.
  $('stack').onclose = () => $('stack').opener.hidden && $('holds').focus();
  keepHeight($('workers'));
  $('requests').oninput = () => setRunning(running);
  buildExperiments();
  connect();
  requestAnimationFrame(frame);
}
start();
