/**
 * The campaigns' page: asks the shop's own server every few seconds, and draws what it says. Never asks hotbasket.
 * @typedef {import('./campaign_card.js').Campaign} Campaign
 */
import {campaignCard} from './campaign_card.js';
import {clock, language, number, say} from './campaign_words.js';
import {choose} from './words.js';

const POLL_MS = 2000;
const list = document.getElementById('campaigns');
const state = document.getElementById('state');
/** Cards by campaign, kept while the page lives so that the focus stays. @type {Map<string, ReturnType<campaignCard>>} */
const cards = new Map();
const spoken = document.getElementById('spoken');
let asOf = '–';
let told = '';
let asking = false;

start();

function start() {
  document.documentElement.lang = language;
  document.title = `${say('title')} · La Petite Halle`;
  for (const element of document.querySelectorAll('[data-say]')) element.textContent = say(element.dataset.say);
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.dataset.language === language));
    button.addEventListener('click', () => choose(button.dataset.language));
  }
  setInterval(() => { if (document.visibilityState === 'visible') ask(); }, POLL_MS);
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') ask(); });
  ask();
}

async function ask() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch('/demo/campaigns/now');
    if (answer.ok) draw(await answer.json()); else isAway();
  } catch { isAway(); } finally { asking = false; }
}

function isAway() {
  tell('away', {time: asOf});
  document.body.dataset.ready = 'yes';
}

/** @param {{campaigns: Campaign[], past: {done: number, of: number}, is_told: boolean, since_ms: number, now_ms: number}} seen */
function draw(seen) {
  asOf = clock(seen.now_ms);
  for (const [id, card] of cards) {
    if (!seen.campaigns.some((one) => one.campaign_id === id)) { card.element.remove(); cards.delete(id); }
  }
  for (const campaign of seen.campaigns) {
    if (!cards.has(campaign.campaign_id)) {
      const card = campaignCard(campaign, move);
      cards.set(campaign.campaign_id, card);
      list.append(card.element);
    }
    cards.get(campaign.campaign_id).draw(campaign);
  }
  const {done, of} = seen.past;
  if (!seen.is_told) tell('waiting', {done: number(done), of: of ? number(of) : '…'});
  else tell(seen.campaigns.length ? 'live' : 'none', {time: asOf});
  document.getElementById('about').textContent = say('about', {time: clock(seen.since_ms)});
  document.body.dataset.ready = 'yes';
}

/** Shows how it stands; says it aloud only when that is news, and not each second. */
function tell(word, parts) {
  state.textContent = say(word, parts);
  if (told && told !== word) spoken.textContent = state.textContent;
  told = word;
}

/**
 * Pauses a campaign or goes on with it.
 * @param {Campaign} campaign
 * @param {'pause'|'resume'} verb
 */
async function move(campaign, verb) {
  let why = '';
  try {
    const path = `/demo/campaigns/${encodeURIComponent(campaign.campaign_id)}/${verb}`;
    const answer = await fetch(path, {method: 'POST', headers: {'content-type': 'application/json'}});
    if (!answer.ok) { const {detail, error} = await answer.json(); why = detail || error; }
  } catch (fault) { why = String(fault.message || fault); }
  const words = why ? say('failed', {why}) : say(verb === 'pause' ? 'isPaused' : 'isLive');
  spoken.textContent = `${campaign.name}: ${words}`;
  await ask();
  return words;
}
