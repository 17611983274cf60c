'use strict';
// Events come in by `receive`, change `model` and set `dirty`. The frame loop writes what changed to
// the DOM, at most ten times a second, and draws the bars. All that the server sends becomes text.

// ---- helpers ----

const $ = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
}
// Only what differs is written: an unchanged text must cost no layout, nor be read out again.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
function setData(node, name, value) {
  if (value === null) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}
/** As many children as wanted, reused. */
function setLength(list, length, make) {
  while (list.children.length < length) list.append(make());
  while (list.children.length > length) list.lastChild.remove();
}
function span(ms) {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  return `${(ms / 1000).toFixed(ms < 9995 ? 2 : ms < 99950 ? 1 : 0)} s`;
}
const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

// ---- the server's clock ----

// No event arrives before it was sent, so the smallest difference is the best. The older of two
// windows is thrown away every 15 s: clocks drift, and machines sleep.
const clock = { older: Infinity, newer: Infinity, since: 0, latest: 0 };
function heard(serverMs) {
  const now = performance.now();
  if (now - clock.since > 15000) Object.assign(clock, { older: clock.newer, newer: Infinity, since: now });
  clock.newer = Math.min(clock.newer, now - serverMs);
  clock.latest = serverMs;
}
const onServer = (pageMs) => pageMs - Math.min(clock.older, clock.newer);
/** It stops when the server is heard no more: bars must not grow by guess. */
const serverNow = () => Math.min(onServer(performance.now()), clock.latest + 1500);

// ---- what is known ----

const MOST = { lanes: 128, chunks: 120, holds: 50, listed: 8, routes: 200 };
const model = { workers: new Map(), lanes: new Map(), waiting: [], holds: [], over: [], totals: {}, buttons: null, lab: null };
let dirty = true;

const routes = new Map();
/** Stable for a route: in the order of first sight. */
function colorOf(route) {
  if (!routes.has(route) && routes.size < MOST.routes) routes.set(route, routes.size % 7);
  return routes.get(route) ?? 7;
}

/** What is drawn as a row. Times are null if not yet; a row that is not opened waits. */
const blank = { asked: null, opened: null, answered: null, status: null, chunks: [], ended: null, finished: null, color: 7 };

function laneOf(m) {
  const opened = m.opened_ms ?? m.at_ms;
  const query = m.path.split('?')[1];
  return {
    ...blank, id: m.lane, worker: m.worker, name: `${m.method} ${m.route}`, route: m.route, path: m.path,
    x: new URLSearchParams(query).get('x'), color: colorOf(m.route), waited: m.waited_ms,
    asked: m.waited_ms === null ? null : opened - m.waited_ms, opened, answered: m.answered_ms ?? null, status: m.status ?? null,
    chunks: m.chunks ?? [], ended: m.ended_ms ?? null, finished: m.finished ?? null,
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

/** A hold is told several times: the newest counts. */
function remember(hold) {
  const at = model.holds.findIndex((h) => h.worker === hold.worker && h.started_ms === hold.started_ms);
  if (at < 0) model.holds.push(hold);
  else model.holds[at] = hold;
  if (model.holds.length > MOST.holds) model.holds.shift();
}
function workerOf(id) {
  if (!model.workers.has(id)) model.workers.set(id, { open: 0, held: null });
  return model.workers.get(id);
}
const heldOnes = () => [...model.workers].filter(([, w]) => w.held);
function culprit({ culprits: [first, ...others] }) {
  if (!first) return 'something outside the watched requests';
  return `${first.method} ${first.route} (${first.part})${others.length ? ` and ${count(others.length, 'other')}` : ''}`;
}

// ---- events ----

const handlers = {
  snapshot(m) {
    clock.older = clock.newer = Infinity;
    heard(m.now_ms);
    Object.assign(model, {
      workers: new Map(m.workers.map((w) => [w.worker, w])), lanes: new Map(m.lanes.map((l) => [l.lane, laneOf(l)])),
      holds: m.holds, over: m.holds.slice(-MOST.listed).reverse(), totals: m.totals, lab: m.lab && labOf(m.lab.url),
    });
    for (const w of m.workers) if (w.held) remember(w.held);
    handlers.waiting(m);
    setText($('version'), `holdup ${m.version}`);
    if (JSON.stringify(m.buttons) !== JSON.stringify(model.buttons)) buildCards(model.buttons = m.buttons);
    showLab();
    setRunning(null);
    if (m.probe) showProbe(m.probe);
    for (const lane of model.lanes.values()) experimentSaw(lane);
    connected('live');
  },
  opened(m) {
    const lane = laneOf(m);
    model.lanes.set(lane.id, lane);
    // The server drops lanes; this is for one that forgets to.
    if (model.lanes.size > MOST.lanes) model.lanes.delete(model.lanes.keys().next().value);
    experimentSaw(lane);
  },
  answered(m) {
    const lane = model.lanes.get(m.lane);
    if (lane) Object.assign(lane, { answered: m.at_ms, status: m.status });
  },
  chunks(m) {
    const lane = model.lanes.get(m.lane);
    if (lane) lane.chunks = lane.chunks.concat(m.at_ms).slice(-MOST.chunks);
  },
  ended(m) {
    const lane = model.lanes.get(m.lane);
    if (lane) experimentSaw(Object.assign(lane, { ended: m.at_ms, finished: m.finished }));
  },
  dropped(m) {
    for (const id of m.lanes) model.lanes.delete(id);
  },
  held({ hold }) {
    const worker = workerOf(hold.worker);
    if (worker.held?.started_ms !== hold.started_ms) announce(`Worker ${hold.worker} is held by ${culprit(hold)}.`);
    worker.held = hold;
    remember(hold);
  },
  released({ hold }) {
    workerOf(hold.worker).held = null;
    remember({ ...hold, ongoing: false });
    model.over = [hold, ...model.over].slice(0, MOST.listed);
    announce(`Worker ${hold.worker} is free again after ${span(hold.duration_ms)}.`);
  },
  waiting(m) {
    model.waiting = m.waiting.map((w) => ({ ...blank, peer: w.peer, asked: w.since_ms }));
  },
  probe: (m) => showProbe(m),
  now(m) {
    heard(m.now_ms);
    model.totals = m.totals;
    for (const w of m.workers) workerOf(w.worker).open = w.open;
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
    // After "behind" the server hangs up: the reason stays until the picture is fresh.
    if (document.body.dataset.state !== 'behind') connected('reconnecting');
    // An EventSource gives up when the answer is no stream, a proxy's error page, say.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
}
function connected(state, detail = '') {
  setData(document.body, 'state', state);
  setText($('connection'), state === 'live' ? state : state === 'behind' ? 'behind, reconnecting …' : 'reconnecting …');
  $('connection').title = detail;
}

// ---- said aloud: at most once a second ----

let unsaid = [];
let saidAt = -Infinity;
function announce(text) {
  unsaid = [...unsaid, text].slice(-20);
}
function speak(t) {
  if (!unsaid.length || t - saidAt < 1000) return;
  setText($('announce'), unsaid.length < 3 ? unsaid.join(' ') : `${unsaid.length} holds began or ended. ${unsaid.at(-1)}`);
  unsaid = [];
  saidAt = t;
}

// ---- drawing a bar ----

const theme = {};
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['text', 'muted', 'grid', 'held', 'soft', 'band', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7']) theme[name] = style.getPropertyValue(`--${name}`);
}

/** The shape tells the state: dotted, hollow, filled, cap. `x` turns a time into a pixel. */
function drawBar(ctx, item, y, x, now) {
  const reached = (t) => t !== null && t <= now;
  const { asked, opened, answered, ended } = item;
  const end = reached(ended) ? ended : now;
  ctx.strokeStyle = ctx.fillStyle = theme[`c${item.color}`];
  if (reached(asked)) dotted(ctx, x(asked), x(reached(opened) ? opened : end), y);
  if (reached(opened)) hollow(ctx, x(opened), x(reached(answered) ? answered : end), y);
  if (reached(answered)) filled(ctx, x(answered), x(end), y);
  for (const t of item.chunks) if (t <= now) ctx.fillRect(Math.round(x(t)) - 1, y - 7, 2, 14);
  if (reached(ended) && item.finished) ctx.fillRect(x(end) - 2, y - 7, 4, 14);
  ctx.strokeStyle = ctx.fillStyle = theme.held;
  if (reached(ended) && !item.finished) cross(ctx, x(end), y);
  if (item.status >= 400 && reached(answered)) {
    ctx.fillRect(x(end) + 8, y - 7, 2.5, 8.5);
    ctx.fillRect(x(end) + 8, y + 3.5, 2.5, 2.5);
  }
}
function dotted(ctx, from, to, y) {
  ctx.lineWidth = 2;
  ctx.setLineDash([2, 4]);
  ctx.beginPath(); ctx.moveTo(from, y); ctx.lineTo(to, y); ctx.stroke();
  ctx.setLineDash([]);
}
function hollow(ctx, from, to, y) {
  ctx.lineWidth = 1.5;
  ctx.strokeRect(from, y - 4.25, Math.max(0, to - from), 8.5);
}
function filled(ctx, from, to, y) {
  ctx.globalAlpha = 0.45;
  ctx.fillRect(from, y - 5, Math.max(1, to - from), 10);
  ctx.globalAlpha = 1;
}
function cross(ctx, x, y) {
  ctx.lineWidth = 2.25;
  ctx.beginPath(); ctx.moveTo(x - 5, y - 5); ctx.lineTo(x + 5, y + 5); ctx.moveTo(x + 5, y - 5); ctx.lineTo(x - 5, y + 5); ctx.stroke();
}
function label(ctx, text, x, y, align, color = theme.muted) {
  ctx.fillStyle = color;
  ctx.textAlign = align;
  ctx.fillText(text, x, y);
}
/** In device pixels, two per pixel at most: more cannot be seen. */
function fit(canvas, { width, height }) {
  const ratio = Math.min(2, devicePixelRatio);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
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
const board = { width: 0, height: 0, top: 0, seconds: 30, pausedAt: null, redraw: true, tallest: 6, drawnAt: 0, syncedAt: 0, summedAt: 0 };
const rows = new Map(); // in the list's order
let shown = [];

// Events come in batches, 20 a second: drawn a little late, a bar's end need not be taken back.
const viewNow = () => board.pausedAt ?? serverNow() - 80;

function makeRow() {
  const [number, dot, route, x, word] = ['number', 'dot', 'route', 'x', 'word'].map((name) => el('span', { class: name }));
  return { number, dot, route, x, word, li: el('li', { class: 'lane' }, number, dot, route, x, word) };
}
function fillRow(row, item) {
  setData(row.li, 'state', stateOf(item));
  setText(row.word, item.peer ? 'waiting to be read' : wordOf(item));
  row.word.classList.toggle('bad', item.status >= 400);
  if (row.item === item) return;
  row.item = item;
  setData(row.li, 'lane', item.id ?? null);
  setData(row.li, 'route', item.route ?? null);
  setData(row.li, 'peer', item.peer ?? null);
  row.li.title = item.peer ?? `${item.name.split(' ')[0]} ${item.path}, worker ${item.worker}`;
  row.dot.className = `dot c${item.color}`;
  setText(row.number, item.peer ? '' : `#${item.id}`);
  setText(row.route, item.peer ?? item.name);
  setText(row.x, (item.x ?? null) === null ? '' : `x=${item.x}`);
}
/** Rows stay where they are; new ones come in at the end, and the end stays in view. */
function syncRows() {
  const scroll = $('scroll');
  const atEnd = scroll.scrollTop + scroll.clientHeight >= scroll.scrollHeight - 4;
  shown = [...model.lanes.values(), ...model.waiting];
  const keys = new Set(shown.map((item) => item.peer ?? item.id));
  for (const [key, row] of rows) if (!keys.has(key)) { row.li.remove(); rows.delete(key); }
  let next = $('lanes').firstChild;
  let added = false;
  for (const item of shown) {
    const key = item.peer ?? item.id;
    if (!rows.has(key)) { rows.set(key, makeRow()); added = true; }
    const row = rows.get(key);
    fillRow(row, item);
    if (row.li === next) next = next.nextSibling;
    else $('lanes').insertBefore(row.li, next);
  }
  grow();
  if (added && atEnd) scroll.scrollTop = scroll.scrollHeight;
  $('empty').hidden = shown.length > 0;
}
/** The board grows up to a height and never shrinks: what is below must not jump. */
function grow() {
  board.tallest = Math.min(narrow.matches ? 9 : 16, Math.max(board.tallest, shown.length));
  $('scroll').style.height = `calc(${board.tallest} * var(--row) + 8px)`;
}

const holdEnd = (hold, now) => (hold.ongoing ? now : Math.min(now, hold.started_ms + hold.duration_ms));

function drawBoard() {
  const ctx = fit($('chart'), board);
  const now = viewNow();
  const [left, right] = [narrow.matches ? 12 : 384, board.width - 26];
  const from = now - board.seconds * 1000;
  const x = (t) => left + (Math.max(-1000, t - from) / (now - from)) * (right - left);
  const holds = model.holds.filter((h) => h.started_ms < now && holdEnd(h, now) > from)
    .map((h) => ({ ...h, left: Math.max(left, x(h.started_ms)), right: x(holdEnd(h, now)), ms: holdEnd(h, now) - h.started_ms }));
  drawAxis(ctx, left, right);
  for (const hold of holds) drawHold(ctx, hold);
  ctx.save();
  ctx.beginPath(); ctx.rect(left - 1, AXIS, board.width, board.height); ctx.clip();
  const height = narrow.matches ? 46 : 26;
  for (let i = Math.floor(board.top / height); i < shown.length; i++) {
    const top = AXIS + i * height - board.top;
    if (top > board.height) break;
    drawRow(ctx, shown[i], top, height, holds);
    const [middle, ended] = [top + height - (narrow.matches ? 12 : 13), shown[i].ended];
    if (ended !== null && ended < from) label(ctx, `‹ ended ${Math.round((now - ended) / 1000)} s ago`, left + 4, middle, 'left');
    else drawBar(ctx, shown[i], middle, x, now);
  }
  ctx.restore();
  window.holdup.frames++;
}
/** The red behind a row: its worker was held. A connection not yet read may wait for any that is. */
function drawRow(ctx, item, top, height, holds) {
  ctx.fillStyle = theme.band;
  for (const hold of holds) {
    if (item.peer ? hold.ongoing : hold.worker === item.worker) ctx.fillRect(hold.left, top, hold.right - hold.left, height);
  }
}
function drawAxis(ctx, left, right) {
  const steps = narrow.matches ? 2 : 5;
  for (let i = 0; i <= steps; i++) {
    const at = Math.round(left + ((right - left) * i) / steps);
    const ago = (board.seconds * (steps - i)) / steps;
    ctx.fillStyle = ago ? theme.grid : theme.muted;
    ctx.fillRect(at, 22, 1, board.height);
    if (ago) label(ctx, `${ago} s ago`, at, 12, i ? 'center' : 'left');
    else label(ctx, board.pausedAt === null ? 'now' : 'paused', at, 12, 'center', theme.text);
  }
}
/** Above the rows, so that the red has a name. */
function drawHold(ctx, { left, right, worker, ms }) {
  ctx.fillStyle = theme.soft;
  ctx.fillRect(left, 23, right - left, AXIS - 23);
  ctx.fillStyle = theme.held;
  ctx.fillRect(left, AXIS - 2, Math.max(1, right - left), 2);
  const text = [`${model.workers.size > 1 ? `worker ${worker} ` : ''}held ${span(ms)}`, 'held'].find((s) => ctx.measureText(s).width + 10 < right - left);
  if (text) label(ctx, text, left + 5, 32, 'left', theme.held);
}
/** Nothing moves when nothing is open and all that ended has left the window. */
function isMoving() {
  const from = viewNow() - board.seconds * 1000 - 1000;
  return shown.some((item) => item.ended === null || item.ended > from) || model.holds.some((h) => holdEnd(h, Infinity) > from);
}
function summarise() {
  const of = (...states) => shown.filter((item) => states.includes(stateOf(item))).length;
  const held = heldOnes().slice(0, 3).map(([id, w]) => ` Worker ${id} is held by ${culprit(w.held)}.`).join('');
  const text = `Requests over the last ${board.seconds} seconds: ${of('working', 'answering')} open, ${of('done')} done, ${of('cut')} cut off, ${of('waiting')} waiting to be read.${held}`;
  if ($('chart').ariaLabel !== text) $('chart').ariaLabel = text;
}

// ---- workers, holds, totals ----

function syncWorkers() {
  setLength($('workers'), model.workers.size, () => el('li', {}, el('b'), el('strong'), el('span')));
  [...model.workers].forEach(([id, { open, held }], i) => {
    const li = $('workers').children[i];
    const [name, what, more] = li.children;
    const unread = model.waiting.length;
    setData(li, 'worker', id);
    setData(li, 'held', Boolean(held));
    setText(name, `worker ${id} · `);
    setText(what, held ? `held for ${span(serverNow() - held.started_ms)} by ${culprit(held)}` : 'free');
    setText(more, ` · ${open ? count(open, 'request') : 'no request'} open${held && unread ? ` · ${count(unread, 'connection waits', 'connections wait')} to be read` : ''}`);
  });
}
function syncRest() {
  const list = $('holds');
  setLength(list, Math.max(1, model.over.length), () => el('li'));
  [...list.children].forEach((li, i) => setText(li, model.over[i]?.sentence ?? 'none yet'));
  for (const dd of document.querySelectorAll('dd')) setText(dd, Number(model.totals[dd.id] ?? 0).toLocaleString('en'));
  const { lost, hidden } = model.totals;
  $('lost').parentNode.hidden = !lost;
  $('hidden').hidden = !hidden;
  setText($('hidden'), `${count(hidden, 'more open request is', 'more open requests are')} not drawn.`);
  const title = heldOnes().length ? 'held · holdup' : 'holdup';
  if (document.title !== title) document.title = title;
}

// ---- small charts ----

const charts = new Set();
/** Rows with a short text each, a canvas behind them, and a time axis from zero. */
function makeChart(name, what) {
  const [canvas, list] = [el('canvas', { role: 'img', 'aria-label': what }), el('ol', { class: name })];
  const chart = { canvas, list, node: el('div', { class: 'small' }, canvas, list), items: [], drawnAt: 0 };
  setChart(chart, []);
  new ResizeObserver(() => Object.assign(chart, { width: chart.node.clientWidth, height: chart.node.clientHeight, redraw: true })).observe(chart.node);
  charts.add(chart);
  return chart;
}
/** `now` gives the last time drawn, or is null when all is over. */
function setChart(chart, items, now = null) {
  Object.assign(chart, { items, now, redraw: true });
  chart.node.hidden = !items.length;
  setLength(chart.list, items.length, () => el('li', {}, el('i'), el('span')));
  items.forEach((item, i) => {
    const li = chart.list.children[i];
    setData(li, 'state', stateOf(item));
    setText(li.firstChild, String(i + 1));
    setText(li.lastChild, item.text);
    li.title = item.title;
  });
}
function drawChart(chart) {
  const ctx = fit(chart.canvas, chart);
  const now = chart.now ? chart.now() : Infinity;
  const longest = Math.max(1, ...chart.items.map((item) => item.ended ?? Math.min(now, 1e6)));
  // In steps: a bar that grows is easier to read than an axis that shrinks.
  const full = [0.2, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120].find((s) => s * 1000 >= longest) ?? longest / 1000;
  const [left, right, bottom] = [112, chart.width - 8, chart.height - 20];
  const x = (t) => left + (t / full / 1000) * (right - left);
  [0, full / 2, full].forEach((s, i) => {
    ctx.fillStyle = theme.grid;
    ctx.fillRect(Math.round(x(s * 1000)), 0, 1, bottom + 3);
    label(ctx, i ? `${s} s` : '0', x(s * 1000) + i * 4 - 3, bottom + 12, ['left', 'center', 'right'][i]);
  });
  chart.items.forEach((item, i) => drawBar(ctx, item, i * 20 + 10, x, now));
}

// ---- cards: what both "Run two" and the browser's experiments use ----

function makeCard(title, about, list) {
  const part = (tag, name, more) => el(tag, { class: name, ...more });
  const card = {
    title, go: part('button', 'run', { type: 'button', 'aria-describedby': 'busy' }), badge: part('span', 'badge'),
    step: part('p', 'step', { role: 'status' }), problem: part('p', 'problem', { role: 'alert' }),
    chart: makeChart(list, `${title}: requests over time`), verdict: part('p', 'verdict', { role: 'status' }), more: part('div', 'more'),
  };
  card.actions = el('div', { class: 'actions' }, card.go);
  card.node = el('article', { class: 'card' }, el('header', {}, el('h3', {}, title), card.badge), about, card.actions,
    card.step, card.problem, card.chart.node, card.verdict, card.more);
  return card;
}
function clearCard(card) {
  for (const node of [card.badge, card.step, card.problem, card.verdict, card.more]) setText(node, '');
  setData(card.verdict, 'kind', null);
  setChart(card.chart, []);
}
function judge(card, kind, badge, sentence, ...more) {
  setData(card.badge, 'kind', kind);
  setText(card.badge, badge);
  setText(card.verdict, sentence);
  setData(card.verdict, 'kind', kind);
  card.more.replaceChildren(...more);
}
const bullets = (name, lines) => el('ul', { class: name }, ...lines.map((line) => el('li', {}, line)));

/** One at a time: two measurements would measure each other. */
let running = null;
function setRunning(card) {
  const [before, focused] = [running, document.activeElement];
  running = card;
  for (const c of [...cards.values(), ...experiments]) {
    c.go.disabled = Boolean(card);
    if (c.stop) {
      c.stop.hidden = c !== card;
      setText(c.go, `Run ${$('requests').value}`);
    }
  }
  $('run-all').disabled = Boolean(card);
  setText($('busy'), card ? `“${card.title}” runs. One at a time, or they would measure each other.` : '');
  // A button that goes away must not take the keyboard's place with it.
  if (card?.stop && focused === card.go) card.stop.focus();
  if (!card && before && (focused === before.stop || focused === document.body)) before.go.focus({ preventScroll: true });
}

// ---- "Run two" ----

const cards = new Map();

function buildCards(buttons) {
  for (const card of cards.values()) charts.delete(card.chart);
  cards.clear();
  for (const button of buttons) cards.set(button.button, makeProbeCard(button));
  $('cards').replaceChildren(...[...cards.values()].map((card) => card.node));
  for (const choice of document.querySelectorAll('.countdown')) choice.hidden = !buttons.some((b) => b.countdown);
  $('choices').hidden = !buttons.length;
  $('no-buttons').hidden = buttons.length > 0;
}
function makeProbeCard(button) {
  const code = el('pre', {}, el('code', {}, button.code ?? `GET ${button.path}`));
  const card = Object.assign(makeCard(button.label, code, 'probe-lanes'), { button, stop: el('button', { class: 'stop', type: 'button' }, 'Stop') });
  card.actions.append(card.stop);
  setData(card.node, 'button', button.button);
  card.go.onclick = () => startProbe(card);
  card.stop.onclick = () => fetch('/probe', { method: 'DELETE' }).catch(() => refuse(card, 'The server could not be reached.'));
  return card;
}
async function startProbe(card) {
  const [requests, from, period] = [$('requests'), $('from'), $('period')];
  const { button, countdown } = card.button;
  if (![requests, ...(countdown ? [from, period] : [])].every((field) => field.reportValidity())) return;
  const body = { button, requests: requests.valueAsNumber, ...(countdown && { from: from.valueAsNumber, period: period.value.trim() }) };
  clearCard(card);
  setRunning(card);
  try {
    const response = await fetch('/probe', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    if (response.ok) return;
    const problem = await response.json().catch(() => ({}));
    refuse(card, problem.detail ?? `The server answered ${response.status}.`);
  } catch {
    refuse(card, 'The server could not be reached.');
  }
}
function refuse(card, reason) {
  setText(card.problem, reason);
  setRunning(null);
}

const phases = {
  'warm-up': () => 'one first, to warm up',
  solo: () => 'alone, to know how long one takes',
  unique: (n) => `${n} at once, each with its own URL`,
  identical: (n) => `${n} at once with one URL`,
};
const badges = { concurrent: '✓ concurrent', serialized: '✕ serialized', limited: '◑ limited', inconclusive: '? inconclusive' };

function showProbe(probe) {
  const card = cards.get(probe.button);
  if (!card) return;
  if (card.probe !== probe.id) clearCard(card);
  card.probe = probe.id;
  const going = probe.state === 'running';
  const begun = Math.min(...probe.lanes.map((lane) => lane.asked_ms));
  const at = performance.now();
  setChart(card.chart, probe.lanes.map((lane) => probeItem(lane, begun, probe, card)), going ? () => probe.now_ms - begun + Math.min(300, performance.now() - at) : null);
  setText(card.step, going ? `${probe.step} of ${probe.steps}: ${phases[probe.phase]?.(probe.requests) ?? probe.phase}` : probe.state === 'stopped' ? 'Stopped.' : '');
  setText(card.problem, probe.state === 'failed' ? probe.detail : '');
  if (going && running !== card) setRunning(card);
  if (!going && running === card) setRunning(null);
  const v = probe.verdict;
  if (!v) return;
  const more = [bullets('evidence', v.evidence), el('p', { class: 'delivery' }, v.delivery ?? ''), el('p', { class: 'identical' }, v.identical ?? '')];
  if (v.advice.length) more.push(el('details', { class: 'advice' }, el('summary', {}, 'What to do'), bullets('', v.advice)));
  judge(card, v.kind, badges[v.kind] ?? v.kind, v.sentence, ...more);
}
function probeItem(lane, begun, probe, card) {
  const after = (t) => (t === null ? null : t - begun);
  const over = lane.ended_ms ?? (lane.failure || probe.state !== 'running' ? probe.now_ms : null);
  const first = after(lane.first_byte_ms);
  const item = {
    ...blank, asked: after(lane.asked_ms), opened: first, answered: first, status: lane.status, chunks: lane.chunks.slice(-MOST.chunks).map((c) => after(c.at_ms)),
    ended: after(over), finished: lane.ended_ms !== null && !lane.failure, color: colorOf(card.button.path.split('?')[0]), title: lane.failure ? `${lane.label}: ${lane.failure}` : lane.label,
  };
  item.text = wordOf(item) === 'done' ? span(over - lane.asked_ms) : wordOf(item);
  return item;
}

// ---- "Is it the browser?" ----

const kept = 'This is the browser: the first answer might have been kept and served both. The server was free all the time.';
const odd = 'No browser should do this. Is a proxy or an extension in between?';
const experiments = [
  { name: 'same-whole', title: 'The same URL twice', about: 'The answer comes whole, at its end.', held: kept, free: 'This browser does not wait for the first answer.' },
  { name: 'same-stream', title: 'The same, streamed', about: 'The answer’s headers come at once.', deliver: 'stream', held: kept, free: 'It went as soon as the first answer’s headers had come.' },
  { name: 'unique', title: 'Unique URLs', about: 'x=…-1 and x=…-2, else the same.', unique: true, held: odd, free: 'Unique URLs cannot share an answer: nothing to wait for.' },
  { name: 'no-store', title: 'The same, no-store', about: 'The page wants nothing kept.', cache: 'no-store', held: odd, free: 'Nothing is to be kept: nothing to wait for.' },
  { name: 'blocking', title: 'Unique, blocking', about: 'No browser holds these back. The server might.', unique: true, handler: 'blocking', free: 'Another worker had time for it.' },
  { name: 'eight', title: 'Eight streams', about: 'Unique URLs, at once: how many connections are there?', unique: true, deliver: 'stream', n: 8 },
];

/** Only http(s), and only its origin: it is fetched and linked. */
function labOf(url) {
  const { protocol, origin } = new URL(url);
  return /^https?:$/.test(protocol) ? origin : null;
}
function showLab() {
  const { lab } = model;
  $('browser').hidden = $('curl').hidden = !lab;
  setText($('how'), lab ? 'In two terminals, one right after the other (or press a button below):' : 'Ask your app for something, twice at once.');
  setText($('curl'), `curl -N '${lab}/blocking?x=1'\ncurl -N '${lab}/blocking?x=2'`);
  for (const link of document.querySelectorAll('[data-x]')) link.href = `${lab}/coroutine?deliver=whole&from=5${link.dataset.x}`;
}
function browserName() {
  const brands = navigator.userAgentData?.brands ?? [];
  const brand = brands.find((b) => /Edge|Opera|Brave|Google/.test(b.brand)) ?? brands.find((b) => /Chrom/.test(b.brand));
  if (brand) return `${brand.brand} ${brand.version}`;
  const [, name, version] = /(Firefox|Chrome)\/(\d+)/.exec(navigator.userAgent) ?? [];
  if (name) return `${name === 'Chrome' ? 'Chromium' : name} ${version}`;
  return navigator.userAgent.replace(/.*Version\/(\d+).*Safari.*/, 'Safari $1');
}
function buildExperiments() {
  for (const e of experiments) {
    Object.assign(e, makeCard(e.title, el('p', { class: 'about' }, e.about), 'asked'));
    setText(e.go, 'Run');
    e.go.ariaLabel = `Run: ${e.title}`;
    e.go.onclick = () => runExperiments([e]);
    setData(e.node, 'experiment', e.name);
    $('experiments').append(e.node);
  }
  $('run-all').onclick = () => runExperiments(experiments);
  setText($('browser-name'), browserName());
}
async function runExperiments(list) {
  for (const e of list) {
    if (!running) await runExperiment(e);
  }
}
async function runExperiment(e) {
  const n = e.n ?? 2;
  const token = `${e.name}-${Math.random().toString(36).slice(2, 8)}`;
  const labels = Array.from({ length: n }, (_, i) => (e.unique ? `${token}-${i + 1}` : token));
  const abort = new AbortController();
  clearCard(e);
  setData(e.node, 'outcome', null);
  setData(e.node, 'atOnce', null);
  setRunning(e);
  const over = new Promise((resolve) => Object.assign(e, { n, labels, asked: [], lanes: new Map(), resolve }));
  const fetches = labels.map(async (x) => {
    e.asked.push(onServer(performance.now()));
    const url = `${model.lab}/${e.handler ?? 'coroutine'}?from=2&period=600ms&deliver=${e.deliver ?? 'whole'}&x=${x}`;
    const response = await fetch(url, { cache: e.cache ?? 'default', signal: abort.signal });
    await response.text();
    if (!response.ok) throw new Error(response.status);
  });
  drawExperiment(e);
  // The server's events decide. Time only ends the waiting for them.
  const timers = [setTimeout(e.resolve, 40000, 'It took too long.')];
  Promise.all(fetches).then(() => timers.push(setTimeout(e.resolve, 5000, 'The server’s events did not come.')), () => e.resolve('A request failed.'));
  const failure = await over;
  timers.forEach(clearTimeout);
  abort.abort();
  const [outcome, badge, sentence, why] = failure ? ['inconclusive', '? inconclusive', failure, 'Is the lab busy, or gone? Try again.'] : e.n > 2 ? outcomeOfEight(e) : outcomeOf(e);
  judge(e, outcome, badge, sentence, why);
  setData(e.node, 'outcome', outcome);
  if (running === e) setRunning(null);
  drawExperiment(e);
}
function experimentSaw(lane) {
  const e = running;
  if (!e?.labels?.includes(lane.x)) return;
  e.lanes.set(lane.id, lane);
  drawExperiment(e);
  if (e.lanes.size === e.n && inOrder(e).every((l) => l.ended !== null)) e.resolve();
}
const inOrder = (e) => [...e.lanes.values()].sort((a, b) => a.opened - b.opened);

/** Who is who does not matter with one URL: the first that the server saw is the first. */
function drawExperiment(e) {
  const seen = inOrder(e);
  const after = (t) => (t === null ? null : Math.max(0, t - e.asked[0]));
  setChart(e.chart, e.asked.map((asked, i) => {
    const { opened, answered, ended, chunks, ...lane } = seen[i] ?? blank;
    const text = opened === null ? 'not seen yet' : `seen ${span(opened - asked)}`;
    return { ...lane, asked: after(asked), opened: after(opened), answered: after(answered), ended: after(ended), chunks: chunks.map(after), text, title: `${text} after it was asked` };
  }), running === e ? () => serverNow() - e.asked[0] : null);
}

/** By order, and by the server's clock only. */
function outcomeOf(e) {
  const [first, second] = inOrder(e);
  const late = second.opened - first.opened;
  if (second.opened < first.ended) return ['free', '✓ not held back', `Not held back: the server saw the second after ${span(late)}.`, e.free];
  // If it lay before a held worker for most of that time, the browser had sent it.
  if (e.handler || second.waited > late / 2) {
    return ['serialized', '✕ one by one', `One after the other: the server. It read the second after ${span(late)}.`, 'Both were sent at once, but the worker was held.'];
  }
  return ['held', '◑ held back', `Held back until the first had ended: ${span(late)}.`, e.held];
}
function outcomeOfEight(e) {
  const lanes = inOrder(e);
  // The most are open at a moment when one is opened.
  const most = Math.max(...lanes.map(({ opened }) => lanes.filter((l) => l.opened <= opened && l.ended > opened).length));
  setData(e.node, 'atOnce', most);
  if (most === e.n) return ['free', `✓ ${most} at a time`, `All ${most} at a time.`, 'This browser has connections to spare.'];
  return ['held', `◑ ${most} at a time`, `${most} at a time; the ${most + 1}th waited ${span(lanes[most].opened - e.asked[0])}.`, 'This is the browser: the others waited for a free connection.'];
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
  if (t - board.summedAt > 2000) { board.summedAt = t; summarise(); }
  if (devicePixelRatio !== theme.ratio) { theme.ratio = devicePixelRatio; redraw(); }
  const rest = still.matches ? 500 : 0;
  const moving = board.pausedAt === null && t - board.drawnAt >= rest && (t - board.drawnAt > 1000 || isMoving());
  if (board.redraw || moving) {
    Object.assign(board, { redraw: false, drawnAt: t });
    drawBoard();
  }
  for (const chart of charts) {
    if (!chart.width || !(chart.redraw || chart.now) || (chart.now && t - chart.drawnAt < rest)) continue;
    Object.assign(chart, { redraw: false, drawnAt: t });
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
  { ...bar, asked: -9, opened: null, answered: null }, { ...bar, answered: null }, bar, { ...bar, chunks: [17] }, { ...bar, ended: 26 },
  { ...bar, ended: 26, finished: false }, { ...bar, answered: 20, ended: 20, status: 500 },
];
function drawLegend() {
  document.querySelectorAll('#legend canvas').forEach((canvas, i) => {
    const ctx = fit(canvas, { width: 34, height: 18 });
    if (legend[i]) return drawBar(ctx, legend[i], 9, (t) => t, 31);
    ctx.fillStyle = theme.band;
    ctx.fillRect(2, 0, 30, 18);
  });
}
function togglePause() {
  board.pausedAt = board.pausedAt === null ? viewNow() : null;
  const paused = board.pausedAt !== null;
  $('pause').ariaPressed = paused;
  setText($('pause'), paused ? 'Go on' : 'Pause');
  dirty = board.redraw = true;
}
function start() {
  window.holdup = { frames: 0, lanes: () => model.lanes.size };
  matchMedia('(prefers-color-scheme: dark)').onchange = redraw;
  narrow.onchange = () => { grow(); redraw(); };
  new ResizeObserver(() => Object.assign(board, { width: $('board').clientWidth, height: $('board').clientHeight, redraw: true })).observe($('board'));
  $('scroll').onscroll = () => Object.assign(board, { top: $('scroll').scrollTop, redraw: true });
  $('window').onchange = (event) => Object.assign(board, { seconds: Number(event.target.value), redraw: true });
  $('pause').onclick = togglePause;
  $('requests').oninput = () => setRunning(running);
  buildExperiments();
  connect();
  requestAnimationFrame(frame);
}
start();
