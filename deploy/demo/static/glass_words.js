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
    generation: 'generation {generation}', newTree: 'new tree, generation {generation}', night: 'The night',
    nightRun: 'Run the night', nightAgain: 'Run it again', nightRunning: 'The cold half is at work.',
    nightWhat: 'Learns from all that was bought, and grows a new tree for every shopper.',
    nightDone: 'New trees are in force: generation {generation}.', nightFailed: 'The trees stay as they were:',
    nightPast: 'Thirty days of shopping are coming in: {done} of {of} events.',
    needs_batch: 'To run it here: pip install ‘hotbasket[batch]’ and a JDK 17 or 21.',
    needs_java: 'To run it here, install a JDK 17 or 21, and set JAVA_HOME or the PATH to it.',
    needs_java_version: 'The Java here is another one: install a JDK 17 or 21 and set JAVA_HOME to it.',
    step_cool: 'cool', step_train: 'train', step_evaluate: 'evaluate', step_grow: 'grow', step_push: 'push',
    state_waiting: 'waiting', state_running: 'running', state_done: 'done', state_failed: 'failed', state_skipped: 'done before',
    said_generation: 'generation {count}', said_trees: '{count} trees', said_events: '{count} events',
    said_rows_in: '{count} events', said_shoppers: '{count} shoppers',
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
    generation: 'génération {generation}', newTree: 'nouvel arbre, génération {generation}', night: 'La nuit',
    nightRun: 'Lancer la nuit', nightAgain: 'La relancer', nightRunning: 'La moitié froide est au travail.',
    nightWhat: 'Apprend de tous les achats et fait pousser un nouvel arbre pour chaque client.',
    nightDone: 'De nouveaux arbres sont en vigueur : génération {generation}.', nightFailed: 'Les arbres restent tels quels :',
    nightPast: 'Trente jours d’achats arrivent : {done} événements sur {of}.',
    needs_batch: 'Pour la lancer ici : pip install ‘hotbasket[batch]’ et un JDK 17 ou 21.',
    needs_java: 'Pour la lancer ici, installez un JDK 17 ou 21 et indiquez-le par JAVA_HOME ou le PATH.',
    needs_java_version: 'Ce Java est d’une autre version : installez un JDK 17 ou 21 et indiquez-le par JAVA_HOME.',
    step_cool: 'refroidir', step_train: 'apprendre', step_evaluate: 'évaluer', step_grow: 'faire pousser', step_push: 'publier',
    state_waiting: 'en attente', state_running: 'en cours', state_done: 'fait', state_failed: 'échec', state_skipped: 'déjà fait',
    said_generation: 'génération {count}', said_trees: '{count} arbres', said_events: '{count} événements',
    said_rows_in: '{count} événements', said_shoppers: '{count} clients',
  },
};

export const glassWord = (word, parts = {}) => WORDS[language][word].replace(/\{(\w+)\}/g, (_, name) => String(parts[name]));
export const glassHas = (word) => word in WORDS[language];
export const number = (value) => new Intl.NumberFormat(language).format(value);
const named = (id) => { const one = product(id) || shelf(id); return one ? nameOf(one) : id; };

const SOME = 3;

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

/** The first few of a list, and how many more. */
const some = (...lists) => {
  const all = lists.flatMap((list) => list || []);
  return [...all.slice(0, SOME), ...(all.length > SOME ? [`+${all.length - SOME}`] : [])].join(', ') || 'any';
};
const each = (joint) => ({of}) => of.map((part) => conditionText(part)).join(joint);

const SENTENCES = {
  all: each(' and '),
  any: each(' or '),
  none: (c) => `not ${each(', nor ')(c)}`,
  product: (c) => `product ${c.action}: ${some(c.product_ids, c.category_ids, c.brands)}`,
  event: (c) => `event is ${some(c.types)}`,
  page: (c) => `page is ${some(c.page_kinds, c.category_ids)}`,
  search: (c) => `searched ${some(c.terms)}`,
  in_basket: (c) => `in basket: ${some(c.product_ids, c.category_ids)} ${bounds(c.at_least, c.at_most)}`,
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
