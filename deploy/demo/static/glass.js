/**
 * The panel behind the glass: events as they leave, the basket and the tree as hotbasket knows them, each experience
 * with its milliseconds, and why. The shop works without it; it asks the shop's own server, never hotbasket.
 */
import {el} from './dom.js';
import {conditionText, fieldsOf, glassWord, number, seenText} from './glass_words.js';
import {nameOf, product} from './goods.js';
import {consented, onAct, shopper, space} from './session.js';
import {arriveAt, forgetTrail, openTrail, plant, settle, way} from './trail.js';
import {drawTree, lightTree} from './tree_view.js';
import {forgetWire, noteAction, now, onWire, page, sentEvent, wire} from './wire.js';
import {language, money} from './words.js';

const POLL_MS = 1000;
const SOON_MS = [60, 400, 1100];
const OPEN_KEY = 'demo.glass';
const ROWS = 12;

const panel = document.getElementById('glass');
const parts = Object.fromEntries(['state', 'events', 'basket', 'tree', 'experiences', 'why', 'crowd'].map((name) => [name, el(`div.glass-${name}`)]));
/** @type {{id: string, kind: string, slot: string, node: string, ms: number, note: string}[]} */ let arrivals = [];
/** Undefined until hotbasket was asked, null for nobody. */ let known;
let generation = -1;
let drawing = null;
const sum = el('span.glass-total');
let asking = false;

export function startGlass() {
  arrivals = stored('arrivals');
  openTrail(`${space()}.trail`);
  const section = (word, part, aside = null) => el('section', {'aria-labelledby': `glass-${word}`},
    el('h3', {id: `glass-${word}`}, el('span', {}, glassWord(word)), aside), part);
  panel.append(
    el('div.glass-head', {}, el('h2', {id: 'glass-title'}, glassWord('title')), parts.state),
    section('events', parts.events), section('basket', parts.basket, sum), section('tree', parts.tree),
    section('experiences', parts.experiences), section('why', parts.why), parts.crowd);
  for (const part of Object.values(parts)) if (part !== parts.tree) part.tabIndex = -1;
  startToggle();
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

function take({shopper: view, tree, crowd}) {
  known = view;
  if (tree) {
    generation = tree.generation;
    drawing = drawTree(tree);
    parts.tree.replaceChildren(drawing);
    plant(tree);
  }
  if (view && view.tree.node_id) settle(view);
  drawKnown();
  parts.crowd.textContent = glassWord('crowd', {...crowd, events: number(crowd.events), experiences: number(crowd.experiences)});
}

function drawKnown() {
  if (drawing) lightTree(drawing, way(), glassWord('node', {node: way().at(-1) || '–'}));
  const lines = known ? known.basket.lines : [];
  parts.basket.replaceChildren(...(lines.length ? [
    el('ul', {}, ...lines.map((line) => el('li', {}, el('span', {}, nameOf(product(line.product_id) || {name: {fr: line.product_id, en: line.product_id}})),
      ' ', el('b', {}, `× ${line.quantity}`)))),
  ] : [el('p.none', {}, known ? glassWord('empty') : known === null ? glassWord('unknown') : '–')]));
  sum.replaceChildren(...(known ? [el('b', {}, money(known.basket.total_minor)), known.as_of ? ` ${glassWord('asOf', {time: clock(known.as_of)})}` : ''] : []));
  drawWhy();
}
const clock = (stamp) => new Date(stamp).toLocaleTimeString(language, {hour12: false});

function drawWhy() {
  const told = known ? known.decisions : [];
  // Of what one event brought, the experience that says how the shopper came here.
  const decision = told.find((one) => one.trigger_event_id === told[0].trigger_event_id && one.path.length > 1) || told[0];
  if (!decision) { parts.why.replaceChildren(el('p.none', {}, glassWord('noWhy'))); return; }
  const {path, why, kind} = decision;
  parts.why.replaceChildren(
    el('p.path', {}, el(`i.dot.${kind}`), ...path.flatMap((id, at) => [at ? ' → ' : '', el(at === path.length - 1 ? 'b' : 'span', {}, id)])),
    el('ul', {}, ...(why.length ? [...why].sort((one, other) => other.held - one.held).map((one) => el(one.held ? 'li.held' : 'li', {},
      el('span', {}, conditionText(one.condition)), el('code', {}, seenText(one)))) : [el('li.held', {}, el('span', {}, glassWord('idle')))])));
}

// ---- what happens in this page

function drawState() {
  const consent = consented();
  if (consent !== 'granted') { drawing = null; generation = -1; parts.tree.replaceChildren(el('p.none', {}, glassWord('dark'))); }
  const word = consent === 'denied' ? 'denied' : consent !== 'granted' ? 'asked' : navigator.onLine ? 'online' : 'offline';
  parts.state.className = `glass-state ${word}`;
  parts.state.textContent = glassWord(word);
}

function drawEvents() {
  const rows = wire().slice(0, ROWS).map(({type, event, status, ms}) => el(`li.${status}`, {'data-status': status},
    el('b', {}, type), el('span', {}, about(event)), el('code', {}, status === 'stored' ? `${Math.max(1, Math.round(ms))} ms` : status)));
  parts.events.replaceChildren(rows.length ? el('ul', {}, ...rows) : el('p.none', {}, glassWord('noEvents')));
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
  const row = {id, kind, slot, node, ms: 0, note: !cause ? glassWord(Date.parse(experience.decided_at) < page ? 'earlier' : 'timer') : cause.page === page ? '' : glassWord('later')};
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

function drawExperiences() {
  const rows = arrivals.map(({kind, slot, node, ms, note}) => el('li', {'data-kind': kind}, el(`i.dot.${kind}`),
    el('b', {}, kind.replace('_', ' ')), el('span', {}, `${slot} · ${node}`), el('code', {}, note || `${Math.max(1, Math.round(ms))} ms`)));
  parts.experiences.replaceChildren(rows.length ? el('ul', {}, ...rows) : el('p.none', {}, glassWord('noExperiences')));
}
