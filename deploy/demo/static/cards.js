/** Product cards and the stepper that stands on them, in the drawer and on product pages. */
import {add, onBasket, quantityOf, remove} from './basket.js';
import {el} from './dom.js';
import {nameOf, percentAtTill, percentOff, picture, priceOf, shelf} from './goods.js';
import {money, say} from './words.js';

/** Redraws every stepper and price of the page, by product. @type {Set<() => void>} */
const redraws = new Set();

/** Draws steppers and prices again: the basket or an offer changed. */
export function redrawCards() {
  for (const redraw of redraws) redraw();
}
export const watchBasket = () => onBasket(redrawCards);

/** @param {import('./goods.js').Product} product */
export function card(product) {
  return el('article.card', {'data-product': product.id},
    el('a.card-picture', {href: `/p/${product.id}`, tabindex: -1, 'aria-hidden': true}, tile(product, 'lazy')),
    el('div.card-text', {},
      el('a.card-name', {href: `/p/${product.id}`}, nameOf(product)),
      el('span.card-about', {}, [product.brand, product.size].filter(Boolean).join(' · '))),
    el('div.card-buy', {}, price(product), stepper(product)));
}

/** A picture on the colour of its shelf; the colour goes through the CSSOM, which a strict policy allows. */
export function tile(product, loading = 'eager') {
  const shown = el('span.tile', {}, el('img', {src: picture(product.id), alt: '', width: 160, height: 160, loading}));
  shown.style.setProperty('--tint', `#${shelf(product.category).tint}`);
  return shown;
}

export function price(product) {
  const shown = el('span.price');
  const redraw = () => {
    const off = percentOff(product.id);
    const now = el('b', {}, money(priceOf(product)));
    shown.replaceChildren(now);
    if (off) {
      shown.append(el('s', {'aria-label': `${say('before')} ${money(product.price_minor)}`}, money(product.price_minor)),
        el('em', {}, `−${off} %`));
    }
    const later = percentAtTill(product.id);
    if (later) shown.append(el('em', {}, say('atTill', {percent: later})));
  };
  redraws.add(redraw);
  redraw();
  return shown;
}

/** A button until the product is in the basket, then less, how many, more. */
export function stepper(product) {
  const name = nameOf(product);
  const less = el('button.step', {type: 'button', 'aria-label': say('less', {name}), onclick: () => remove(product.id)}, '−');
  const many = el('span.many', {'aria-live': 'off'});
  const more = el('button.step.more', {type: 'button', onclick: () => add(product.id)},
    el('span.plus', {'aria-hidden': true}, '+'), el('span.word', {}, say('add')));
  const shown = el('span.stepper', {}, less, many, more);
  const redraw = () => {
    const quantity = quantityOf(product.id);
    if (!quantity && document.activeElement === less) more.focus();
    shown.classList.toggle('filled', quantity > 0);
    less.hidden = many.hidden = !quantity;
    many.textContent = String(quantity);
    many.setAttribute('aria-label', say('quantity', {count: quantity}));
    more.setAttribute('aria-label', say(quantity ? 'more' : 'addOf', {name}));
  };
  redraws.add(redraw);
  redraw();
  return shown;
}
