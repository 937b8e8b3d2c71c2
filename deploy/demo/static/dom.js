/** Builds elements without markup in strings: text goes in as text, nothing is ever parsed. */

/**
 * @param {string} name an element, perhaps with classes: `div.card.wide`
 * @param {Object<string, any>} [attributes] `onclick` and the like become listeners; null and false are left out
 * @param {...(Node|string|null|false)} children
 * @returns {HTMLElement}
 */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  return fill(document.createElement(tag), classes, attributes, children);
}

const SVG = 'http://www.w3.org/2000/svg';
/** The same for SVG. @returns {SVGElement} */
export function svg(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  return fill(document.createElementNS(SVG, tag), classes, attributes, children);
}

/** A line icon from one path in a box of 24. */
export const icon = (path) => svg('svg', {viewBox: '0 0 24 24', 'aria-hidden': 'true'}, svg('path', {d: path}));

function fill(element, classes, attributes, children) {
  if (classes.length) element.setAttribute('class', classes.join(' '));
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}
