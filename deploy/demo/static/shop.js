/** The demo shop's page: draws itself from the URL, hands actions to the tracker and lets the widgets show the rest. */
import {add, onBasket, openBasket, takeOver} from './basket.js';
import {redrawCards, watchBasket} from './cards.js';
import {startDrawer} from './drawer.js';
import {el} from './dom.js';
import {categories, loadGoods, nameOf, picture, priceOf, product, takeOffer} from './goods.js';
import {drawGlass, startGlass} from './glass.js';
import {drawAisles, drawPage, redrawBill} from './pages.js';
import {promise} from './rewards.js';
import {act, become, consent, consented, openSession, persona, session, shopper, space, startTracker} from './session.js';
import {choose, language, reasons, say} from './words.js';

start().catch((fault) => {
  document.getElementById('page').replaceChildren(el('p.nothing', {role: 'alert'}, say('broken')));
  throw fault;
});

async function start() {
  await openSession();
  await loadGoods(shopper);
  sayPage();
  openBasket(space());
  drawStrip();
  drawAisles();
  startGlass();
  watchExperiences();
  startTracker();
  startDrawer();
  watchBasket();
  const viewed = drawPage();
  act('PageViewed', {page: viewed});
  onBasket(() => redrawBill());
  if (!consented()) askConsent();
  document.body.dataset.ready = 'yes';
  if (consented() === 'granted') await takeOver(basketElsewhere);
}

/** The basket as hotbasket knows it; empty without consent, since asking would say who is here. */
async function basketElsewhere() {
  if (consented() !== 'granted') return [];
  const answer = await fetch(`/demo/glass?shopper=${encodeURIComponent(shopper)}`);
  const known = answer.ok ? (await answer.json()).shopper : null;
  if (!known) return [];
  return known.basket.lines.map((line) => ({id: line.product_id, quantity: line.quantity, price_minor: line.price_minor}));
}

/** Says the page's fixed texts in the chosen language. */
function sayPage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-say]')) element.textContent = say(element.dataset.say);
  document.getElementById('query').placeholder = say('searchHint');
  document.getElementById('aisles').setAttribute('aria-label', say('aisles'));
  document.getElementById('slots').setAttribute('aria-label', say('forYou'));
}

function drawStrip() {
  const chooser = /** @type {HTMLSelectElement} */ (document.getElementById('persona'));
  const choices = [...session.personas.map((one) => [one.id, one.title[language]]), ['guest', say('guest')]];
  chooser.replaceChildren(...choices.map(([id, text]) => el('option', {value: id, selected: id === persona}, text)));
  chooser.addEventListener('change', () => become(chooser.value));
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.dataset.language === language));
    button.addEventListener('click', () => choose(button.dataset.language));
  }
  document.getElementById('privacy').addEventListener('click', askConsent);
}

function watchExperiences() {
  window.hotbasket.on('experience', (card) => {
    if (card.kind === 'personalised_promotion') { takeOffer(card); redrawCards(); }
    if (card.kind === 'basket_tension') promise(card);
    return false; // the widgets display it
  });
  window.hotbasket.widgets.mount({
    language, texts: reasons(categories), currency: 'EUR', addToBasket: (id) => add(id),
    product: (id) => {
      const one = product(id);
      return one ? {name: nameOf(one), price_minor: priceOf(one), url: `/p/${id}`, image: picture(id)} : null;
    },
  });
}

/** The banner; until it is answered, and after a no, nothing leaves. */
function askConsent() {
  const banner = document.getElementById('consent');
  const answer = (given) => () => {
    banner.hidden = true;
    consent(given);
    drawGlass();
    if (given === 'granted') takeOver(basketElsewhere);
    document.getElementById('main').focus({preventScroll: true});
  };
  banner.replaceChildren(
    el('div', {}, el('h2', {id: 'consent-title'}, say('consentTitle')), el('p', {}, say('consentText'))),
    el('div.consent-answers', {}, el('button.quiet', {type: 'button', id: 'deny', onclick: answer('denied')}, say('deny')),
      el('button.primary', {type: 'button', id: 'allow', onclick: answer('granted')}, say('allow'))));
  banner.hidden = false;
}
