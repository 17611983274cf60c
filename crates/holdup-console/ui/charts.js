// Small charts: rows of text, a canvas behind them, and time from zero.
import { drawBar } from './bar.js';
import { box, fit, label, measure, theme } from './canvas.js';
import { el, setData, setLength, setText } from './dom.js';
import { axisLength, scale } from './geometry.js';
import { stateOf } from './model.js';

/** @type {Set<T.Chart>} */
export const charts = new Set();

/** @type {T.MakeChart} */
export const makeChart = (name, what) => {
  const canvas = el('canvas', { role: 'img', 'aria-label': what });
  const list = el(`ol.${name}`);
  const node = el('div.small', {}, canvas, list);
  const still = { items: [], now: null, width: 0, height: 0, redraw: true, drawnAt: 0 };
  const chart = { canvas, list, node, ...still };
  setChart(chart, []);
  measure(chart, node);
  charts.add(chart);
  return chart;
};
/** `now` returns the time; null when all is over. @type {T.SetChart} */
export const setChart = (chart, items, now = null) => {
  Object.assign(chart, { items, now, redraw: true });
  chart.node.hidden = !items.length;
  setLength(chart.list, items.length, () => el('li', {}, el('i'), el('span')));
  items.forEach((item, i) => {
    const li = chart.list.children[i];
    setData(li, 'state', stateOf(item));
    setText(li.children[0], String(i + 1));
    setText(li.children[1], item.text);
    li.setAttribute('title', item.title ?? item.text);
  });
};
/** Those that changed or move; `rest` is the least time between two pictures. @type {T.DrawCharts} */
export const drawCharts = (t, rest) => {
  for (const chart of charts) {
    const { canvas, width, height, items, now } = chart;
    if (!width || !(now ? t - chart.drawnAt >= rest : chart.redraw)) continue;
    Object.assign(chart, { redraw: false, drawnAt: t });
    const ctx = fit(canvas, chart);
    const live = now?.() ?? 0;
    const times = items.flatMap((i) => [i.asked_ms, i.opened_ms, i.ended_ms]);
    const full = axisLength(Math.max(1, live, ...times.map(Number)));
    const x = scale(0, full * 1000, 112, width - 8);
    [0, full / 2, full].forEach((s, i) => {
      const at = x(s * 1000);
      box(ctx, theme.grid, Math.round(at), 0, 1, height - 17);
      const align = i === 0 ? 'left' : i === 1 ? 'center' : 'right';
      label(ctx, i ? `${s} s` : '0', at + i * 4 - 3, height - 8, align);
    });
    items.forEach((item, i) => drawBar(ctx, item, i * 20 + 10, x, now ? live : full * 1000));
  }
};
