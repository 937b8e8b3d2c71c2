/**
 * The panel behind the glass: events as they leave, the basket and the tree as hotbasket knows them, each experience
 * with its milliseconds, and why. The shop works without it; it asks the shop's own server, never hotbasket.
 */
import {el} from './dom.js';
import {conditionText, fieldsOf, glassWord, number, seenText} from './glass_words.js';
import {nameOf, product} from './goods.js';
import {announce, nightCard} from './night.js';
import {consented, onAct, shopper, space} from './session.js';
import {arriveAt, forgetTrail, openTrail, plant, settle, way} from './trail.js';
import {drawTree, lightTree} from './tree_view.js';
import {forgetWire, noteAction, now, onWire, page, sentEvent, wire} from './wire.js';
import {language, money} from './words.js';

const POLL_MS = 1000;
const SOON_MS = [60, 400, 1100];
const OPEN_KEY = 'demo.glass';
const ROWS = 12;
/** Of a panel that is not open yet, pixels. */ const ROOM = 396;

const panel = document.getElementById('glass');
const PARTS = ['state', 'events', 'basket', 'tree', 'experiences', 'why', 'crowd'];
const parts = Object.fromEntries(PARTS.map((name) => [name, el(`div.glass-${name}`)]));
/** @type {{id: string, kind: string, slot: string, node: string, ms: number, note: string}[]} */ let arrivals = [];
/** Undefined until hotbasket was asked, null for nobody. */ let known;
let generation = -1;
/** @type {import('./tree_view.js').Tree|null} */ let tree = null;
let drawing = null;
let room = 0;
const sum = el('span.glass-total');
const note = el('span.glass-generation');
let asking = false;

export function startGlass() {
  arrivals = stored('arrivals');
  openTrail(`${space()}.trail`);
  const section = (word, part, aside = null) => el('section', {'aria-labelledby': `glass-${word}`},
    el('h3', {id: `glass-${word}`}, el('span', {}, glassWord(word)), aside), part);
  panel.append(
    el('div.glass-head', {}, el('h2', {id: 'glass-title'}, glassWord('title')), parts.state),
    section('events', parts.events), section('basket', parts.basket, sum), section('tree', parts.tree, note),
    section('experiences', parts.experiences), section('why', parts.why), section('night', nightCard()), parts.crowd);
  startToggle();
  new ResizeObserver(() => requestAnimationFrame(redrawTree)).observe(parts.tree);
  onAct((event) => noteAction(event, consented() === 'granted' ? 'waiting' : 'held'));
  onWire((settled) => { drawEvents(); if (settled) askSoon(); });
  window.hotbasket.on('experience', (experience) => { arrived(experience); return false; });
  for (const change of ['online', 'offline']) window.addEventListener(change, drawState);
  setInterval(ask, POLL_MS);
  drawGlass();
}

/** Draws everything again; consent may have changed. */
export function drawGlass() {
  if (consented() === 'denied') { arrivals = []; known = undefined; keep(); forgetTrail(); forgetWire(); }
  drawState();
  drawEvents();
  drawExperiences();
  drawKnown();
  askSoon();
}

function startToggle() {
  const toggle = document.getElementById('glass-toggle');
  const apply = (open) => {
    document.body.classList.toggle('glass-open', open);
    toggle.setAttribute('aria-expanded', String(open));
  };
  const wide = matchMedia('(min-width: 1100px)').matches;
  apply(wide && localStorage.getItem(OPEN_KEY) !== 'closed');
  toggle.addEventListener('click', () => {
    const open = !document.body.classList.contains('glass-open');
    localStorage.setItem(OPEN_KEY, open ? 'open' : 'closed');
    apply(open);
    askSoon();
  });
}

function stored(name) { return JSON.parse(sessionStorage.getItem(`${space()}.${name}`) || '[]'); }
function keep() {
  sessionStorage.setItem(`${space()}.arrivals`, JSON.stringify(arrivals));
}

// ---- what hotbasket knows

function askSoon() {
  for (const ms of SOON_MS) setTimeout(ask, ms);
}

async function ask() {
  const open = document.body.classList.contains('glass-open') && document.visibilityState === 'visible';
  if (asking || !open || consented() !== 'granted' || !navigator.onLine) return;
  asking = true;
  try {
    const query = new URLSearchParams({shopper, generation: String(generation)});
    const answer = await fetch(`/demo/glass?${query}`);
    if (answer.ok) take(await answer.json());
  } catch { /* the server is away; the next poll tells */ } finally { asking = false; }
}

function take({shopper: view, tree: grown, crowd}) {
  if (consented() !== 'granted') return;
  known = view;
  if (grown) takeTree(grown);
  if (view && view.tree.node_id) settle(view);
  drawKnown();
  const counts = {...crowd, events: number(crowd.events), experiences: number(crowd.experiences)};
  parts.crowd.textContent = glassWord('crowd', counts);
}

function takeTree(grown) {
  const isNew = generation > 0;
  ({generation} = grown);
  tree = grown;
  plant(tree);
  room = 0;
  redrawTree();
  note.textContent = glassWord(isNew ? 'newTree' : 'generation', {generation});
  note.classList.toggle('fresh', isNew);
  if (isNew) announce(note.textContent);
}

/** Draws the tree as wide as the panel is now. */
function redrawTree() {
  const wanted = parts.tree.clientWidth || room || ROOM;
  if (!tree || wanted === room) return;
  room = wanted;
  drawing = drawTree(tree, room);
  parts.tree.replaceChildren(drawing);
  if (drawing.classList.contains('tall')) parts.tree.setAttribute('tabindex', '0'); else parts.tree.removeAttribute('tabindex');
  drawKnown();
}

const nothing = (word) => el('p.none', {}, word);
/** Shows rows, or a word where there are none. */
const list = (part, rows, word) => part.replaceChildren(rows.length ? el('ul', {}, ...rows) : nothing(word));
const clock = (stamp) => new Date(stamp).toLocaleTimeString(language, {hour12: false});

function drawKnown() {
  if (drawing) lightTree(drawing, way(), glassWord('node', {node: way().at(-1) || '–'}));
  const rows = (known ? known.basket.lines : []).map(({product_id: id, quantity}) => {
    const one = product(id);
    return el('li', {}, el('span', {}, one ? nameOf(one) : id), ' ', el('b', {}, `× ${quantity}`));
  });
  list(parts.basket, rows, known ? glassWord('empty') : known === null ? glassWord('unknown') : '–');
  sum.replaceChildren();
  if (known) sum.append(el('b', {}, money(known.basket.total_minor)));
  if (known && known.as_of) sum.append(` ${glassWord('asOf', {time: clock(known.as_of)})}`);
  drawWhy(known ? known.decisions : []);
}

/** Of what the newest event brought, the experience that says how the shopper came here. */
function drawWhy(told) {
  const newest = told.filter((one) => one.trigger_event_id === told[0].trigger_event_id);
  const decision = newest.find((one) => one.path.length > 1) || newest[0];
  if (!decision) { parts.why.replaceChildren(nothing(glassWord('noWhy'))); return; }
  const {path, why, kind} = decision;
  const steps = path.flatMap((id, at) => [at ? ' → ' : '', el(at === path.length - 1 ? 'b' : 'span', {}, id)]);
  const rows = [...why].sort((one, other) => other.held - one.held).map((one) => el(one.held ? 'li.held' : 'li', {},
    el('span', {}, conditionText(one.condition)), el('code', {}, seenText(one))));
  if (!rows.length) rows.push(el('li.held', {}, el('span', {}, glassWord('idle'))));
  parts.why.replaceChildren(el('p.path', {}, el(`i.dot.${kind}`), ...steps), el('ul', {}, ...rows));
}

// ---- what happens in this page

function drawState() {
  const consent = consented();
  if (consent !== 'granted') {
    tree = drawing = null;
    generation = -1;
    note.textContent = '';
    parts.tree.replaceChildren(nothing(glassWord('dark')));
  }
  const unsaid = consent === 'denied' ? 'denied' : 'asked';
  const word = consent !== 'granted' ? unsaid : navigator.onLine ? 'online' : 'offline';
  parts.state.className = `glass-state ${word}`;
  parts.state.textContent = glassWord(word);
}

const inMs = (ms) => `${Math.max(1, Math.round(ms))} ms`;

function drawEvents() {
  const rows = wire().slice(0, ROWS).map(({type, event, status, ms}) => el(`li.${status}`, {'data-status': status},
    el('b', {}, type), el('span', {}, about(event)), el('code', {}, status === 'stored' ? inMs(ms) : status)));
  list(parts.events, rows, glassWord('noEvents'));
}

/** What matters of an event; an experience by what it is rather than by its id. */
function about(event) {
  const meant = arrivals.find((one) => one.id === event.experience_id);
  return meant ? `${meant.kind.replace('_', ' ')} · ${meant.node}` : fieldsOf(event);
}

function arrived(experience) {
  const {experience_id: id, kind, slot, node_id: node, trigger_event_id: trigger} = experience;
  if (arrivals.some((one) => one.id === id)) return;
  const cause = sentEvent(trigger);
  const row = {id, kind, slot, node, ms: 0, note: noteOf(cause, experience)};
  arrivals = [row, ...arrivals].slice(0, ROWS);
  arriveAt(experience);
  requestAnimationFrame(() => {
    if (cause) row.ms = now() - cause.sent;
    keep();
    drawExperiences();
    drawKnown();
    askSoon();
  });
}

/** What stands in place of milliseconds where they would say nothing about hotbasket. */
function noteOf(cause, {decided_at}) {
  if (!cause) return glassWord(Date.parse(decided_at) < page ? 'earlier' : 'timer');
  return cause.page === page ? '' : glassWord('later');
}

function drawExperiences() {
  const rows = arrivals.map(({kind, slot, node, ms, note}) => el('li', {'data-kind': kind}, el(`i.dot.${kind}`),
    el('b', {}, kind.replace('_', ' ')), el('span', {}, `${slot} · ${node}`), el('code', {}, note || inMs(ms))));
  list(parts.experiences, rows, glassWord('noExperiences'));
}
