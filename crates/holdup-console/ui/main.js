// @ts-check
// Messages change the model. The frame loop writes what changed to the DOM, ten times a second at
// most, and draws the bars.
import { drawLegend } from './bar.js';
import { board, drawBoard, isMoving, narrow, startBoard, summarise, syncBoard } from './board.js';
import { readTheme } from './canvas.js';
import { charts, drawCharts } from './charts.js';
import { $, setText } from './dom.js';
import { startHeader, syncTotals } from './header.js';
import { connect, model, onMessage } from './live.js';
import { heldWorkers } from './model.js';
import { startProbes } from './probe.js';
import { keepHeight, syncHolds, syncWorkers } from './workers.js';

const still = matchMedia('(prefers-reduced-motion: reduce)');
let [dirty, syncedAt, summedAt, saidAt, ratio] = [true, 0, 0, 0, 0];

/** @type {T.AtTime} */
const sync = (t) => {
  if (t - syncedAt < 100 || !(dirty || heldWorkers(model).length)) return;
  [syncedAt, dirty] = [t, false];
  syncTotals();
  syncHolds();
  syncWorkers();
  syncBoard();
};
/** @type {T.AtTime} */
const frame = (t) => {
  requestAnimationFrame(frame);
  sync(t);
  if (model.unsaid.length && t - saidAt >= 1000) {
    setText($('announce'), model.unsaid.join(' '));
    [model.unsaid, saidAt] = [[], t];
  }
  if (t - summedAt > 2000) {
    summedAt = t;
    summarise();
  }
  if (devicePixelRatio !== ratio) {
    ratio = devicePixelRatio;
    redraw();
  }
  const rest = still.matches ? 500 : 0;
  const since = t - board.drawnAt;
  const paused = board.pausedAt !== null;
  if (board.redraw || (!paused && since >= rest && (since > 1000 || isMoving()))) {
    Object.assign(board, { redraw: false, drawnAt: t });
    drawBoard();
  }
  drawCharts(t, rest);
};
const redraw = () => {
  readTheme();
  drawLegend();
  for (const chart of [board, ...charts]) chart.redraw = true;
};

matchMedia('(prefers-color-scheme: dark)').onchange = redraw;
startHeader();
startBoard(redraw);
keepHeight(narrow);
startProbes();
onMessage(() => (dirty = true));
connect();
requestAnimationFrame(frame);
