// The frame loop: ten times a second at most it writes what changed to the DOM, and draws the bars.
import { drawLegend } from './bar.js';
import { board, drawBoard, isMoving, startBoard, summarise, syncBoard } from './board.js';
import { readTheme } from './canvas.js';
import { charts, drawCharts } from './charts.js';
import { $, setText } from './dom.js';
import { connect, model, onMessage } from './live.js';
import { heldWorkers } from './model.js';
import { startProbes } from './probe.js';
import { syncWaits } from './waits.js';
import { forgetHeight, syncRest, syncWorkers } from './workers.js';

const still = matchMedia('(prefers-reduced-motion: reduce)');
let [dirty, syncedAt, summedAt, saidAt] = [true, 0, 0, 0];

/** @type {T.AtTime} */
const sync = (t) => {
  if (t - syncedAt < 100 || !(dirty || heldWorkers(model).length)) return;
  [syncedAt, dirty] = [t, false];
  syncRest();
  syncWorkers();
  syncWaits();
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
  const rest = still.matches ? 500 : 0;
  const since = t - board.drawnAt;
  if (board.redraw || (since >= rest && isMoving(since))) {
    Object.assign(board, { redraw: false, drawnAt: t });
    drawBoard();
  }
  drawCharts(t, rest);
};
const redraw = () => {
  forgetHeight();
  readTheme();
  drawLegend();
  for (const chart of [board, ...charts]) chart.redraw = true;
};

matchMedia('(prefers-color-scheme: dark)').onchange = redraw;
// Zooming is resizing, too.
onresize = redraw;
redraw();
startBoard();
startProbes();
onMessage(() => (dirty = true));
connect();
requestAnimationFrame(frame);
