// Drawing on a canvas, in the page's colours.

/** @type {Record<string, string>} */
export const theme = {};
export const readTheme = () => {
  const style = getComputedStyle(document.documentElement);
  for (const name of 'text muted grid card held soft band c0 c1 c2 c3 c4 c5 c6 c7'.split(' '))
    theme[name] = style.getPropertyValue(`--${name}`);
};

/** Clears it, and fits it to its size on the page. @type {T.Fit} */
export const fit = (canvas, { width, height }) => {
  const ratio = Math.min(2, devicePixelRatio);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.font = '11px system-ui, sans-serif';
  ctx.textBaseline = 'middle';
  return ctx;
};
/** @type {T.Measure} */
export const measure = (chart, node) =>
  new ResizeObserver(() =>
    Object.assign(chart, { width: node.clientWidth, height: node.clientHeight, redraw: true }),
  ).observe(node);
/** @type {T.Box} */
export const box = (ctx, color, ...where) => {
  ctx.fillStyle = color;
  ctx.fillRect(...where);
};
/** @type {T.Label} */
export const label = (ctx, text, x, y, align, color = theme.muted) => {
  ctx.fillStyle = color;
  ctx.textAlign = align;
  ctx.fillText(text, x, y);
};
/** @type {T.DrawLines} */
export const lines = (ctx, width, dash, pieces) => {
  ctx.lineWidth = width;
  ctx.setLineDash(dash);
  ctx.beginPath();
  for (const [a, b, c, d] of pieces) {
    ctx.moveTo(a, b);
    ctx.lineTo(c, d);
  }
  ctx.stroke();
  ctx.setLineDash([]);
};
