/**
 * One campaign's card: its stage, its budget as a bar and over time, its counts, its uplift, and the button.
 * @typedef {{treated_mean: number, held_out_mean: number, effect: number, low: number|null, high: number|null}} Effect
 * @typedef {{state: 'measured'|'no_holdout'|'no_libraries'|'too_few', treated: number, held_out: number, needed: number,
 *   spend?: Effect, conversion?: Effect, trusted_from?: number|null, is_split_odd?: boolean}} Uplift
 * @typedef {{campaign_id: string, name: string, kind: string, stage: string, starts_at: string, ends_at: string,
 *   budget_minor: number|null, budget_count: number|null, reserved_minor: number, reserved_count: number,
 *   committed_minor: number, committed_count: number, holdout_ppm: number, shown: number, held_out: number,
 *   shoppers: number, shoppers_held_out: number, line: {ago_s: number, reserved: number, committed: number}[],
 *   uplift: Uplift}} Campaign
 */
import {date, many, money, number, say, share, signed} from './campaign_words.js';
import {el, svg} from './dom.js';

/** Stages from which something can be done, and what. */
const VERBS = {live: 'pause', scheduled: 'pause', paused: 'resume'};
const LINE = {width: 300, height: 44};

/**
 * @param {Campaign} first
 * @param {(campaign: Campaign, verb: string) => Promise<string>} move
 */
export function campaignCard(first, move) {
  const id = first.campaign_id;
  const stage = el('span.stage');
  const about = el('p.card-about');
  const button = el('button.move', {type: 'button', 'aria-describedby': `said-${id}`});
  const said = el('p.said', {id: `said-${id}`});
  const bar = el('div.bar', {role: 'img'}, el('span.bar-redeemed'), el('span.bar-reserved'));
  const amounts = el('ul.amounts');
  const line = el('figure.burn');
  const counts = el('dl.counts');
  const uplift = el('div.uplift');
  const title = el('h2', {id: `name-${id}`});
  const element = el('article.campaign', {'aria-labelledby': `name-${id}`, 'data-campaign': id},
    el('div.head', {}, el('div.head-text', {}, el('div.head-name', {}, title, stage), about), button),
    said, bar, amounts, line, counts, uplift);
  let now = first;
  let moving = false;
  button.addEventListener('click', async () => {
    const verb = VERBS[now.stage];
    if (moving || !verb) return;
    moving = true;
    button.setAttribute('aria-disabled', 'true');
    const words = await move(now, verb);
    moving = false;
    drawButton(words);
  });

  function drawButton(words = '') {
    const verb = VERBS[now.stage];
    button.hidden = !verb;
    if (verb) {
      button.textContent = say(verb);
      button.setAttribute('aria-label', say(`${verb}Of`, {name: now.name}));
    }
    button.setAttribute('aria-disabled', String(moving));
    if (words) said.textContent = words;
    else if (now.stage === 'paused') said.textContent = say('isPaused');
    else if (said.dataset.stage !== now.stage) said.textContent = '';
    said.dataset.stage = now.stage;
  }

  /** @param {Campaign} campaign */
  function draw(campaign) {
    now = campaign;
    title.textContent = campaign.name;
    stage.textContent = say(`stage_${campaign.stage}`);
    stage.className = `stage ${campaign.stage}`;
    about.textContent = [say(campaign.kind), say(campaign.stage === 'scheduled' ? 'from' : 'until',
      {date: date(campaign.stage === 'scheduled' ? campaign.starts_at : campaign.ends_at)}),
    campaign.holdout_ppm ? say('held', {share: share(campaign.holdout_ppm / 1e6)}) : ''].filter(Boolean).join(' · ');
    if (!moving) drawButton();
    drawBudget(campaign, bar, amounts);
    drawLine(campaign, line);
    drawCounts(campaign, counts);
    drawUplift(campaign.uplift, uplift);
  }
  return {element, draw};
}

/** In which unit a budget is kept, and how it is written. */
function unitOf({budget_minor: minor, budget_count: limit}) {
  if (minor !== null) return {total: minor, unit: 'minor', write: money};
  return {total: limit, unit: 'count', write: (count) => many('promises', count)};
}

/** @param {Campaign} campaign */
function drawBudget(campaign, bar, amounts) {
  const {total, unit, write} = unitOf(campaign);
  const redeemed = campaign[`committed_${unit}`];
  const reserved = campaign[`reserved_${unit}`];
  const whole = total === null ? Math.max(redeemed + reserved, 1) : total;
  const [first, second] = bar.children;
  first.style.setProperty('width', `${100 * redeemed / whole}%`);
  second.style.setProperty('width', `${100 * reserved / whole}%`);
  const left = total === null ? null : Math.max(0, total - redeemed - reserved);
  const parts = {redeemed: write(redeemed), reserved: write(reserved), left: left === null ? '' : write(left)};
  bar.setAttribute('aria-label', total === null ? say('barOpen', parts) : say('bar', {...parts, total: write(total)}));
  const short = unit === 'minor' ? money : number;
  amounts.replaceChildren(
    amount('redeemed', short(redeemed)), amount('reserved', short(reserved)),
    left === null ? el('li', {}, say('noBudget')) : amount('left', short(left), say('leftOf', {total: write(total)})));
}

const amount = (word, text, what = say(word)) => el('li', {}, el(`i.swatch.${word}`, {'aria-hidden': true}), el('b', {}, text), ` ${what}`);

/** What was redeemed, and above it what is reserved, over the last minutes. @param {Campaign} campaign */
function drawLine(campaign, figure) {
  const {write} = unitOf(campaign);
  const points = campaign.line;
  const change = points.length > 1 ? points.at(-1).committed - points[0].committed : 0;
  if (points.length < 2) { figure.replaceChildren(el('figcaption', {}, say('lineSoon'))); return; }
  const minutes = Math.max(1, Math.round(points[0].ago_s / 60));
  const low = Math.min(...points.map((one) => one.committed));
  const high = Math.max(...points.map((one) => one.committed + one.reserved), low + 1);
  const across = points[0].ago_s - points.at(-1).ago_s || 1;
  const at = (one, value) => [
    LINE.width * (points[0].ago_s - one.ago_s) / across,
    2 + (LINE.height - 4) * (1 - (value - low) / (high - low))].map((x) => x.toFixed(1)).join(',');
  const top = points.map((one) => at(one, one.committed + one.reserved));
  const under = points.map((one) => at(one, one.committed));
  const what = say('lineWhat', {minutes, first: write(points[0].committed), last: write(points.at(-1).committed),
    top: write(points.at(-1).committed + points.at(-1).reserved)});
  figure.replaceChildren(
    svg('svg', {viewBox: `0 0 ${LINE.width} ${LINE.height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': what},
      svg('polygon.burn-reserved', {points: [...top, ...[...under].reverse()].join(' ')}),
      svg('polyline.burn-redeemed', {points: under.join(' ')})),
    el('figcaption', {}, say('line', {minutes, more: write(change)})));
}

/** @param {Campaign} campaign */
function drawCounts(campaign, counts) {
  const row = (word, count, more) => el('div', {}, el('dt', {}, say(word)), el('dd', {}, el('b', {}, number(count)), more && el('span', {}, more)));
  counts.replaceChildren(
    row('shown', campaign.shown, many('shoppers', campaign.shoppers)),
    row('heldOut', campaign.held_out, many('shoppers', campaign.shoppers_held_out)),
    row('redeemedCount', campaign.committed_count, ''));
}

/** @param {Uplift} seen */
function drawUplift(seen, part) {
  const heading = el('h3', {}, say('uplift'));
  if (seen.state !== 'measured') {
    const parts = {treated: number(seen.treated), held_out: number(seen.held_out), needed: number(seen.needed)};
    part.replaceChildren(heading, el('p', {}, say(seen.state, parts)));
    return;
  }
  const points = (value) => number(100 * value, 1);
  part.replaceChildren(heading,
    ...(seen.is_split_odd ? [el('p.odd', {}, say('odd'))] : []),
    ...(seen.trusted_from > Math.min(seen.treated, seen.held_out) ? [el('p.odd', {}, say('uneven', {needed: number(seen.trusted_from)}))] : []),
    effect('spend', seen.spend, money, (value) => money(value)),
    effect('conversion', seen.conversion, share, points, (text) => say('points', {count: text})));
}

/**
 * One effect: the difference with its interval, and the means behind it.
 * @param {Effect} of
 */
function effect(word, of, mean, write, unit = (text) => text) {
  const text = (value) => signed(write(value), value);
  const means = say('against', {treated: mean(of.treated_mean), held_out: mean(of.held_out_mean)});
  if (of.low === null) return el('p.effect', {}, el('span', {}, say(word)), ' ', el('span', {}, means));
  const chance = of.low <= 0 && of.high >= 0;
  return el('p.effect', {'data-effect': word}, el('span.effect-name', {}, say(word)), ' ',
    el('b', {}, unit(text(of.effect))), ' ', el('span', {}, `(${say('interval', {low: text(of.low), high: text(of.high)})})`), ' ',
    el('small', {}, `${means}. ${say(chance ? 'chance' : 'sure')}`));
}
