'use strict';
// The console's page. Events come in by `receive`, change `model`, and set `dirty`; the frame loop
// writes what changed to the DOM, at most ten times a second, and draws the bars.
// Everything that the server sends is untrusted: it becomes text, never markup.

// ---- small helpers ----------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);

/** An element with attributes and children (strings become text). */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

/** Writes only what differs: an unchanged text must not cost a layout, nor be read out again. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
function setData(node, name, value) {
  if (value === null) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}
function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

function span(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const digits = ms < 9995 ? 2 : ms < 99950 ? 1 : 0;
  return `${(ms / 1000).toFixed(digits)} s`;
}
const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
const number = (n) => Number(n ?? 0).toLocaleString('en');

function search(path) {
  const at = path.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : path.slice(at));
}

// ---- the server's clock -----------------------------------------------------------------------

// An event cannot arrive before it was sent, so the smallest difference is the best one. Two windows
// of 15 s, of which the older is thrown away, forget it slowly: clocks drift, and machines sleep.
const clock = {
  older: Infinity, newer: Infinity, since: 0, latest: 0,
  reset() { this.older = this.newer = Infinity; },
  heard(serverMs) {
    const now = performance.now();
    if (now - this.since > 15000) { this.older = this.newer; this.newer = Infinity; this.since = now; }
    this.newer = Math.min(this.newer, now - serverMs);
    this.latest = serverMs;
  },
  offset() { const o = Math.min(this.older, this.newer); return o === Infinity ? 0 : o; },
  /** The server's time now. It stops when the server is no longer heard: bars must not grow by guess. */
  now() { return Math.min(performance.now() - this.offset(), this.latest + 1500); },
  fromPage(pageMs) { return pageMs - this.offset(); },
};
// Events come in batches, 20 a second. Drawn a little late, a bar's end never has to be taken back.
const LAG = 80;

// ---- what is known ----------------------------------------------------------------------------

const LIMIT = { lanes: 128, chunks: 120, holds: 50, listed: 8, routes: 200 };

const model = {
  workers: new Map(), lanes: new Map(), waiting: [], holds: [], over: [],
  totals: {}, buttons: [], lab: null, probe: null, version: '',
};
let dirty = true;

const colors = new Map();
/** Stable for a route: in the order in which routes were first seen. */
function colorOf(route) {
  if (!colors.has(route)) {
    if (colors.size >= LIMIT.routes) return 7;
    colors.set(route, colors.size % 7);
  }
  return colors.get(route);
}

function laneOf(message) {
  const { lane, worker, method, route, path } = message;
  const opened = message.opened_ms ?? message.at_ms;
  return {
    id: lane, worker, method: String(method), route: String(route), path: String(path),
    x: search(String(path)).get('x'), color: colorOf(String(route)),
    asked: message.waited_ms == null ? null : opened - message.waited_ms,
    waited: message.waited_ms ?? null, opened,
    answered: message.answered_ms ?? null, status: message.status ?? null,
    chunks: (message.chunks ?? []).slice(-LIMIT.chunks), ended: message.ended_ms ?? null, finished: message.finished ?? null,
  };
}

function stateOf(lane) {
  if (lane.ended !== null) return lane.finished ? 'done' : 'cut';
  return lane.answered === null ? 'working' : 'answering';
}
const isError = (lane) => lane.status !== null && lane.status >= 400;

/** A hold is told several times: the newest telling counts. */
function rememberHold(hold) {
  const at = model.holds.findIndex((h) => h.worker === hold.worker && h.started_ms === hold.started_ms);
  if (at >= 0) model.holds[at] = hold;
  else model.holds.push(hold);
  if (model.holds.length > LIMIT.holds) model.holds.shift();
}
function workerOf(id) {
  if (!model.workers.has(id)) model.workers.set(id, { worker: id, open: 0, held: null });
  return model.workers.get(id);
}

function culprit(hold) {
  const first = hold.culprits?.[0];
  if (!first) return 'something outside the watched requests';
  const others = hold.culprits.length - 1;
  return `${first.method} ${first.route} (${first.part})${others > 0 ? ` and ${count(others, 'other')}` : ''}`;
}

// ---- events -----------------------------------------------------------------------------------

const handlers = {
  snapshot(m) {
    clock.reset();
    clock.heard(m.now_ms);
    Object.assign(model, {
      workers: new Map(m.workers.map((w) => [w.worker, { ...w }])),
      lanes: new Map(m.lanes.map((l) => [l.lane, laneOf(l)])),
      waiting: m.waiting, holds: [], over: m.holds.slice(-LIMIT.listed).reverse(),
      totals: m.totals, lab: m.lab && labOf(m.lab.url), probe: m.probe, version: m.version,
    });
    for (const hold of m.holds) rememberHold(hold);
    for (const w of m.workers) if (w.held) rememberHold(w.held);
    if (JSON.stringify(m.buttons) !== JSON.stringify(model.buttons)) { model.buttons = m.buttons; buildCards(); }
    showLab();
    showProbe(m.probe);
    if (!m.probe || m.probe.state !== 'running') setRunning(null);
    experimentsLook();
    connected('live');
  },
  opened(m) {
    model.lanes.set(m.lane, laneOf(m));
    // The server drops lanes; this is for one that forgets to.
    if (model.lanes.size > LIMIT.lanes) model.lanes.delete(model.lanes.keys().next().value);
    experimentsSaw(model.lanes.get(m.lane));
  },
  answered(m) {
    const lane = model.lanes.get(m.lane);
    if (lane) { lane.answered = m.at_ms; lane.status = m.status; }
  },
  chunks(m) {
    const lane = model.lanes.get(m.lane);
    if (!lane) return;
    lane.chunks.push(...m.at_ms);
    if (lane.chunks.length > LIMIT.chunks) lane.chunks.splice(0, lane.chunks.length - LIMIT.chunks);
  },
  ended(m) {
    const lane = model.lanes.get(m.lane);
    if (lane) { lane.ended = m.at_ms; lane.finished = m.finished; experimentsSaw(lane); }
  },
  dropped(m) { for (const id of m.lanes) model.lanes.delete(id); },
  held({ hold }) {
    const worker = workerOf(hold.worker);
    if (worker.held?.started_ms !== hold.started_ms) announce(`Worker ${hold.worker} is held by ${culprit(hold)}.`);
    worker.held = hold;
    rememberHold(hold);
  },
  released({ hold }) {
    workerOf(hold.worker).held = null;
    rememberHold({ ...hold, ongoing: false });
    model.over.unshift(hold);
    model.over.length = Math.min(model.over.length, LIMIT.listed);
    announce(`Worker ${hold.worker} is free again after ${span(hold.duration_ms)}.`);
  },
  waiting(m) { model.waiting = m.waiting; },
  probe(m) { model.probe = m; showProbe(m); },
  now(m) {
    clock.heard(m.now_ms);
    model.totals = m.totals;
    for (const w of m.workers) workerOf(w.worker).open = w.open;
  },
  behind(m) { connected('behind', m.detail); },
};

function receive(text) {
  const message = JSON.parse(text);
  // Own members only: "constructor" is no event.
  if (Object.hasOwn(handlers, message.event)) handlers[message.event](message);
  dirty = true;
}

function connect() {
  const source = new EventSource('/events');
  source.onmessage = (event) => receive(event.data);
  source.onerror = () => {
    // After "behind" the server closes by itself: the reason stays until the picture is fresh.
    if (document.body.dataset.state !== 'behind') connected('reconnecting');
    // An EventSource gives up when the answer is no stream (a proxy's error page, say).
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
}

function connected(state, detail) {
  setData(document.body, 'state', state);
  const words = { live: 'live', reconnecting: 'reconnecting …', behind: 'behind, reconnecting …' };
  setText($('connection'), words[state]);
  $('connection').title = detail ?? '';
}

// ---- said aloud -------------------------------------------------------------------------------

const speech = { pending: [], last: -Infinity };
function announce(text) {
  speech.pending.push(text);
  if (speech.pending.length > 20) speech.pending.shift();
}
/** At most one announcement a second; what came together is said together. */
function speak(t) {
  if (!speech.pending.length || t - speech.last < 1000) return;
  const said = speech.pending.splice(0);
  setText($('announce'), said.length <= 2 ? said.join(' ') : `${said.length} holds began or ended. ${said.at(-1)}`);
  speech.last = t;
}

// ---- drawing: one bar -------------------------------------------------------------------------

const theme = {};
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['text', 'muted', 'line', 'grid', 'card', 'held', 'held-bg', 'held-line', 'band']) theme[name] = style.getPropertyValue(`--${name}`).trim();
  theme.colors = Array.from({ length: 8 }, (_, i) => style.getPropertyValue(`--c${i}`).trim());
  theme.font = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
}

const BAR = 10;

/**
 * A bar is {asked, opened, answered, chunks, ended, cut, error, color}, times in milliseconds and null if not yet.
 * The shape tells the state: dotted, hollow, filled, cap. `x` maps a time to a pixel; `now` is the last time drawn.
 */
function drawBar(ctx, bar, middle, x, now) {
  const color = bar.color;
  const reached = (t) => t !== null && t <= now;
  const end = reached(bar.ended) ? bar.ended : now;
  ctx.strokeStyle = ctx.fillStyle = color;
  if (reached(bar.asked)) dotted(ctx, x(bar.asked), x(reached(bar.opened) ? bar.opened : end), middle);
  if (reached(bar.opened)) {
    const answered = reached(bar.answered) ? bar.answered : end;
    hollow(ctx, x(bar.opened), x(answered), middle);
    if (reached(bar.answered)) filled(ctx, x(answered), x(end), middle);
    for (const t of bar.chunks) if (t <= now) ctx.fillRect(Math.round(x(t)) - 1, middle - 7, 2, 14);
  }
  if (bar.error && reached(bar.answered ?? bar.ended)) mark(ctx, x(end) + 9, middle);
  if (!reached(bar.ended)) return;
  if (bar.cut) cross(ctx, x(end), middle);
  else ctx.fillRect(x(end) - 2, middle - 7, 4, 14);
}
function dotted(ctx, from, to, y) {
  ctx.lineWidth = 2;
  ctx.setLineDash([2, 4]);
  // Counted from the right end, dots would crawl; from the left they move with the bar.
  ctx.beginPath(); ctx.moveTo(from, y); ctx.lineTo(to, y); ctx.stroke();
  ctx.setLineDash([]);
}
function hollow(ctx, from, to, y) {
  if (to - from < 2) return ctx.fillRect(from - 0.75, y - BAR / 2, 1.5, BAR);
  ctx.lineWidth = 1.5;
  ctx.strokeRect(from, y - BAR / 2 + 0.75, to - from, BAR - 1.5);
}
function filled(ctx, from, to, y) {
  ctx.globalAlpha = 0.45;
  ctx.fillRect(from, y - BAR / 2, Math.max(1, to - from), BAR);
  ctx.globalAlpha = 1;
}
function cross(ctx, at, y) {
  ctx.strokeStyle = theme.held;
  ctx.lineWidth = 2.25;
  ctx.beginPath();
  ctx.moveTo(at - 5, y - 5); ctx.lineTo(at + 5, y + 5); ctx.moveTo(at + 5, y - 5); ctx.lineTo(at - 5, y + 5);
  ctx.stroke();
}
function mark(ctx, at, y) {
  ctx.fillStyle = theme.held;
  ctx.fillRect(at - 1.25, y - 7, 2.5, 8.5);
  ctx.fillRect(at - 1.25, y + 3.5, 2.5, 2.5);
  ctx.fillStyle = ctx.strokeStyle;
}

/** A canvas as large as it is shown, in device pixels: two per pixel at most, more cannot be seen. */
function fit(canvas, size) {
  const ratio = Math.min(2, devicePixelRatio || 1);
  const [w, h] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const ctx = canvas.getContext('2d');
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, size.width, size.height);
  ctx.font = theme.font;
  ctx.textBaseline = 'middle';
  return ctx;
}
function label(ctx, text, x, y, align = 'center', color = theme.muted) {
  ctx.fillStyle = color;
  ctx.textAlign = align;
  ctx.fillText(text, x, y);
}

// ---- the requests -----------------------------------------------------------------------------

const AXIS = 44;
const still = matchMedia('(prefers-reduced-motion: reduce)');
const narrow = matchMedia('(max-width: 760px)');
const board = {
  width: 0, height: 0, top: 0, seconds: 30, pausedAt: null, redraw: true, tallest: 6,
  rows: [],              // what the list shows, in order: {lane} or {peer}
  drawnAt: -Infinity, syncedAt: -Infinity, summedAt: -Infinity,
};
const rows = new Map();  // key of a lane or waiting connection -> its <li> and what it holds

const viewNow = () => board.pausedAt ?? clock.now() - LAG;

function makeRow() {
  const part = (name) => el('span', { class: name });
  const row = { dot: el('span', { class: 'dot', 'aria-hidden': 'true' }), number: part('number'), route: part('route'), x: part('x'), word: part('word') };
  row.li = el('li', { class: 'lane' }, row.number, row.dot, row.route, row.x, row.word);
  return row;
}
function fillLane(row, lane) {
  const state = stateOf(lane);
  const error = isError(lane);
  setData(row.li, 'state', state);
  setText(row.word, state === 'cut' ? 'cut off' : error ? `error ${lane.status}` : state);
  row.word.classList.toggle('bad', error);
  if (row.lane === lane) return;
  row.lane = lane;
  setData(row.li, 'lane', lane.id);
  setData(row.li, 'route', lane.route);
  row.li.title = `${lane.method} ${lane.path}, worker ${lane.worker}`;
  row.dot.className = `dot c${lane.color}`;
  setText(row.number, `#${lane.id}`);
  setText(row.route, `${lane.method} ${lane.route}`);
  setText(row.x, lane.x === null ? '' : `x=${lane.x}`);
}
function fillWaiting(row, wait) {
  row.wait = wait;
  setData(row.li, 'state', 'waiting');
  setData(row.li, 'peer', wait.peer);
  row.dot.className = 'dot none';
  setText(row.number, '');
  setText(row.route, wait.peer);
  setText(row.word, 'waiting to be read');
  row.word.style.maxWidth = 'none';
}

/** Makes the list what the model says. Rows stay where they are; new ones come in at the end. */
function syncRows() {
  const scroll = $('scroll');
  const atEnd = scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 4;
  const wanted = new Map();
  for (const lane of model.lanes.values()) wanted.set(`lane ${lane.id}`, lane);
  for (const wait of model.waiting) wanted.set(`peer ${wait.peer}`, wait);
  let changed = false;
  for (const [key, row] of rows) {
    if (!wanted.has(key)) { row.li.remove(); rows.delete(key); changed = true; }
  }
  const list = $('lanes');
  let next = list.firstChild;
  board.rows.length = 0;
  for (const [key, item] of wanted) {
    let row = rows.get(key);
    if (!row) { row = makeRow(); rows.set(key, row); changed = true; }
    if (item.peer === undefined) fillLane(row, item);
    else fillWaiting(row, item);
    if (row.li === next) next = next.nextSibling;
    else list.insertBefore(row.li, next);
    board.rows.push(row);
  }
  if (changed) {
    grow();
    if (atEnd) scroll.scrollTop = scroll.scrollHeight;
  }
  setHidden($('empty'), board.rows.length > 0);
  const hidden = model.totals.hidden ?? 0;
  setHidden($('hidden'), hidden === 0);
  setText($('hidden'), `${count(hidden, 'more open request is', 'more open requests are')} not drawn.`);
}
/** The board grows with its rows up to a height, and never shrinks: what is below must not jump. */
function grow() {
  const most = narrow.matches ? 9 : 16;
  board.tallest = Math.min(most, Math.max(board.tallest, board.rows.length));
  $('scroll').style.height = `calc(${board.tallest} * var(--row) + 8px)`;
}

function barOfRow(row, now) {
  if (row.wait) return { asked: row.wait.since_ms, opened: null, answered: null, chunks: [], ended: null, color: theme.muted };
  const lane = row.lane;
  return { ...lane, cut: lane.finished === false, error: isError(lane), color: theme.colors[lane.color], now };
}

function drawBoard() {
  const ctx = fit($('chart'), board);
  const now = viewNow();
  const [left, right] = [narrow.matches ? 12 : 384, board.width - 26];
  const from = now - board.seconds * 1000;
  const x = (t) => left + ((Math.max(t, from - 1000) - from) / (now - from)) * (right - left);
  drawAxis(ctx, left, right);
  const holds = model.holds.filter((h) => h.started_ms < now && (h.ongoing || h.started_ms + h.duration_ms > from));
  drawHoldLabels(ctx, holds, x, now, left, right);
  ctx.save();
  ctx.beginPath(); ctx.rect(left - 1, AXIS, right - left + 26, board.height - AXIS); ctx.clip();
  const height = narrow.matches ? 46 : 26;
  const first = Math.max(0, Math.floor(board.top / height));
  const last = Math.min(board.rows.length, Math.ceil((board.top + board.height - AXIS) / height));
  for (let i = first; i < last; i++) drawRow(ctx, board.rows[i], AXIS + i * height - board.top, height, holds, x, now, from, left);
  ctx.restore();
  window.holdup.frames++;
}
function drawRow(ctx, row, top, height, holds, x, now, from, left) {
  // Whom a waiting connection waits for is not told: it may be any worker that is held.
  ctx.fillStyle = theme.band;
  for (const hold of holds) {
    if (row.wait ? !hold.ongoing : hold.worker !== row.lane.worker) continue;
    const a = Math.max(left, x(hold.started_ms));
    ctx.fillRect(a, top, x(holdEnd(hold, now)) - a, height);
  }
  const middle = top + (narrow.matches ? 34 : 13);
  const ended = row.lane?.ended ?? null;
  if (ended !== null && ended < from) label(ctx, `‹ ended ${Math.round((now - ended) / 1000)} s ago`, left, middle, 'left');
  else drawBar(ctx, barOfRow(row), middle, x, now);
}
const holdEnd = (hold, now) => (hold.ongoing ? now : Math.min(now, hold.started_ms + hold.duration_ms));

function drawAxis(ctx, left, right) {
  const steps = narrow.matches ? 2 : 5;
  for (let i = 0; i <= steps; i++) {
    const at = Math.round(left + ((right - left) * i) / steps) + 0.5;
    ctx.fillStyle = i === steps ? theme.muted : theme.grid;
    ctx.fillRect(at - 0.5, 22, 1, board.height - 22);
    const ago = board.seconds * (1 - i / steps);
    label(ctx, ago ? `${ago} s ago` : board.pausedAt === null ? 'now' : 'paused', at, 12, i === 0 ? 'left' : i === steps ? 'right' : 'center', ago ? theme.muted : theme.text);
  }
}
/** Above the rows: the holds as labelled blocks, so that the red behind the rows has a name. */
function drawHoldLabels(ctx, holds, x, now, left, right) {
  ctx.save();
  ctx.beginPath(); ctx.rect(left, 22, right - left, 20); ctx.clip();
  for (const hold of holds) {
    const a = Math.max(left, x(hold.started_ms));
    const b = x(holdEnd(hold, now));
    ctx.fillStyle = theme['held-bg'];
    ctx.fillRect(a, 24, b - a, 17);
    ctx.fillStyle = theme.held;
    ctx.fillRect(a, 39, Math.max(1, b - a), 2);
    const text = `${model.workers.size > 1 ? `worker ${hold.worker} ` : ''}held ${span(holdEnd(hold, now) - hold.started_ms)}`;
    const fits = [text, 'held'].find((t) => b - a > ctx.measureText(t).width + 10);
    if (fits) label(ctx, fits, a + 5, 32, 'left', theme.held);
  }
  ctx.restore();
}

/** Nothing moves when nothing is open and everything that ended has left the window. */
function isMoving(now) {
  const from = now - board.seconds * 1000 - 1000;
  return board.rows.some((r) => r.wait || r.lane.ended === null || r.lane.ended > from)
    || model.holds.some((h) => h.ongoing || h.started_ms + h.duration_ms > from);
}

function summarise() {
  const states = board.rows.map((r) => r.li.dataset.state);
  const of = (...names) => states.filter((s) => names.includes(s)).length;
  const held = [...model.workers.values()].filter((w) => w.held).map((w) => `Worker ${w.worker} is held by ${culprit(w.held)}.`);
  $('chart').setAttribute('aria-label', `The last ${board.seconds} seconds: ${count(of('working', 'answering'), 'request')} open, ${of('done')} done, ${of('cut')} cut off, ${of('waiting')} waiting to be read. ${held.slice(0, 3).join(' ')}`.trim());
}

// ---- workers, holds, totals -------------------------------------------------------------------

const strips = new Map();
function makeStrip(id) {
  const strip = { what: el('span', { class: 'what' }), aside: el('span', { class: 'aside' }) };
  strip.li = el('li', { class: 'worker', 'data-worker': id }, el('p', {}, el('b', {}, `worker ${id}`), ' · ', strip.what, strip.aside));
  return strip;
}
function syncWorkers() {
  for (const [id, strip] of strips) if (!model.workers.has(id)) { strip.li.remove(); strips.delete(id); }
  for (const [id, worker] of model.workers) {
    if (!strips.has(id)) { strips.set(id, makeStrip(id)); $('workers').append(strips.get(id).li); }
    const { li, what, aside } = strips.get(id);
    const open = worker.open ? `${count(worker.open, 'request')} open` : 'no request open';
    const unread = model.waiting.length;
    setData(li, 'held', Boolean(worker.held));
    setText(what, worker.held ? `held for ${span(clock.now() - worker.held.started_ms)} by ${culprit(worker.held)}` : 'free');
    setText(aside, ` · ${open}${worker.held && unread ? ` · ${count(unread, 'connection waits', 'connections wait')} to be read` : ''}`);
  }
}
function syncHolds() {
  const list = $('holds-list');
  setHidden($('holds'), model.over.length === 0);
  while (list.children.length < model.over.length) list.append(el('li'));
  while (list.children.length > model.over.length) list.lastChild.remove();
  model.over.forEach((hold, i) => setText(list.children[i], hold.sentence));
}
function syncTotals() {
  for (const name of ['open', 'finished', 'unfinished', 'chunks', 'lost']) setText($(`total-${name}`), number(model.totals[name]));
  setHidden($('lost'), !model.totals.lost);
  setText($('version'), `holdup ${model.version}`);
  const held = [...model.workers.values()].some((w) => w.held);
  const title = held ? 'held · holdup' : 'holdup';
  if (document.title !== title) document.title = title;
}

// ---- small charts (probe, browser) ------------------------------------------------------------

const charts = new Set();

/** Rows with a short label each, and one canvas behind them; the time axis starts at zero. */
function makeChart(listClass, what) {
  const canvas = el('canvas', { role: 'img', 'aria-label': what });
  const list = el('ol', { class: listClass });
  const chart = { node: el('div', { class: 'small', hidden: true }, canvas, list), canvas, list, bars: [], clock: () => 0, running: false, width: 0, height: 0, redraw: true };
  new ResizeObserver(([entry]) => {
    Object.assign(chart, { width: entry.contentRect.width, height: entry.target.offsetHeight, redraw: true });
  }).observe(chart.node);
  charts.add(chart);
  return chart;
}
/** `items`: {bar, name, text, state, title} each. */
function setChart(chart, items) {
  chart.node.hidden = items.length === 0;
  while (chart.list.children.length < items.length) chart.list.append(el('li', {}, el('span'), el('b', { class: 'plain' })));
  while (chart.list.children.length > items.length) chart.list.lastChild.remove();
  items.forEach((item, i) => {
    const li = chart.list.children[i];
    setText(li.firstChild, item.name);
    setText(li.lastChild, item.text);
    setData(li, 'state', item.state);
    if (li.title !== item.title) li.title = item.title;
  });
  chart.bars = items.map((item) => item.bar);
  chart.redraw = true;
}
/** A full scale that seldom changes: a bar that grows is easier to read than an axis that shrinks. */
function fullScale(ms) {
  return [200, 500, 1000, 2000, 3000, 5000, 8000, 12000, 20000, 30000, 45000, 60000, 120000].find((s) => s >= ms) ?? ms;
}
function drawChart(chart) {
  const ctx = fit(chart.canvas, chart);
  const now = chart.clock();
  const longest = Math.max(1, ...chart.bars.map((b) => b.ended ?? now));
  const full = fullScale(longest);
  const [left, right, bottom] = [114, chart.width - 8, chart.height - 20];
  const x = (t) => left + (Math.max(0, t) / full) * (right - left);
  for (const part of [0, 0.5, 1]) {
    ctx.fillStyle = theme.grid;
    ctx.fillRect(Math.round(x(full * part)), 0, 1, bottom + 3);
    label(ctx, part ? `${(full * part) / 1000} s` : '0', x(full * part) + (part === 1 ? 6 : 0), bottom + 12, part === 1 ? 'right' : part ? 'center' : 'left');
  }
  chart.bars.forEach((bar, i) => drawBar(ctx, bar, i * 20 + 10, x, now));
}

// ---- "Run two": the probe ---------------------------------------------------------------------

const cards = new Map();
const run = { probe: null, experiment: null };

function buildCards() {
  for (const card of cards.values()) charts.delete(card.chart);
  cards.clear();
  $('cards').replaceChildren();
  for (const button of model.buttons) {
    const card = makeCard(button);
    cards.set(button.button, card);
    $('cards').append(card.node);
  }
  const countdown = model.buttons.some((b) => b.countdown);
  for (const choice of document.querySelectorAll('.countdown')) choice.hidden = !countdown;
  $('choices').hidden = model.buttons.length === 0;
  if (!model.buttons.length) {
    $('cards').append(el('p', {}, 'There are no buttons yet. They are chosen where the app is built: ',
      el('code', {}, 'watch.console("127.0.0.1:8081").app("http://127.0.0.1:8080").button("/report")')));
  }
}

function makeCard(button) {
  const card = {
    button, badge: el('span', { class: 'badge', hidden: true }),
    go: el('button', { class: 'run', type: 'button', 'aria-describedby': 'busy' }),
    stop: el('button', { class: 'stop', type: 'button', hidden: true }, 'Stop'),
    step: el('p', { class: 'step about', role: 'status' }), problem: el('p', { class: 'problem', role: 'alert' }),
    chart: makeChart('probe-lanes', `The requests of ${button.label} over time`),
    verdict: el('p', { class: 'verdict', role: 'status' }), more: el('div', { class: 'more', hidden: true }),
  };
  card.go.addEventListener('click', () => startProbe(card));
  card.stop.addEventListener('click', () => fetch('/probe', { method: 'DELETE' }).catch(() => {}));
  card.node = el('article', { class: 'card', 'data-button': button.button },
    el('header', {}, el('h3', {}, button.label), card.badge),
    button.code ? el('pre', {}, el('code', {}, button.code)) : el('pre', {}, el('code', {}, `GET ${button.path}`)),
    el('div', { class: 'actions' }, card.go, card.stop),
    card.step, card.problem, card.chart.node, card.verdict, card.more);
  return card;
}

function clearCard(card) {
  card.badge.hidden = card.more.hidden = true;
  setData(card.verdict, 'kind', null);
  for (const node of [card.verdict, card.step, card.problem]) setText(node, '');
  setChart(card.chart, []);
}

async function startProbe(card) {
  const fields = [$('requests'), ...(card.button.countdown ? [$('from'), $('period')] : [])];
  if (!fields.every((field) => field.reportValidity())) return;
  const body = { button: card.button.button, requests: $('requests').valueAsNumber };
  if (card.button.countdown) Object.assign(body, { from: $('from').valueAsNumber, period: $('period').value.trim() });
  clearCard(card);
  setRunning(card);
  try {
    const response = await fetch('/probe', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    if (response.ok) return;
    const problem = await response.json().catch(() => ({}));
    refuse(card, String(problem.detail ?? problem.title ?? `The server answered ${response.status}.`));
  } catch {
    refuse(card, 'The server could not be reached.');
  }
}
function refuse(card, reason) {
  setText(card.problem, reason);
  // 409 says that another one runs: that one's events tell when it is over.
  const other = model.probe?.state === 'running' ? cards.get(model.probe.button) : null;
  setRunning(other ?? null);
}

/** One at a time: two measurements would measure each other. */
function setRunning(card) {
  if (run.probe !== card) {
    const focused = document.activeElement;
    const before = run.probe;
    run.probe = card;
    showBusy();
    // A button that vanishes or is disabled must not take the keyboard's place with it.
    if (card && focused === card.go) card.stop.focus();
    else if (before && focused === before.stop) before.go.focus();
  }
}
function showBusy() {
  const busy = run.probe || run.experiment;
  for (const card of cards.values()) {
    card.go.disabled = Boolean(busy);
    card.stop.hidden = card !== run.probe;
    setText(card.go, `Run ${$('requests').valueAsNumber || 2}`);
  }
  for (const e of experiments) if (e.go) e.go.disabled = Boolean(busy);
  $('run-all').disabled = Boolean(busy);
  setHidden($('busy'), !busy);
  setText($('busy'), run.probe ? `“${run.probe.button.label}” runs: one at a time, or they would measure each other.` : 'The browser’s experiment runs: one at a time.');
}

const steps = {
  'warm-up': () => 'one first, to warm up',
  solo: () => 'alone, to know how long one takes',
  unique: (n) => `${n} at once, each with its own URL`,
  identical: (n) => `${n} at once with one URL`,
};
const badges = { concurrent: '✓ concurrent', serialized: '✕ serialized', limited: '◑ limited', inconclusive: '? inconclusive' };

function showProbe(probe) {
  const card = probe && cards.get(probe.button);
  if (!card) return;
  const fresh = card.shown !== probe.id;
  if (fresh) { clearCard(card); card.shown = probe.id; }
  showProbeLanes(card, probe);
  const running = probe.state === 'running';
  setText(card.step, running ? `${probe.step} of ${probe.steps}: ${Object.hasOwn(steps, probe.phase) ? steps[probe.phase](probe.requests) : probe.phase}`
    : probe.state === 'stopped' ? 'Stopped.' : '');
  setText(card.problem, probe.state === 'failed' ? probe.detail ?? 'It failed.' : '');
  if (probe.verdict) showVerdict(card, probe.verdict);
  if (running) setRunning(card);
  else if (run.probe === card && !fresh) setRunning(null);
  else if (run.probe === card) setRunning(null);
}

function showProbeLanes(card, probe) {
  const start = Math.min(...probe.lanes.map((l) => l.asked_ms));
  const heard = performance.now();
  const running = probe.state === 'running';
  const color = theme.colors[colorOf(probe.lanes.length ? new URL(probe.lanes[0].label, location.href).pathname : '')];
  card.chart.running = running;
  card.chart.clock = () => probe.now_ms - start + (running ? Math.min(300, performance.now() - heard) : 0);
  setChart(card.chart, probe.lanes.map((lane, i) => {
    const after = (t) => (t === null || t === undefined ? null : t - start);
    const ended = lane.ended_ms ?? (running ? null : probe.now_ms);
    const cut = Boolean(lane.failure) || (!running && lane.ended_ms === null);
    const state = cut ? 'cut' : lane.ended_ms !== null ? 'done' : lane.first_byte_ms !== null ? 'answering' : 'waiting';
    const error = lane.status !== null && lane.status >= 400;
    return {
      name: String(i + 1), state, title: lane.failure ? `${lane.label}: ${lane.failure}` : lane.label,
      text: cut ? 'cut off' : error && lane.ended_ms !== null ? `error ${lane.status}` : state === 'done' ? span(lane.ended_ms - lane.asked_ms) : state,
      bar: {
        asked: after(lane.asked_ms), opened: after(lane.first_byte_ms), answered: after(lane.first_byte_ms),
        chunks: lane.chunks.slice(-LIMIT.chunks).map((c) => after(c.at_ms)), ended: after(ended), cut, error, color,
      },
    };
  }));
}

function showVerdict(card, verdict) {
  const kind = Object.hasOwn(badges, verdict.kind) ? verdict.kind : 'inconclusive';
  setData(card.verdict, 'kind', kind);
  setData(card.badge, 'kind', kind);
  setText(card.badge, badges[kind]);
  card.badge.hidden = false;
  setText(card.verdict, verdict.sentence);
  const parts = [el('ul', { class: 'evidence' }, ...verdict.evidence.map((line) => el('li', {}, line)))];
  if (verdict.delivery) parts.push(el('p', { class: 'delivery' }, verdict.delivery));
  if (verdict.identical) parts.push(el('p', { class: 'identical' }, verdict.identical));
  if (verdict.advice?.length) {
    parts.push(el('details', { class: 'advice' }, el('summary', {}, 'What to do'), el('ul', {}, ...verdict.advice.map((line) => el('li', {}, line)))));
  }
  card.more.replaceChildren(...parts);
  card.more.hidden = false;
}

// ---- "Is it the browser?" ---------------------------------------------------------------------

const experiments = [
  { name: 'same-whole', title: 'The same URL twice', about: 'The answer comes whole, at its end.', deliver: 'whole' },
  { name: 'same-stream', title: 'The same URL twice, streamed', about: 'The answer’s headers come at once.', deliver: 'stream' },
  { name: 'unique', title: 'Two unique URLs', about: 'x=…-1 and x=…-2, else the same.', deliver: 'whole', unique: true },
  { name: 'no-store', title: 'The same URL, no-store', about: 'The page says that it wants nothing kept.', deliver: 'whole', cache: 'no-store' },
  { name: 'blocking', title: 'Unique URLs, blocking handler', about: 'No browser holds these back. The server might.', deliver: 'whole', unique: true, handler: 'blocking' },
  { name: 'eight', title: 'Eight streams at once', about: 'Unique URLs: how many connections are there?', deliver: 'stream', unique: true, n: 8 },
];

/** Only http(s), and only its origin: what it becomes part of is fetched and linked. */
function labOf(url) {
  try {
    const parsed = new URL(url);
    return /^https?:$/.test(parsed.protocol) ? parsed.origin : null;
  } catch {
    return null;
  }
}

function showLab() {
  $('browser').hidden = model.lab === null;
  setText($('empty-how'), model.lab ? 'In two terminals, one right after the other (or press a button below):' : 'Ask your app for something, twice at once, and its requests appear here.');
  setHidden($('empty-curl'), model.lab === null);
  if (model.lab === null) return;
  setText($('empty-curl'), `curl -N '${model.lab}/blocking?x=1'\ncurl -N '${model.lab}/blocking?x=2'`);
  for (const link of document.querySelectorAll('a.tab')) link.href = `${model.lab}/coroutine?deliver=whole&from=5${link.dataset.query}`;
}

function browserName() {
  const known = ['Microsoft Edge', 'Opera', 'Brave', 'Google Chrome', 'Chromium', 'HeadlessChrome'];
  const brand = known.map((name) => navigator.userAgentData?.brands.find((b) => b.brand === name)).find(Boolean);
  if (brand) return `${brand.brand} ${brand.version}`;
  const match = /(Firefox)\/(\d+)/.exec(navigator.userAgent) ?? /(Chrom)e\/(\d+)/.exec(navigator.userAgent) ?? /Version\/(\d+).*(Safari)/.exec(navigator.userAgent);
  if (!match) return 'this browser';
  if (match[1] === 'Chrom') return `Chromium ${match[2]}`;
  return match[2] === 'Safari' ? `Safari ${match[1]}` : `${match[1]} ${match[2]}`;
}

function buildExperiments() {
  for (const e of experiments) {
    e.go = el('button', { type: 'button', 'aria-label': `Run: ${e.title}` }, 'Run');
    e.badge = el('span', { class: 'badge', hidden: true });
    e.verdict = el('p', { class: 'verdict', role: 'status' });
    e.why = el('p', { class: 'more' });
    e.chart = makeChart('asked', `${e.title}: when each was asked, and when the server saw it`);
    e.go.addEventListener('click', () => runExperiments([e]));
    e.node = el('article', { class: 'card', 'data-experiment': e.name },
      el('header', {}, el('h3', {}, e.title), e.badge), el('p', { class: 'about' }, e.about),
      el('div', { class: 'actions' }, e.go), e.chart.node, e.verdict, e.why);
    $('experiments').append(e.node);
  }
  $('run-all').addEventListener('click', () => runExperiments(experiments));
  setText($('browser-name'), browserName());
}

async function runExperiments(list) {
  if (run.probe || run.experiment) return;
  try {
    for (const e of list) await runExperiment(e);
  } finally {
    run.experiment = null;
    showBusy();
  }
}

function runExperiment(e) {
  const n = e.n ?? 2;
  const token = `${e.name}-${Math.random().toString(36).slice(2, 8)}`;
  const labels = Array.from({ length: n }, (_, i) => (e.unique ? `${token}-${i + 1}` : token));
  const abort = new AbortController();
  const now = { labels: new Set(labels), lanes: new Map(), asked: [], failed: false, n };
  run.experiment = e;
  e.now = now;
  setData(e.node, 'outcome', null);
  setData(e.node, 'atOnce', null);
  e.badge.hidden = true;
  setText(e.verdict, '');
  setText(e.why, '');
  showBusy();
  return new Promise((resolve) => {
    now.resolve = resolve;
    const fetches = labels.map((x) => {
      now.asked.push(clock.fromPage(performance.now()));
      return fetch(`${model.lab}/${e.handler ?? 'coroutine'}?from=2&period=600ms&deliver=${e.deliver}&x=${x}`, { cache: e.cache ?? 'default', signal: abort.signal })
        .then(async (response) => { await response.text(); if (!response.ok) throw new Error(); });
    });
    drawExperiment(e);
    // The server's events decide. Time only ends the waiting for them.
    const limit = setTimeout(() => { now.failed = true; conclude(e); }, 40000);
    Promise.allSettled(fetches).then((results) => {
      if (results.some((r) => r.status === 'rejected')) { now.failed = true; conclude(e); }
      else now.patience = setTimeout(() => conclude(e, true), 5000);
    });
    now.finish = () => { clearTimeout(limit); clearTimeout(now.patience); abort.abort(); resolve(); };
  });
}

/** The server opened or ended a request: is it one of the experiment's? */
function experimentsSaw(lane) {
  const e = run.experiment;
  if (!e?.now || !e.now.labels.has(lane.x)) return;
  e.now.lanes.set(lane.id, lane);
  drawExperiment(e);
  if (e.now.lanes.size === e.now.n && [...e.now.lanes.values()].every((l) => l.ended !== null)) conclude(e);
}
/** After a fresh snapshot, everything may be new. */
function experimentsLook() {
  for (const lane of model.lanes.values()) experimentsSaw(lane);
}

const inOrder = (e) => [...e.now.lanes.values()].sort((a, b) => a.opened - b.opened);

function drawExperiment(e) {
  const { asked, n } = e.now;
  const seen = inOrder(e);
  const start = Math.min(...asked);
  const running = run.experiment === e && !e.node.dataset.outcome;
  e.chart.running = running;
  e.chart.clock = () => (running ? clock.now() - start : Infinity);
  setChart(e.chart, Array.from({ length: n }, (_, i) => {
    const lane = seen[i];
    const after = (t) => (t === null || t === undefined ? null : Math.max(0, t - start));
    const state = lane ? stateOf(lane) : 'waiting';
    return {
      name: String(i + 1), state, title: lane ? `${lane.path}: the server saw it ${span(lane.opened - asked[i])} after it was asked` : 'asked, and not seen by the server yet',
      text: lane ? `seen ${span(lane.opened - asked[i])}` : 'not seen yet',
      bar: {
        asked: asked[i] - start, opened: after(lane?.opened), answered: after(lane?.answered), chunks: (lane?.chunks ?? []).map(after),
        ended: after(lane?.ended), cut: lane?.finished === false, error: lane ? isError(lane) : false, color: theme.colors[lane ? lane.color : 7],
      },
    };
  }));
}

/** The largest number that the server had open at one moment, on its own clock. */
function atOnce(lanes) {
  const changes = lanes.flatMap((l) => [[l.opened, 1], [l.ended, -1]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [open, most] = [0, 0];
  for (const [, change] of changes) { open += change; most = Math.max(most, open); }
  return most;
}

function conclude(e, gaveUp = false) {
  const now = e.now;
  if (!now || now.over) return;
  now.over = true;
  const seen = inOrder(e);
  const complete = !now.failed && !gaveUp && seen.length === now.n && seen.every((l) => l.ended !== null);
  const [outcome, badge, sentence, why] = complete ? outcomeOf(e, seen) : ['inconclusive', '? inconclusive',
    now.failed ? 'A request failed.' : 'The server’s events did not come.', 'Is the lab busy or gone? Try again.'];
  setData(e.node, 'outcome', outcome);
  setData(e.badge, 'kind', outcome);
  setText(e.badge, badge);
  e.badge.hidden = false;
  setText(e.verdict, sentence);
  setText(e.why, why);
  drawExperiment(e);
  now.finish();
}

/** By order, and by the server's clock only: no threshold to argue about. */
function outcomeOf(e, seen) {
  if (e.name === 'eight') return outcomeOfEight(e, seen);
  const [first, second] = seen;
  const late = span(second.opened - first.opened);
  const free = second.opened < first.ended;
  // It lay in front of a held worker for most of the delay: the browser had sent it.
  const server = second.waited !== null && second.waited > (second.opened - first.opened) / 2;
  if (free) return ['free', '✓ not held back', `Not held back: the server saw the second after ${late}.`, whyFree(e)];
  if (e.handler || server) {
    return ['serialized', '✕ one after the other', `One after the other: the server. It read the second ${late} after the first.`,
      'Both were sent at once, but the worker was held and could not read the second.'];
  }
  return ['held', '◑ held back', `Held back until the first had ended: ${late}.`, whyHeld(e)];
}
function whyFree(e) {
  if (e.handler) return 'Another worker had time for it. With one worker, it would have waited.';
  if (e.unique) return 'Unique URLs cannot share an answer, so there is nothing to wait for.';
  if (e.cache) return 'Nothing is to be kept, so there is nothing to wait for.';
  return e.deliver === 'stream' ? 'It went as soon as the first answer’s headers had arrived: they said that it may not serve both.' : 'This browser does not wait for the first answer.';
}
function whyHeld(e) {
  if (e.unique || e.cache) return 'No browser should do this. Is a proxy or an extension in between?';
  return e.deliver === 'stream' ? 'This is the browser: it waited for the first answer’s end, in case it could serve both.'
    : 'This is the browser: the first answer might have been kept and served both. The server was free all the time.';
}
function outcomeOfEight(e, seen) {
  const most = atOnce(seen);
  setData(e.node, 'atOnce', most);
  if (most >= e.n) return ['free', `✓ ${most} at a time`, `All ${most} at a time.`, 'This browser has more connections to spare (over HTTP/2, say).'];
  const next = seen[most];
  const waited = span(next.opened - Math.min(...e.now.asked));
  return ['held', `◑ ${most} at a time`, `${most} at a time; the ${most + 1}th waited ${waited}.`, 'This is the browser: the others had to wait for a free connection.'];
}

// ---- frames -----------------------------------------------------------------------------------

/** Ten times a second at most, and only if something changed or a clock runs. */
function sync(t) {
  const ticking = [...model.workers.values()].some((w) => w.held);
  if (t - board.syncedAt < 100 || !(dirty || ticking)) return;
  board.syncedAt = t;
  dirty = false;
  syncTotals();
  syncWorkers();
  syncHolds();
  if (board.pausedAt === null) syncRows();
  board.redraw = true;
}
function frame(t) {
  requestAnimationFrame(frame);
  sync(t);
  speak(t);
  if (t - board.summedAt > 2000) { board.summedAt = t; summarise(); }
  const ratio = devicePixelRatio;
  if (ratio !== board.ratio) { board.ratio = ratio; redrawAll(); }
  const rest = still.matches ? 500 : 0;
  if (t - board.drawnAt >= rest && needsDrawing(t)) {
    board.drawnAt = t;
    board.redraw = false;
    drawBoard();
  }
  for (const chart of charts) {
    if (!chart.width || !(chart.redraw || chart.running) || (chart.running && t - (chart.drawnAt ?? -Infinity) < rest)) continue;
    chart.drawnAt = t;
    chart.redraw = false;
    drawChart(chart);
  }
}
function needsDrawing(t) {
  if (!board.width) return false;
  if (board.pausedAt !== null) return board.redraw;
  return board.redraw || t - board.drawnAt > 1000 || isMoving(viewNow());
}
function redrawAll() {
  board.redraw = true;
  for (const chart of charts) chart.redraw = true;
}

// ---- start ------------------------------------------------------------------------------------

function togglePause() {
  board.pausedAt = board.pausedAt === null ? viewNow() : null;
  const paused = board.pausedAt !== null;
  $('pause').setAttribute('aria-pressed', paused);
  setText($('pause'), paused ? 'Go on' : 'Pause');
  dirty = board.redraw = true;
}

function buildLegend() {
  const none = { asked: null, opened: null, answered: null, chunks: [], ended: null };
  const items = [
    ['waiting', { asked: -9 }], ['working, no answer yet', { opened: 3 }], ['answering', { opened: 3, answered: 3 }], ['a chunk', { opened: 3, answered: 3, chunks: [17] }],
    ['end', { opened: 3, answered: 3, ended: 26 }], ['cut off', { opened: 3, answered: 3, ended: 26, cut: true }], ['error status', { opened: 3, answered: 20, ended: 20, error: true }], ['worker held', null],
  ];
  const drawn = items.map(([text, bar]) => {
    const canvas = el('canvas', { 'aria-hidden': 'true' });
    $('legend').append(el('li', {}, canvas, text));
    return () => {
      const ctx = fit(canvas, { width: 34, height: 18 });
      ctx.fillStyle = theme.band;
      if (bar) drawBar(ctx, { ...none, ...bar, color: theme.colors[0] }, 9, (x) => x, 31);
      else { ctx.fillRect(2, 0, 30, 18); ctx.fillStyle = theme.held; ctx.fillRect(2, 0, 30, 2); }
    };
  });
  return () => drawn.forEach((draw) => draw());
}

function start() {
  window.holdup = { frames: 0, lanes: () => model.lanes.size };
  readTheme();
  const drawLegend = buildLegend();
  drawLegend();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readTheme(); drawLegend(); redrawAll(); if (model.probe) showProbe(model.probe); });
  new ResizeObserver(() => {
    const box = $('board');
    Object.assign(board, { width: box.clientWidth, height: box.clientHeight, redraw: true });
  }).observe($('board'));
  $('scroll').addEventListener('scroll', () => { board.top = $('scroll').scrollTop; board.redraw = true; }, { passive: true });
  $('window').addEventListener('change', (event) => { board.seconds = Number(event.target.value); redrawAll(); });
  $('pause').addEventListener('click', togglePause);
  $('requests').addEventListener('input', showBusy);
  narrow.addEventListener('change', () => { grow(); redrawAll(); });
  buildExperiments();
  showLab();
  connect();
  requestAnimationFrame(frame);
}
start();
