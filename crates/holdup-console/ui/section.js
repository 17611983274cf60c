// What the script of a section may use. It imports nothing else of the page.
export { clearCard, judge, makeCard, running, setRunning } from './cards.js';
export { setChart } from './charts.js';
export { $, all, bullets, el, setData, setText } from './dom.js';
export { count, humanDuration } from './duration.js';
export { model, onLane, onMessage, onServer, serverNow } from './live.js';
export { blank } from './model.js';
