/**
 * The shelves as the page knows them, and prices with the offers that this shopper has been made.
 * @typedef {{id: string, name: Object<string, string>, tint: string}} Category
 * @typedef {{id: string, category: string, brand: string, name: Object<string, string>, size: string,
 *   price_minor: number}} Product
 */
import {folded, language} from './words.js';

const OFFERS_KEY = 'demo.offers';

/** @type {Category[]} */ export let categories = [];
/** @type {Product[]} */ export let products = [];
/** @type {Map<string, Product>} */ const byId = new Map();
/** @type {Map<string, Category>} */ const shelfById = new Map();
let owner = '';

/** @param {string} shopper whose offers count */
export async function loadGoods(shopper) {
  owner = shopper;
  const answer = await fetch('/demo/goods');
  ({categories, products} = await answer.json());
  for (const product of products) byId.set(product.id, product);
  for (const category of categories) shelfById.set(category.id, category);
}

/** @returns {Product|undefined} */
export const product = (id) => byId.get(id);
/** @returns {Category|undefined} */
export const shelf = (id) => shelfById.get(id);
export const nameOf = (thing) => thing.name[language];
export const picture = (id) => `/demo/pictures/${encodeURIComponent(id)}.svg`;
export const shelfOf = (categoryId) => products.filter((one) => one.category === categoryId);

/** Products whose names, brand or shelf have every word of the query. */
export function find(query) {
  const words = folded(query).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (!words.length) return [];
  return products.filter((one) => {
    const text = folded([one.name.fr, one.name.en, one.brand, ...Object.values(shelf(one.category).name)].join(' '));
    return words.every((word) => text.includes(word));
  });
}

const offers = () => JSON.parse(localStorage.getItem(OFFERS_KEY) || '{}');

/** Remembers a personalised promotion: its products cost less until it expires. */
export function takeOffer({content, expires_at}) {
  const {generosity} = content;
  if (!generosity || generosity.type !== 'percent') return;
  const all = offers();
  for (const one of content.products) {
    all[`${owner} ${one.product_id || one}`] = {percent: generosity.value, until: Date.parse(expires_at)};
  }
  localStorage.setItem(OFFERS_KEY, JSON.stringify(all));
}

/** @returns {number} percent off, 0 without an offer */
export function percentOff(id) {
  const offer = offers()[`${owner} ${id}`];
  return offer && offer.until > Date.now() ? offer.percent : 0;
}

/** @returns {number} euro cents, with this shopper's offer */
export const priceOf = (one) => Math.round(one.price_minor * (1 - percentOff(one.id) / 100));
