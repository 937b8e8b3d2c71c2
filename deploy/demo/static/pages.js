/**
 * The shop's pages: each has a URL of its own and is reached by a real navigation.
 * @typedef {{kind: string, category_id?: string, product_id?: string, path: string}} Viewed as `PageViewed` carries it
 */
import {basket, count, takeHome} from './basket.js';
import {card, price, stepper, tile} from './cards.js';
import {el} from './dom.js';
import {categories, find, nameOf, picture, product, products, shelf, shelfOf} from './goods.js';
import {forgetReward} from './rewards.js';
import {act, consented} from './session.js';
import {askTill, deductions, nameOfDeduction, onTill, ownReward, payAtTill, toPay} from './till.js';
import {money, say} from './words.js';

const HOME_ROWS = [
  ['dinner', '/c/pasta', ['penne', 'spaghetti', 'tagliatelle', 'ravioli-ricotta', 'risotto', 'chicken-breast', 'salmon', 'peppers']],
  ['market', '/c/fruit', ['strawberries', 'tomatoes', 'avocados', 'lemons', 'broccoli', 'grapes', 'carrots', 'fresh-basil']],
  ['apero', '/c/wine', ['red-wine', 'white-wine', 'sparkling-wine', 'comte', 'saucisson', 'green-olives', 'breadsticks', 'ipa']],
  ['morning', '/c/breakfast', ['ground-coffee', 'croissants', 'granola', 'orange-juice', 'honey', 'black-tea', 'greek-yoghurt', 'baguette']],
];
const DECIDING = {home, c: category, p: productPage, search, checkout, thanks};

/** Draws the page of this URL. @returns {Viewed} what was viewed */
export function drawPage() {
  const [, first, second] = location.pathname.split('/').map(decodeURIComponent);
  const path = location.pathname;
  return {...(DECIDING[first || 'home'] || notFound)(second), path};
}

const show = (...parts) => document.getElementById('page').replaceChildren(...parts);
function title(text, more = null) {
  document.title = `${text} · La Petite Halle`;
  return el('div.page-title', {}, el('h1', {}, text), more && el('span', {}, more));
}
const grid = (list) => el('div.shelf', {}, ...list.map(card));

function home() {
  drawHero();
  show(...HOME_ROWS.map(([word, link, ids]) => el('section.row', {'aria-labelledby': `row-${word}`},
    el('div.row-title', {}, el('h2', {id: `row-${word}`}, say(word)), el('a', {href: link}, say('seeAll'))),
    grid(ids.map(product)))));
  return {kind: 'home'};
}

function drawHero() {
  const hero = document.getElementById('hero');
  const starts = [['heroPasta', '/c/pasta'], ['heroWine', '/c/wine'], ['heroCoffee', '/c/coffee']];
  hero.hidden = false;
  hero.replaceChildren(
    el('div.hero-text', {}, el('h1', {}, say('heroTitle')), el('p', {}, say('heroText')),
      el('div.hero-starts', {}, ...starts.map(([word, href]) => el('a', {
        href, onclick: () => act('LinkClicked', {target: href, label: say(word)}),
      }, say(word))))),
    el('div.hero-picture', {'aria-hidden': true}, ...['spaghetti', 'tomatoes', 'pesto-basil', 'red-wine', 'parmesan', 'fresh-basil']
      .map((id) => el('img', {src: picture(id), alt: '', width: 160, height: 160}))));
}

function category(id) {
  const here = shelf(id);
  if (!here) return notFound();
  const list = shelfOf(id);
  show(title(nameOf(here), say('products', {count: list.length})), grid(list));
  return {kind: 'category', category_id: id};
}

function productPage(id) {
  const one = product(id);
  if (!one) return notFound();
  const here = shelf(one.category);
  const others = shelfOf(one.category).filter((other) => other !== one);
  document.title = `${nameOf(one)} · La Petite Halle`;
  show(
    el('article.detail', {'data-product': id}, tile(one), el('div.detail-text', {},
      el('a.detail-shelf', {href: `/c/${one.category}`}, nameOf(here)), el('h1', {}, nameOf(one)),
      el('p.detail-about', {}, [one.brand, one.size].filter(Boolean).join(' · ')), el('p', {}, say('about')),
      el('div.detail-buy', {}, price(one), stepper(one)))),
    el('section.row', {}, el('div.row-title', {}, el('h2', {}, say('alsoHere'))), grid(others)));
  return {kind: 'product', product_id: id, category_id: one.category};
}

function search() {
  const query = (new URLSearchParams(location.search).get('q') || '').trim();
  const found = find(query);
  document.getElementById('query').value = query;
  show(title(say('results', {query}), say('products', {count: found.length})),
    found.length ? grid(found) : el('p.nothing', {}, say('noResults')));
  if (query) act('ProductsSearched', {query, result_count: found.length});
  return {kind: 'search'};
}

function checkout() {
  const bill = el('div.bill');
  const trouble = el('p.trouble', {role: 'alert'});
  const draw = () => {
    if (!basket().length) { bill.replaceChildren(el('p.nothing', {}, say('emptyBasket'))); return; }
    const reward = ownReward();
    const held = bill.contains(document.activeElement);
    const sum = (word, value, kind) => el(`div.bill-sum${kind}`, {}, el('span', {}, say(word)), el('b', {}, money(value)));
    bill.replaceChildren(
      ...basket().map((line) => el('div.bill-line', {}, tile(product(line.id)),
        el('span', {}, `${line.quantity} × ${nameOf(product(line.id))}`), el('b', {}, money(line.quantity * line.price_minor)))),
      ...deductions().map((one) => sum(nameOfDeduction(one), -one.amount_minor, '.won')),
      reward ? sum('reward', -reward, '.won') : '', sum('toPay', toPay(), '.last'), trouble,
      el('button.primary', {type: 'button', id: 'pay', onclick: () => settle(trouble)}, say('pay', {total: money(toPay())})));
    if (held) document.getElementById('pay').focus();
  };
  draw();
  onTill(draw);
  show(title(say('checkoutTitle'), say('products', {count: count()})), el('p.lead', {}, say('checkoutText')), bill);
  redrawBill = () => { draw(); askTill(); };
  return {kind: 'checkout'};
}
/** The bill follows the basket while it is on the page. */
export let redrawBill = () => {};

/** Pays the pretend order; the basket stays until that is done. */
async function settle(trouble) {
  const order = `demo-${crypto.randomUUID().slice(0, 8)}`;
  const done = consented() === 'granted' ? await payAtTill(order) : 'paid';
  if (done !== 'paid') { trouble.textContent = say(done === 'changed' ? 'billChanged' : 'notPaid'); return; }
  takeHome();
  forgetReward();
  location.assign(`/thanks/${order}`);
}

function thanks(order = '') {
  show(el('div.thanks', {}, el('img', {src: picture('croissants'), alt: '', width: 160, height: 160}), title(say('thanksTitle')),
    el('p', {}, say('thanksText', {order})), el('a.primary', {href: '/'}, say('backToShop'))));
  return {kind: 'confirmation'};
}

function notFound() {
  show(title(say('notFound')), grid(products.slice(0, 8)));
  return {kind: 'other'};
}

/** The line of shelves under the header. */
export function drawAisles() {
  const here = decodeURIComponent(location.pathname);
  document.getElementById('aisles').replaceChildren(...categories.map((one) => {
    const current = here === `/c/${one.id}`;
    const link = el('a', {href: `/c/${one.id}`, 'aria-current': current && 'page'},
      el('img', {src: picture(shelfOf(one.id)[0].id), alt: '', width: 26, height: 26, loading: 'lazy'}), nameOf(one));
    if (current) requestAnimationFrame(() => link.scrollIntoView({block: 'nearest', inline: 'center'}));
    return link;
  }));
}
