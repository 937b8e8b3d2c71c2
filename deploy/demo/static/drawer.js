/** The basket drawer: a dialog, so that the keyboard stays inside it and Escape closes it. */
import {basket, clear, count, onBasket, total} from './basket.js';
import {stepper, tile} from './cards.js';
import {el, icon} from './dom.js';
import {nameOf, product} from './goods.js';
import {askTill, deductions, nameOfDeduction, onTill, ownReward, toPay} from './till.js';
import {money, say} from './words.js';

const drawer = /** @type {HTMLDialogElement} */ (document.getElementById('drawer'));
const open = document.getElementById('basket-open');
const list = el('ul.lines');
const foot = el('div.drawer-foot');
/** Rows by product, kept while the product stays so that the focus stays too. @type {Map<string, HTMLElement>} */
const rows = new Map();

export function startDrawer() {
  drawer.append(
    el('div.drawer-head', {}, el('h2', {id: 'drawer-title'}, say('basket')),
      el('button.round', {type: 'button', 'aria-label': say('close'), onclick: () => drawer.close()}, icon('M6 6l12 12M18 6L6 18'))),
    list, foot);
  open.addEventListener('click', () => { drawer.showModal(); askTill(); });
  onTill(drawFoot);
  drawer.addEventListener('click', ({target}) => { if (target === drawer) drawer.close(); });
  onBasket(draw);
}

function draw() {
  document.getElementById('basket-total').textContent = count() ? money(total()) : '';
  document.getElementById('basket-count').textContent = String(count());
  open.setAttribute('aria-label', say('basketOf', {count: count(), total: money(total())}));
  open.classList.toggle('filled', count() > 0);
  for (const [id, row] of rows) {
    if (basket().some((line) => line.id === id)) continue;
    const held = row.contains(document.activeElement);
    row.remove();
    rows.delete(id);
    if (held) drawer.querySelector('.round').focus();
  }
  for (const line of basket()) {
    if (!rows.has(line.id)) { rows.set(line.id, rowOf(product(line.id))); list.append(rows.get(line.id)); }
    rows.get(line.id).querySelector('.line-price').textContent = money(line.quantity * line.price_minor);
  }
  drawFoot();
  if (drawer.open) askTill();
}

const rowOf = (one) => el('li.line', {'data-product': one.id}, tile(one),
  el('div.line-text', {}, el('a', {href: `/p/${one.id}`}, nameOf(one)), el('span.line-price')), stepper(one));

function drawFoot() {
  if (!basket().length) {
    foot.replaceChildren(el('p.nothing', {}, el('b', {}, say('emptyBasket')), ' ', say('emptyHint')));
    return;
  }
  const off = deductions().map((one) => [nameOfDeduction(one), one.amount_minor]);
  if (ownReward()) off.push(['reward', ownReward()]);
  const held = foot.contains(document.activeElement) && document.activeElement.className;
  foot.replaceChildren(
    ...off.map(([word, minor]) => el('div.sum.won', {}, el('span', {}, say(word)), el('b', {}, money(-minor)))),
    el('div.sum', {}, el('span', {}, say(off.length ? 'toPay' : 'total')), el('b', {}, money(toPay()))),
    el('a.primary', {href: '/checkout'}, say('checkout')),
    el('button.quiet', {type: 'button', onclick: () => { clear(); drawer.querySelector('.round').focus(); }}, say('clear')));
  if (held) foot.querySelector(`.${held}`).focus();
}
