// Elements. All that comes from outside becomes text: nothing here parses HTML.

/** @type {T.ById} */
export const $ = (id) => /** @type {any} */ (document.getElementById(id));
/** @type {T.All} */
export const all = (selector) => [.../** @type {any} */ (document.querySelectorAll(selector))];
/** @type {T.El} */
export const el = (kind, attributes = {}, ...children) => {
  const [tag, name] = kind.split('.');
  const node = document.createElement(tag);
  if (name) node.className = name;
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return /** @type {any} */ (node);
};
/** @type {T.Bullets} */
export const bullets = (kind, lines) => el(kind, {}, ...lines.map((line) => el('li', {}, line)));

// Only what differs is written: no layout for nothing, and nothing is read out twice.
/** @type {T.SetText} */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};
/** @type {T.SetData} */
export const setData = (node, name, value) => {
  const key = `data-${name}`;
  if (value == null) node.removeAttribute(key);
  else if (node.getAttribute(key) !== `${value}`) node.setAttribute(key, `${value}`);
};
/** @type {T.SetLength} */
export const setLength = (list, length, make) => {
  while (list.children.length < length) list.append(make());
  while (list.children.length > length) list.lastElementChild?.remove();
};
