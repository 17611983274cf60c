// The bar of a replay: when the scene was, play and pause, speed, and a slider with the holds.
import { $, count, el, humanDuration, onMessage, serverNow, setText } from '/ui/section.js';

/** So long before a hold its buttons go. */
const BEFORE = 1000;

/** A new scene comes this long after it was asked for, unless the server is gone. */
const COMES = 1000;

/** What the server last said. */
let replay = /** @type {T.Replay | null} */ (null);
let dragged = false;
/** Where the reader wants to go, until that is sent. */
let wanted = /** @type {number | null} */ (null);
/** Whether the scene there has not come yet. */
let isGoing = false;
let come = () => {};

/** In the reader's own time zone. @type {(ms: number) => Date} */
const date = (ms) => new Date((replay?.origin_unix_ms ?? 0) + ms);
/** @type {(number: number) => string} */
const two = (number) => `${number}`.padStart(2, '0');
/** @type {(ms: number) => string} */
const time = (ms) => {
  const at = date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
};
/** @type {(ms: number) => string} */
const day = (ms) => {
  const at = date(ms);
  return [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
};

/** The time; with its day if the record has more than one. @type {(ms: number) => string} */
const when = (ms) => {
  const { from_ms, to_ms } = replay ?? { from_ms: ms, to_ms: ms };
  return day(from_ms) === day(to_ms) ? time(ms) : `${day(ms)} ${time(ms)}`;
};
/** What the record does not have. @type {(message: T.Replay) => string} */
const gaps = ({ damaged, missing, lost, left_out }) => {
  const sentences = [
    damaged && `${count(damaged, 'line is', 'lines are')} damaged.`,
    missing && `${count(missing, 'line', 'lines')} could not be written.`,
    lost && `${count(lost, 'event', 'events')} came too fast and were lost.`,
    left_out && `${count(left_out, 'request was', 'requests were')} only counted.`,
  ];
  return sentences.filter(Boolean).join(' ');
};

/** @type {(control: object) => Promise<unknown>} */
const send = (control) =>
  fetch('/replay', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(control),
  }).catch(() => setText($('replay-note'), 'the replay has ended'));

/** @type {(ms: number) => void} */
const show = (ms) => {
  if (!replay) return;
  setText($('replay-at'), `${day(ms)} ${time(ms)}`);
  $('replay-at').title = date(ms).toISOString();
  $('replay-slider').setAttribute('aria-valuetext', when(ms));
};
/** What the reader has chosen stays until the scene is there. @type {(ms: number) => void} */
const follow = (ms) => {
  if (dragged || isGoing) return;
  $('replay-slider').value = `${ms}`;
  show(ms);
};
/** Goes to where the slider is. One at a time, because each makes the scene anew; the latest is always sent. */
const go = async () => {
  wanted = Number($('replay-slider').value);
  show(wanted);
  if (isGoing) return;
  isGoing = true;
  while (wanted !== null) {
    const at_ms = wanted;
    wanted = null;
    const comes = new Promise((resolve) => {
      come = () => resolve(null);
      setTimeout(resolve, COMES);
    });
    await send({ at_ms });
    await comes;
  }
  isGoing = false;
};
/** @type {(message: T.Replay) => void} */
const receive = (message) => {
  const isNew = !replay;
  replay = message;
  const { playing, speed, from_ms, to_ms, holds } = message;
  setText($('replay-play'), playing ? 'Pause' : 'Play');
  $('replay-speed').value = `${speed}`;
  setText($('replay-note'), gaps(message));
  come();
  if (!isNew) return follow(message.at_ms);
  const slider = $('replay-slider');
  // Arrow keys go a second further, and a tenth of the record with Page Up and Down.
  Object.assign(slider, { min: `${from_ms}`, max: `${to_ms}` });
  follow(message.at_ms);
  const all = Math.max(1, to_ms - from_ms);
  const marks = holds.map(({ started_ms, duration_ms }) => {
    const mark = el('i');
    mark.style.left = `${(100 * Math.max(0, started_ms - from_ms)) / all}%`;
    mark.style.width = `${(100 * duration_ms) / all}%`;
    return mark;
  });
  $('replay-marks').replaceChildren(...marks);
  const many = holds.length ? count(holds.length, 'hold') : 'no hold';
  setText($('replay-range'), `${when(from_ms)} to ${when(to_ms)}, ${humanDuration(all)}, ${many}`);
  $('replay-next').disabled = $('replay-back').disabled = !holds.length;
};

/** Goes to the next hold, or to the one before this one. @type {(back: boolean) => void} */
const goTo = (back) => {
  if (!replay) return;
  const now = Number($('replay-slider').value) + BEFORE;
  const starts = replay.holds.map((hold) => hold.started_ms);
  const found = back
    ? starts.findLast((start) => start < now - 500)
    : starts.find((start) => start > now + 1);
  if (found !== undefined) send({ at_ms: Math.max(0, found - BEFORE), playing: true });
};

onMessage((message) => {
  const { event } = /** @type {{ event: string }} */ (message);
  if (event === 'replay') receive(/** @type {any} */ (message));
  if (event === 'now') follow(serverNow());
});
$('replay-play').onclick = () => send({ playing: !replay?.playing });
$('replay-back').onclick = () => goTo(true);
$('replay-next').onclick = () => goTo(false);
$('replay-speed').onchange = () => send({ speed: Number($('replay-speed').value) });
const slider = $('replay-slider');
slider.onpointerdown = () => (dragged = true);
slider.onpointerup = slider.onpointercancel = () => (dragged = false);
slider.onkeydown = (/** @type {KeyboardEvent} */ event) => {
  const step = { ArrowLeft: -1000, ArrowDown: -1000, ArrowRight: 1000, ArrowUp: 1000 }[event.key];
  if (!step) return;
  event.preventDefault();
  slider.value = `${Number(slider.value) + step}`;
  go();
};
slider.oninput = go;
