/** Part of widgets.js: the parts that widgets are made of, also for a retailer's own: a frame, buttons, products. */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;
  const {help} = window.hotbasket.widgets;
  const {say, text, money, percent} = help;
  let headings = 0;

  /** An element with a class, its text and its children; null and false are left out. */
  function element(tag, name, words, ...children) {
    const made = document.createElement(tag);
    made.className = `hotbasket-${name}`;
    if (words) made.textContent = words;
    made.append(...children.filter(Boolean));
    return made;
  }
  function button(name, words, action) {
    const made = element('button', name, words);
    made.type = 'button';
    made.addEventListener('click', action);
    return made;
  }
  /** An element of SVG. */
  function svg(name, attributes, ...children) {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
  /** Marks words of the shop's own (names, reasons, prizes) as such, where the widget speaks another language. */
  function foreign(made) {
    made.dir = 'auto';
    const {lang} = document.documentElement;
    if (lang && lang.split('-')[0] !== help.sayingIn().split('-')[0]) made.lang = lang;
    return made;
  }

  /**
   * The default frame: a region named by its heading, with a button that closes it.
   * @param {Object} card the experience
   * @param {...(Node|null)} children
   */
  function frame(card, ...children) {
    const title = text(card.kind);
    const heading = element('h2', 'title', title);
    heading.id = `hotbasket-title-${++headings}`;
    const close = button('close', '×', () => help.cardOf(section).dismissed());
    close.setAttribute('aria-label', say('close', {what: title}));
    const section = element('section', 'card', '', heading, close, ...children);
    section.classList.add(`hotbasket-${card.kind}`);
    section.setAttribute('aria-labelledby', heading.id);
    section.lang = help.sayingIn();
    section.dir = text('direction');
    return section;
  }

  /** What the page knows of a product; null: nothing, or it could not find out. */
  async function known(id) {
    const {product} = help.settings();
    try { return product ? await product(id) : {name: id}; } catch { return null; }
  }

  /**
   * What a generosity, reward or prize is worth, in words.
   * @param {Object} reward as in the protocol
   * @param {string} [currency]
   */
  async function worth({type, value, value_minor, product_id, label}, currency) {
    if (label) return label;
    if (type === 'percent') return say('off', {what: percent(value)});
    if (type === 'amount') return say('off', {what: money(value_minor, currency)});
    const product = product_id ? await known(product_id) : null;
    return product ? say('product', {name: product.name}) : text(type);
  }

  /** One product of a list; null where the page does not know it. */
  async function productItem(entry, followed) {
    const {product_id: id, reason} = typeof entry === 'string' ? {product_id: entry} : entry;
    const product = await known(id);
    if (!product) return null;
    const {addToBasket} = help.settings();
    const name = foreign(element(product.url ? 'a' : 'span', 'name', product.name));
    if (product.url) {
      name.href = product.url;
      name.addEventListener('click', followed);
    }
    const image = product.image ? element('img', 'image') : null;
    if (image) { image.src = product.image; image.alt = ''; image.loading = 'lazy'; }
    const {price_minor: minor, currency} = product;
    const price = minor === undefined ? null : element('span', 'price', money(minor, currency));
    const add = addToBasket ? button('add', text('add'), () => { followed(); addToBasket(id); }) : null;
    if (add) add.setAttribute('aria-label', say('addOf', {name: product.name}));
    const why = reason ? foreign(element('span', 'reason', text(reason))) : null;
    return element('li', 'product', '', image, name, price, why, add);
  }
  /**
   * The products of an experience that the page knows, as a list; null where it knows none.
   * @param {Object} card
   * @param {() => void} [followed] called when a product is opened or added; without it `card.clicked` is
   */
  async function products(card, followed = card.clicked) {
    const items = await Promise.all((card.content.products || []).map((entry) => productItem(entry, followed)));
    return items.some(Boolean) ? element('ul', 'products', '', ...items) : null;
  }

  Object.assign(help, {element, button, svg, foreign, frame, worth, products});
})();
