/**
 * The shopper's basket as the shop keeps it, in this browser; each change is one event, never an update.
 * @typedef {{id: string, quantity: number, price_minor: number}} Line
 */
import {nameOf, priceOf, product} from './goods.js';
import {act} from './session.js';
import {say} from './words.js';

let key = '';
/** @type {Line[]} */ let lines = [];
const listeners = new Set();

/**
 * @param {string} space of this retailer and shopper
 */
export function openBasket(space) {
  key = `${space}.basket`;
  const stored = localStorage.getItem(key);
  lines = JSON.parse(stored || '[]');
  window.addEventListener('storage', (change) => {
    if (change.key === key) { lines = JSON.parse(change.newValue || '[]'); tell(); }
  });
}

/**
 * Takes over the basket that this shopper filled in another browser, unless there is one here already.
 * @param {() => Promise<Line[]>} elsewhere asks for it
 */
export async function takeOver(elsewhere) {
  if (localStorage.getItem(key) !== null) return;
  const there = (await elsewhere()).filter((line) => product(line.id));
  if (localStorage.getItem(key) !== null) return;
  lines = there;
  keep('');
}

/** @param {() => void} fn called after every change */
export const onBasket = (fn) => { listeners.add(fn); fn(); };
/** @returns {readonly Line[]} */
export const basket = () => lines;
export const quantityOf = (id) => (lines.find((line) => line.id === id) || {quantity: 0}).quantity;
export const count = () => lines.reduce((sum, line) => sum + line.quantity, 0);
export const total = () => lines.reduce((sum, line) => sum + line.quantity * line.price_minor, 0);

export function add(id, quantity = 1) {
  const one = product(id);
  const price_minor = priceOf(one);
  const line = lines.find((old) => old.id === id);
  if (line) { line.quantity += quantity; line.price_minor = price_minor; } else lines.push({id, quantity, price_minor});
  act('AddedToBasket', {product: described(one, price_minor), quantity});
  keep(say('added', {name: nameOf(one)}));
}

export function remove(id, quantity = 1) {
  const line = lines.find((old) => old.id === id);
  if (!line) return;
  const gone = Math.min(quantity, line.quantity);
  line.quantity -= gone;
  lines = lines.filter((old) => old.quantity > 0);
  const one = product(id);
  act('RemovedFromBasket', {product: described(one, line.price_minor), quantity: gone});
  keep(say('removed', {name: nameOf(one)}));
}

export function clear() {
  for (const line of [...lines]) remove(line.id, line.quantity);
}

/** Empties the basket of an order that was paid, of which the till has told hotbasket. */
export function takeHome() {
  lines = [];
  keep('');
}

function described(one, price_minor) {
  const about = {product_id: one.id, category_id: one.category, price_minor, currency: 'EUR'};
  return one.brand ? {...about, brand: one.brand} : about;
}

function keep(spoken) {
  localStorage.setItem(key, JSON.stringify(lines));
  document.getElementById('spoken').textContent = spoken;
  tell();
}

function tell() {
  for (const fn of listeners) fn();
}
