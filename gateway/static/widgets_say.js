/**
 * Default widgets for the four kinds of experience, on top of tracker.js; docs/widgets.md is their manual. The gateway
 * serves the widgets_*.js files in the order of gateway/scripts.py as one classic script, /widgets.js. Text goes in as
 * text and looks come from classes, so that it runs under a strict Content-Security-Policy.
 *
 * This part says things: words, money and time in the page's language, and news to screen readers.
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
  if (!window.hotbasket) throw new Error('widgets.js: load tracker.js before it');

  const NEWS_MS = 10000;
  /** Decimals of minor units where it isn't two. Source: ISO 4217; what `Intl` shows is another matter (HUF, TWD). */
  const DECIMALS = {
    BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, UYI: 0, VND: 0, VUV: 0,
    XAF: 0, XOF: 0, XPF: 0, BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLF: 4, UYW: 4,
  };
  /** Texts by language tag in lower case; under `*` those of the page's language, whatever it is. */ const spoken = {};
  /** @type {Settings} */ let settings = {};
  let language = 'en';

  /** @param {Settings} [given] */
  function configure(given) {
    settings = {...given};
    const wanted = settings.language || document.documentElement.lang;
    try { language = Intl.getCanonicalLocales(wanted || 'en')[0]; } catch { language = 'en'; } // such as `fr_FR`
  }

  /**
   * Adds texts, or puts others in place of those built in.
   * @param {Object<string, string>} texts by key; `direction` is `ltr` or `rtl`
   * @param {string} [tag] their language; without it they are of the page's
   */
  function words(texts, tag = '*') {
    const key = tag.toLowerCase();
    spoken[key] = {...spoken[key], ...texts};
  }

  const ofPage = () => spoken[language.toLowerCase()] || spoken[language.split('-')[0].toLowerCase()];
  /** What is said of a key, or of a text that is no key. */
  function text(key) {
    const found = [settings.texts, spoken['*'], ofPage(), spoken.en].find((one) => one && Object.hasOwn(one, key));
    return found ? found[key] : key;
  }
  /** The language in which texts are said: the page's, or English for want of words. */
  const sayingIn = () => (ofPage() || spoken['*'] ? language : 'en');

  const say = (key, values) => text(key).replace(/\{(\w+)\}/g, (_, name) => values[name]);

  /** @param {string} [given] currency, ISO 4217; else that of the settings, else EUR */
  function money(minor, given) {
    const currency = given || settings.currency || 'EUR';
    const decimals = DECIMALS[currency] ?? 2;
    const format = new Intl.NumberFormat(language, {style: 'currency', currency, maximumFractionDigits: decimals});
    return format.format(minor / 10 ** decimals);
  }
  const percent = (value) =>
    new Intl.NumberFormat(language, {style: 'percent', maximumFractionDigits: 2}).format(value / 100);

  /** Days; hours and minutes; or minutes and seconds as on a clock. */
  function timeLeft(ms) {
    const seconds = Math.max(0, Math.ceil(ms / 1000));
    const some = (count, unit) =>
      new Intl.NumberFormat(sayingIn(), {style: 'unit', unit, unitDisplay: 'long'}).format(Math.floor(count));
    if (seconds >= 86400) return some(seconds / 86400, 'day');
    if (seconds >= 3600) return `${some(seconds / 3600, 'hour')} ${some(seconds % 3600 / 60, 'minute')}`;
    const digits = (count, minimumIntegerDigits) =>
      new Intl.NumberFormat(sayingIn(), {minimumIntegerDigits}).format(Math.floor(count));
    return `${digits(seconds / 60, 1)}:${digits(seconds % 60, 2)}`;
  }

  /** @type {HTMLElement|null} */ let announcer = null;
  /** Makes the region of the news, before there is any: only what comes into it later is read out. */
  function listen() {
    if (announcer) return;
    announcer = document.createElement('div');
    announcer.className = 'hotbasket-announcer';
    announcer.setAttribute('aria-live', 'polite');
    document.body.append(announcer);
  }
  /** Tells screen readers, when they have finished what they say. */
  function announce(news) {
    listen();
    const said = document.createElement('p');
    said.textContent = news;
    said.lang = sayingIn();
    announcer.append(said);
    setTimeout(() => said.remove(), NEWS_MS);
  }

  const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

  window.hotbasket.widgets = {
    words,
    help: {settings: () => settings, text, say, money, percent, timeLeft, announce, calm, sayingIn, games: {}},
    configure,
    listen,
  };
})();
