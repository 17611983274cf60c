// "Run two": a card for each button, which probes a route of the app, and fields for the parameters.
import { clearCard, judge, makeCard, running, setRunning } from './cards.js';
import { charts, setChart } from './charts.js';
import { $, bullets, el, setData, setText } from './dom.js';
import { model, onMessage } from './live.js';
import { colorOf } from './model.js';
import { badges, barsOf, begun, stepOf } from './trial.js';

/** @type {Map<number, T.ProbeCard>} */
const cards = new Map();
/** @type {Map<string, HTMLInputElement>} */
const fields = new Map();
let built = '';

/** Buttons that have the same parameter share its field. @type {T.FieldOf} */
const fieldOf = (parameter) => {
  const key = JSON.stringify(parameter);
  const { name, kind, min, max, suggestions } = parameter;
  const list = `suggestions-${fields.size}`;
  const attributes = { 'data-parameter': name, value: `${parameter.default}`, required: '' };
  const bounds = { title: `${min} to ${max}`, min: `${min}`, max: `${max}`, list };
  const type = kind === 'integer' ? 'number' : 'text';
  const input = fields.get(key) ?? el('input', { ...attributes, ...bounds, type });
  if (fields.has(key)) return input;
  fields.set(key, input);
  const options = suggestions.map((s) => el('option', { value: `${s}` }));
  const label = el('label', {}, `${parameter.label} `, input);
  $('parameters').append(label, el('datalist', { id: list }, ...options));
  return input;
};
/** @type {T.OfButtons} */
const buildCards = (buttons) => {
  for (const card of cards.values()) charts.delete(card.chart);
  cards.clear();
  fields.clear();
  $('parameters').replaceChildren();
  for (const button of buttons) cards.set(button.number, makeProbeCard(button));
  $('cards').replaceChildren(...[...cards.values()].map((card) => card.node));
  $('choices').hidden = !buttons.length;
  $('no-buttons').hidden = buttons.length > 0;
  nameButtons();
};
const nameButtons = () => {
  for (const { go } of cards.values()) setText(go, `Run ${$('requests').value}`);
};
/** @type {T.MakeProbeCard} */
const makeProbeCard = (button) => {
  const code = el('pre', {}, el('code', {}, button.code ?? `GET ${button.path}`));
  const stop = el('button.stop', { hidden: '' }, 'Stop');
  const made = makeCard(button.label, code, 'probe-lanes');
  const inputs = button.parameters.map((p) => ({ ...p, input: fieldOf(p) }));
  const card = Object.assign(made, { button, stop, inputs, probe: null });
  card.go.after(stop);
  setData(card.node, 'button', button.number);
  card.go.onclick = () => start(card);
  stop.onclick = () => fetch('/probe', { method: 'DELETE' }).catch(() => {});
  return card;
};
/** @type {T.StartProbe} */
const start = async (card) => {
  const requests = $('requests');
  if (![requests, ...card.inputs.map((p) => p.input)].every((f) => f.reportValidity())) return;
  const values = card.inputs.map(({ name, kind, input }) => [
    name,
    kind === 'integer' ? input.valueAsNumber : input.value.trim(),
  ]);
  const { number: button } = card.button;
  const order = { ...Object.fromEntries(values), button, requests: requests.valueAsNumber };
  setText(card.problem, '');
  setRunning(card);
  try {
    const response = await fetch('/probe', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(order),
    });
    const { id, detail } = await response.json();
    if (response.ok) return expect(card, id);
    setText(card.problem, detail);
  } catch {
    setText(card.problem, 'The console did not answer. Does the program still run?');
  }
  setRunning(null);
};
/** The last verdict stays until a new measurement has begun. @type {T.Expect} */
const expect = (card, id) => {
  if (card.probe !== id) clearCard(card);
  card.probe = id;
};

/** @type {T.OfProbe} */
const show = (probe) => {
  const card = cards.get(probe.button);
  if (!card) return;
  expect(card, probe.id);
  const going = probe.state === 'running';
  const heard = performance.now();
  const now = () => probe.now_ms - begun(probe) + Math.min(300, performance.now() - heard);
  const color = colorOf(model, card.button.path.split('?')[0]);
  setChart(card.chart, barsOf(probe, color), going ? now : null);
  setText(card.step, stepOf(probe));
  setText(card.problem, (probe.state === 'failed' && probe.detail) || '');
  if (going && running !== card) setRunning(card);
  if (!going && running === card) setRunning(null);
  if (probe.findings) showFindings(card, probe.findings);
};
/** @type {T.ShowFindings} */
const showFindings = (card, { verdict, sentence, evidence, advice, ...rest }) => {
  const more = [bullets('ul.evidence', evidence), el('p.delivery', {}, rest.delivery_sentence)];
  if (rest.identical) more.push(el('p.identical', {}, rest.identical.sentence));
  // Without another route, the cause says no more than the verdict.
  if (rest.beside) {
    const { sentence: why, evidence: shown } = rest.cause;
    more.unshift(el('p.cause', {}, why), bullets('ul.beside', shown));
  }
  const summary = el('summary', {}, 'What to do');
  if (advice.length) more.push(el('details.advice', {}, summary, bullets('ul', advice)));
  judge(card, verdict, badges[verdict] ?? verdict, sentence, ...more);
};

export const startProbes = () => {
  $('requests').oninput = nameButtons;
  onMessage((message) => {
    if (message.event === 'probe') show(message);
    if (message.event !== 'snapshot') return;
    $('requests').max = `${model.limits.requests ?? ''}`;
    const buttons = JSON.stringify(model.buttons);
    if (buttons !== built) buildCards(model.buttons);
    built = buttons;
    // The server may be another one, which knows nothing of what ran.
    setRunning(running?.stop ? null : running);
    if (message.probe) show(message.probe);
  });
};
