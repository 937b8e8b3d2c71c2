/**
 * Default widgets for the four kinds of experience, on top of tracker.js: load it after the tracker, put
 * `<div data-hotbasket-slot="main"></div>` where a slot belongs, call `hotbasketWidgets.mount()`, restyle widgets.css.
 * Text goes in as text and looks come from classes, so that it runs under a strict Content-Security-Policy.
 *
 * @typedef {Object} Product what the page knows about a product
 * @property {string} name
 * @property {number} [price_minor]
 * @property {string} [currency]
 * @property {string} [url]
 * @property {string} [image]
 *
 * @typedef {Object} Settings
 * @property {(productId: string) => Product|null|Promise<Product|null>} [product] null leaves the product out
 * @property {(productId: string) => void} [addToBasket] with it each product gets a button
 * @property {string} [currency] of thresholds and rewards, ISO 4217; EUR
 * @property {string} [language] of texts and prices; the page's own
 * @property {Object<string, string>} [texts] replaces texts of the language; a reason that is a key here is said so
 */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;

  const TEXTS = {
    en: {
      recommendation: 'Goes well with your basket',
      personalised_promotion: 'For you',
      gamified_promotion: 'Try your luck',
      basket_tension: 'Almost there',
      add: 'Add to basket',
      close: 'Close',
      scratch: 'Scratch to see what you win',
      wheel: 'Spin the wheel',
      won: 'You win: {what}',
      off: '{what} off',
      from: 'from a basket of {amount}',
      missing: 'Only {amount} to go: {what}',
      delivery: 'free delivery',
      product: 'a free {name}',
    },
    fr: {
      recommendation: 'Va bien avec votre panier',
      personalised_promotion: 'Pour vous',
      gamified_promotion: 'Tentez votre chance',
      basket_tension: 'Vous y êtes presque',
      add: 'Ajouter au panier',
      close: 'Fermer',
      scratch: 'Grattez pour découvrir',
      wheel: 'Tournez la roue',
      won: 'Vous gagnez : {what}',
      off: '{what} de remise',
      from: "dès {amount} d'achats",
      missing: 'Plus que {amount} : {what}',
      delivery: 'la livraison offerte',
      product: '{name} offert',
    },
  };
  const SPIN_MS = 2500;

  /** @type {Settings} */ let settings = {};
  let texts = TEXTS.en;
  let language = 'en';
  /** Experiences on this page, by slot, whether or not the page has a place for them. */ const cards = new Map();
  /** Cards whose widget has not been seen yet. */ const unseen = new WeakMap();
  const sight = 'IntersectionObserver' in window ? new IntersectionObserver(seen, {threshold: 0.5}) : null;

  function seen(entries) {
    for (const {isIntersecting, target} of entries) {
      if (!isIntersecting || !unseen.has(target)) continue;
      unseen.get(target).shown();
      unseen.delete(target);
      sight.unobserve(target);
    }
  }

  const say = (key, values) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function money(minor, currency = settings.currency || 'EUR') {
    const format = new Intl.NumberFormat(language, {style: 'currency', currency});
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  }
  function percent(value) {
    return new Intl.NumberFormat(language, {style: 'percent', maximumFractionDigits: 2}).format(value / 100);
  }

  /** An element with a class, its text and its children. */
  function element(tag, name, text, ...children) {
    const made = document.createElement(tag);
    made.className = `hotbasket-${name}`;
    if (text) made.textContent = text;
    made.append(...children.filter(Boolean));
    return made;
  }
  function button(name, text, action) {
    const made = element('button', name, text);
    made.type = 'button';
    made.addEventListener('click', action);
    return made;
  }

  /** What the page knows of a product; null: nothing, or it could not find out. */
  async function known(id) {
    try { return settings.product ? await settings.product(id) : {name: id}; } catch { return null; }
  }

  /** What a generosity, reward or prize is worth, in words. */
  async function worth({type, value, value_minor, product_id, label}) {
    if (label) return label;
    if (type === 'percent') return say('off', {what: percent(value)});
    if (type === 'amount') return say('off', {what: money(value_minor)});
    if (type === 'delivery') return texts.delivery;
    const product = product_id ? await known(product_id) : null;
    return product ? say('product', {name: product.name}) : type;
  }

  /** One product of a list; null where the page does not know it. */
  async function productItem(entry, card) {
    const {product_id: id, reason} = typeof entry === 'string' ? {product_id: entry} : entry;
    const product = await known(id);
    if (!product) return null;
    const name = element(product.url ? 'a' : 'span', 'name', product.name);
    if (product.url) {
      name.href = product.url;
      name.addEventListener('click', () => card.clicked());
    }
    const image = product.image ? element('img', 'image') : null;
    if (image) { image.src = product.image; image.alt = ''; }
    const {price_minor: minor, currency} = product;
    const price = minor === undefined ? null : element('span', 'price', money(minor, currency));
    const add = settings.addToBasket
      ? button('add', texts.add, () => { card.clicked(); settings.addToBasket(id); }) : null;
    if (add) add.setAttribute('aria-label', `${texts.add}: ${product.name}`);
    const why = reason ? element('span', 'reason', texts[reason] || reason) : null;
    return element('li', 'product', '', image, name, price, why, add);
  }
  async function productList(card) {
    const items = await Promise.all(card.content.products.map((entry) => productItem(entry, card)));
    return items.some(Boolean) ? element('ul', 'products', '', ...items) : null;
  }

  /** What stands in a card, by kind. */
  const BODIES = {
    recommendation: async (card) => [await productList(card)].filter(Boolean),
    personalised_promotion: async (card) => {
      const {generosity, threshold_minor: threshold} = card.content;
      const condition = threshold ? element('p', 'condition', say('from', {amount: money(threshold)})) : null;
      return [element('p', 'worth', await worth(generosity)), condition, await productList(card)].filter(Boolean);
    },
    gamified_promotion: async (card) => {
      const {game, prize} = card.content;
      const result = element('p', 'worth', say('won', {what: await worth(prize)}));
      const products = await productList(card);
      const won = element('div', 'won', '', result, products);
      won.hidden = true;
      won.setAttribute('role', 'status');
      const play = button(game, texts[game] || game, () => {
        play.disabled = true;
        play.classList.add('hotbasket-playing');
        card.clicked();
        setTimeout(() => { play.remove(); won.hidden = false; }, game === 'wheel' && !calm() ? SPIN_MS : 0);
      });
      return [play, won];
    },
    basket_tension: async (card) => {
      const {threshold_minor: threshold, missing_minor: missing, reward} = card.content;
      const bar = element('progress', 'bar');
      bar.max = threshold;
      bar.value = threshold - missing;
      const text = say('missing', {amount: money(missing), what: await worth(reward)});
      bar.setAttribute('aria-label', text);
      return [element('p', 'worth', text), bar];
    },
  };
  const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

  /** Puts a card into its slot, in place of what was there. */
  async function place(card) {
    const slot = document.querySelector(`[data-hotbasket-slot="${CSS.escape(card.slot)}"]`);
    const body = BODIES[card.kind];
    if (!slot || !body || slot.dataset.hotbasketExperience === card.experience_id) return;
    slot.dataset.hotbasketExperience = card.experience_id;
    const parts = await body(card);
    if (cards.get(card.slot) !== card) return;
    slot.replaceChildren();
    if (!parts.length) return; // nothing on it that the page knows
    const close = button('close', '×', () => card.dismissed());
    close.setAttribute('aria-label', texts.close);
    const widget = element('section', 'card', '', close, element('h2', 'title', texts[card.kind]), ...parts);
    widget.classList.add(`hotbasket-${card.kind}`);
    widget.setAttribute('aria-label', texts[card.kind]);
    slot.setAttribute('aria-live', 'polite');
    slot.replaceChildren(widget);
    if (sight) { unseen.set(widget, card); sight.observe(widget); } else card.shown();
  }
  function clear({slot: name, experience_id: id}) {
    if ((cards.get(name) || {}).experience_id === id) cards.delete(name);
    for (const slot of document.querySelectorAll('[data-hotbasket-experience]')) {
      if (slot.dataset.hotbasketExperience !== id) continue;
      delete slot.dataset.hotbasketExperience;
      slot.replaceChildren();
    }
  }

  /**
   * Shows experiences from now on, first those that are open already.
   * @param {Settings} [given]
   */
  function mount(given) {
    settings = {...given};
    language = settings.language || document.documentElement.lang || 'en';
    texts = {...(TEXTS[language.slice(0, 2)] || TEXTS.en), ...settings.texts};
    hotbasket.on('withdrawn', clear);
    hotbasket.on('experience', (card) => {
      cards.set(card.slot, card);
      place(card);
      return false; // shown when it is in sight
    });
  }
  /** Places what is open in slots that the page has made since. */
  function refresh() {
    for (const card of cards.values()) place(card);
  }

  window.hotbasketWidgets = {mount, refresh};
})();
