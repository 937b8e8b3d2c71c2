/** What the panel says: its titles in two languages, and events, conditions and what they saw in short lines. */
import {nameOf, product, shelf} from './goods.js';
import {language, money} from './words.js';

const WORDS = {
  en: {
    title: 'Behind the glass', events: 'Events as they leave', basket: 'Basket as hotbasket knows it', tree: 'This shopper’s tree',
    experiences: 'Experiences, from event to page', why: 'Why', empty: 'empty', noEvents: 'No event has left yet.',
    noExperiences: 'None yet. Put pasta in the basket.', noWhy: 'No decision yet.', asked: 'waiting for your consent',
    denied: 'no consent: nothing leaves', offline: 'offline: events wait here', online: 'live',
    unknown: 'no checkpoint of this shopper yet', crowd: '{shoppers} simulated shoppers · {events} events · {experiences} experiences · median {median} ms',
    timer: 'idle timer', earlier: 'earlier', later: 'next page', node: 'at node {node}', asOf: 'as of {time}', idle: 'the shopper was idle', dark: 'Without your consent nothing leaves, and there is nothing to see here.',
  },
  fr: {
    title: 'Derrière la vitre', events: 'Les événements qui partent', basket: 'Le panier vu par hotbasket', tree: 'L’arbre de ce client',
    experiences: 'Expériences, de l’événement à la page', why: 'Pourquoi', empty: 'vide', noEvents: 'Aucun événement n’est parti.',
    noExperiences: 'Aucune. Mettez des pâtes dans le panier.', noWhy: 'Pas encore de décision.',
    asked: 'en attente de votre accord', denied: 'sans accord, rien ne part',
    offline: 'hors ligne : les événements attendent ici', online: 'en direct', unknown: 'pas encore de point de contrôle de ce client',
    crowd: '{shoppers} clients simulés · {events} événements · {experiences} expériences · médiane {median} ms',
    timer: 'minuterie', earlier: 'déjà là', later: 'page suivante', node: 'au nœud {node}', asOf: 'à {time}', idle: 'le client ne faisait rien',
    dark: 'Sans votre accord rien ne part, et il n’y a rien à voir ici.',
  },
};

export const glassWord = (word, parts = {}) => WORDS[language][word].replace(/\{(\w+)\}/g, (_, name) => String(parts[name]));
export const number = (value) => new Intl.NumberFormat(language).format(value);
const named = (id) => { const one = product(id) || shelf(id); return one ? nameOf(one) : id; };

/** The fields of an event that matter. */
export function fieldsOf({page, product: bought, quantity, query, target, order_id, total_minor, experience_id}) {
  if (bought) return `${named(bought.product_id)} × ${quantity}`;
  if (page) return [page.kind, page.product_id || page.category_id].filter(Boolean).join(' · ');
  if (query !== undefined) return `“${query}”`;
  if (order_id) return `${order_id} · ${money(total_minor || 0)}`;
  return target || experience_id || '';
}

const bounds = (low, high, write = String) => [low !== undefined && `≥ ${write(low)}`, high !== undefined && `≤ ${write(high)}`]
  .filter(Boolean).join(', ');

const SENTENCES = {
  product: (c) => `product ${c.action}: ${[...(c.product_ids || []), ...(c.category_ids || []), ...(c.brands || [])].join(', ') || 'any'}`,
  event: (c) => `event is ${c.types.join(' or ')}`,
  page: (c) => `page is ${[...(c.page_kinds || []), ...(c.category_ids || [])].join(' or ')}`,
  search: (c) => `searched ${c.terms.join(' or ')}`,
  in_basket: (c) => `in basket: ${[...(c.product_ids || []), ...(c.category_ids || [])].join(', ')} ${bounds(c.at_least, c.at_most)}`,
  basket_total: (c) => `basket total ${bounds(c.at_least_minor, c.at_most_minor, money)}`,
  basket_lines: (c) => `basket lines ${bounds(c.at_least, c.at_most)}`,
  visits: (c) => `visits ${bounds(c.at_least, c.at_most)}`,
  order: (c) => `last order is ${c.states.join(' or ')}`,
  score: (c) => `score ${bounds(c.at_least)}`,
};

/** A condition of a tree in one line. */
export const conditionText = (condition) => (SENTENCES[condition.kind] || JSON.stringify)(condition);

/** What a condition saw, short. */
export function seenText({condition, seen}) {
  if (seen === null || seen === undefined) return '–';
  if (condition.kind === 'basket_total') return money(Number(seen));
  if (typeof seen === 'number') return number(Math.round(seen * 100) / 100);
  if (typeof seen !== 'object') return String(seen);
  const flat = (value) => (value && typeof value === 'object' ? Object.values(value).map(flat).filter(Boolean).join(' ') : String(value ?? ''));
  return flat(seen).slice(0, 60);
}
