// @ts-check
// Fields for what the person at the page may set of the requests that a button sends.
import { $, el } from './dom.js';

/** Buttons that have the same parameter share its field. @type {Map<string, HTMLInputElement>} */
const fields = new Map();

/** @type {T.InputsOf} */
const inputsOf = ({ parameters = [] }) =>
  parameters.flatMap((p) => {
    const input = fields.get(JSON.stringify(p));
    return input ? [{ ...p, input }] : [];
  });
/** @type {T.OfButtons} */
export const buildParameters = (buttons) => {
  fields.clear();
  $('parameters').replaceChildren();
  for (const parameter of buttons.flatMap((b) => b.parameters ?? []))
    if (!fields.has(JSON.stringify(parameter))) addField(parameter);
};
/** @type {T.OfParameter} */
const addField = (parameter) => {
  const { name, kind, min, max, suggestions = [] } = parameter;
  const list = `suggestions-${fields.size}`;
  const input = el('input', {
    'data-parameter': name,
    value: `${parameter.default}`,
    required: '',
    ...(kind === 'integer'
      ? { type: 'number', min: `${min}`, max: `${max}` }
      : { title: `${min} to ${max}`, list }),
  });
  fields.set(JSON.stringify(parameter), input);
  const options = suggestions.map((s) => el('option', {}, `${s}`));
  const label = el('label', {}, `${parameter.label} `, input);
  $('parameters').append(label, el('datalist', { id: list }, ...options));
};
/** Those that are not filled in as they may be say so. @type {T.AreValid} */
export const areValid = (button) =>
  [$('requests'), ...inputsOf(button).map((p) => p.input)].every((f) => f.reportValidity());
/** What `POST /probe` is sent. @type {T.Order} */
export const order = (button) => {
  const values = inputsOf(button).map(({ name, kind, input }) => [
    name,
    kind === 'integer' ? input.valueAsNumber : input.value.trim(),
  ]);
  const requests = $('requests').valueAsNumber;
  return { ...Object.fromEntries(values), button: button.number, requests };
};
