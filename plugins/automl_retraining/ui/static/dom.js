/**
 * Elements. Whatever is not a node becomes text, so a column named `<img onerror=…>` is shown as written: no page of
 * ours sets markup from a string.
 */

const SVG = 'http://www.w3.org/2000/svg';

/** An element; `on…` attributes are listeners, null, undefined and false leave one out. */
export function h(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Put these children in the place of what an element holds. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(shown));
  return element;
}

/** A link within the pages; a plain text where there is nothing to link to. */
export function link(text, href, attributes) {
  return href ? h('a', { href, ...attributes }, text) : h('span', attributes, text);
}

/**
 * A link that leaves the frame. Airflow's frame opens no window and navigates nothing but itself, so the click is
 * handed to the page around it, which is of the same origin.
 */
export function outward(text, href, attributes) {
  const address = new URL(href, location.href);
  if (address.protocol !== 'https:' && address.origin !== location.origin) return h('span', attributes, text);
  const target = address.origin === location.origin ? '_top' : '_blank';
  const click = (event) => {
    if (window.parent === window) return;
    event.preventDefault();
    const outside = window.parent.document;
    const copy = outside.createElement('a');
    copy.href = address.href;
    copy.target = target === '_top' ? '_self' : target;
    copy.rel = 'noopener';
    outside.body.append(copy);
    copy.click();
    copy.remove();
  };
  return h('a', { href: address.href, target, rel: 'noopener', onclick: click, ...attributes }, text);
}

function shown(child) {
  return child !== null && child !== undefined && child !== false && child !== '';
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat(Infinity).filter(shown));
  return element;
}
