/**
 * The night, in the panel: a button that starts the cold half's nightly, and how far it is. The shop's own server runs it.
 * @typedef {{name: string, state: 'waiting'|'running'|'done'|'failed'|'skipped', seconds: number|null,
 *   said: Object<string, number|string|boolean>}} Step
 * @typedef {{available: boolean, needs: string|null, why_not: string|null, past: {done: number, of: number},
 *   running: boolean, step: string|null, done: number, of: number, steps: Step[], generation: number|null,
 *   error: string|null}} Night
 */
import {el} from './dom.js';
import {glassHas, glassWord, number} from './glass_words.js';

const POLL_MS = 1000;
/** While nothing happens every fifth poll asks: another tab may have started one. */ const REST = 5;
const MARKS = {waiting: '·', running: '◌', done: '✓', failed: '×', skipped: '–'};
/** What a step says that is worth a word, the best first. */
const FACTS = ['generation', 'trees', 'events', 'rows_in', 'shoppers'];

/** @type {Night|null} */ let night = null;
let rested = 0;
let spokenState = '';
const run = el('button.night-run', {type: 'button', 'aria-describedby': 'night-text', 'aria-disabled': 'true', onclick: start});
const text = el('p.night-text', {id: 'night-text'});
const bar = el('progress.night-bar', {max: 1, value: 0, hidden: true, 'aria-label': glassWord('nightRunning')});
const steps = el('ol.night-steps', {hidden: true});
const spoken = el('span.unseen', {role: 'status', 'aria-live': 'polite'});

/** @returns {HTMLElement} the card, which keeps itself up to date */
export function nightCard() {
  setInterval(poll, POLL_MS);
  draw();
  poll();
  return el('div.glass-night', {}, el('div.night-row', {}, run, text), bar, steps, spoken);
}

/** Says something to those who do not see the panel. */
export function announce(words) { spoken.textContent = words; }

const busy = () => !night || night.running || night.past.done < night.past.of || !night.past.of;
const ready = () => Boolean(night && night.available && !busy());

function poll() {
  const open = document.body.classList.contains('glass-open') && document.visibilityState === 'visible';
  rested = busy() ? 0 : (rested + 1) % REST;
  if (open && navigator.onLine && !rested) ask();
}

async function ask(options) {
  try {
    const answer = await fetch('/demo/night', options);
    if (answer.ok) { night = await answer.json(); draw(); } else if (options) ask();
  } catch { /* the server is away; the next poll tells */ }
}

function start() {
  if (ready()) ask({method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'});
}

function draw() {
  const ran = Boolean(night && (night.running || night.steps.some(({state}) => state !== 'waiting')));
  run.textContent = glassWord(ran && !night.running ? 'nightAgain' : 'nightRun');
  run.setAttribute('aria-disabled', String(!ready()));
  text.replaceChildren(...sentence());
  text.className = `night-text${night && night.error && !night.running ? ' failed' : ''}`;
  bar.hidden = !(night && night.running);
  if (night && night.of) { bar.max = night.of; bar.value = night.done; } else bar.removeAttribute('value');
  steps.hidden = !ran;
  if (ran) steps.replaceChildren(...night.steps.map(stepItem));
  speak();
}

/** The one sentence beside the button. */
function sentence() {
  if (!night) return [];
  if (night.running) return [glassWord('nightRunning')];
  if (!night.available) return [glassHas(`needs_${night.needs}`) ? glassWord(`needs_${night.needs}`) : night.why_not];
  if (night.error) return [`${glassWord('nightFailed')} `, el('span', {lang: 'en'}, night.error)];
  if (night.past.done < night.past.of) {
    return [glassWord('nightPast', {done: number(night.past.done), of: number(night.past.of)})];
  }
  return [night.generation ? glassWord('nightDone', {generation: night.generation}) : glassWord('nightWhat')];
}

/** @param {Step} step */
function stepItem({name, state, seconds, said}) {
  const fact = FACTS.find((one) => typeof said[one] === 'number');
  const counted = state === 'running' && night.of ? `${number(night.done)}/${number(night.of)}` : '';
  const took = seconds === null ? '' : `${number(Math.round(seconds * 10) / 10)} s`;
  const result = fact ? glassWord(`said_${fact}`, {count: number(said[fact])}) : took;
  return el(`li.${state}`, {'data-step': name, title: took || null},
    el('i', {'aria-hidden': 'true'}, MARKS[state]), ' ', el('b', {}, glassWord(`step_${name}`)),
    el('span.unseen', {}, ` ${glassWord(`state_${state}`)}`), ' ', el('span', {}, state === 'done' ? result : counted));
}

/** Tells what changed, and not each count. */
function speak() {
  if (!night) return;
  const state = `${night.running} ${night.step} ${night.error} ${night.generation}`;
  if (state === spokenState) return;
  const first = !spokenState;
  spokenState = state;
  if (first && !night.running) return;
  announce(night.running && night.step ? glassWord(`step_${night.step}`) : text.textContent);
}
