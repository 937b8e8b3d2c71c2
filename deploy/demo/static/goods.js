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

/** Remembers a personalised promotion until it expires: its products cost less, or a campaign pays for it at the till. */
export function takeOffer({content, expires_at, campaign_id}) {
  const {generosity} = content;
  if (!generosity || generosity.type !== 'percent') return;
  const all = offers();
  for (const one of content.products) {
    all[`${owner} ${one.product_id || one}`] = {
      percent: generosity.value, until: Date.parse(expires_at), at_till: Boolean(campaign_id),
    };
  }
  localStorage.setItem(OFFERS_KEY, JSON.stringify(all));
}

function offerOf(id) {
  const offer = offers()[`${owner} ${id}`];
  return offer && offer.until > Date.now() ? offer : {percent: 0};
}
/** @returns {number} percent off the price, 0 without an offer */
export const percentOff = (id) => (offerOf(id).at_till ? 0 : offerOf(id).percent);
/** @returns {number} percent that the till takes off, 0 without an offer */
export const percentAtTill = (id) => (offerOf(id).at_till ? offerOf(id).percent : 0);

/** @returns {number} euro cents, with this shopper's offer */
export const priceOf = (one) => Math.round(one.price_minor * (1 - percentOff(one.id) / 100));
