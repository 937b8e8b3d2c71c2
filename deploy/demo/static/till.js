/**
 * The till: what the shop's own server takes off for promises that campaigns made, and the paid order, which it tells
 * hotbasket with its secret key. Nothing is asked without consent, since asking would say who is here.
 * @typedef {{experience_id: string, campaign_id: string, kind: string|null, amount_minor: number,
 *   reward?: {label?: string, product_id?: string}}} Deduction
 */
import {basket, total} from './basket.js';
import {rewardFor} from './rewards.js';
import {consented, shopper} from './session.js';
import {noteServer, now} from './wire.js';

const SOON_MS = 250;
const NAMES = {basket_tension: 'reward', gamified_promotion: 'prize'};
/** For which basket. */ let key = '';
/** @type {Deduction[]} */ let known = [];
let timer = 0;
const listeners = new Set();

/** @param {() => void} fn called when the till has answered */
export const onTill = (fn) => { listeners.add(fn); };
/** @returns {Deduction[]} for the basket as it is; none while the till has not answered */
export const deductions = () => (key === keyOf() ? known : []);
/** Under which word the shopper is told of a deduction. */
export const nameOfDeduction = ({kind}) => NAMES[kind] || 'offer';
/** What the shop promised without any campaign; not beside a reward that a campaign pays. */
export const ownReward = () => (deductions().some(({kind}) => kind === 'basket_tension') ? 0 : rewardFor(total()));
/** @returns {number} euro cents to pay */
export const toPay = () => Math.max(0, total() - ownReward() - deductions().reduce((sum, one) => sum + one.amount_minor, 0));

const linesOf = () => basket().map(({id, quantity, price_minor}) => ({product_id: id, quantity, price_minor}));
const keyOf = () => JSON.stringify(linesOf());
const ask = (path, body) => fetch(path, {
  method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({shopper_id: shopper, lines: linesOf(), ...body}),
});

/** Asks soon what may be taken off; a basket that changes again meanwhile is asked for once. */
export function askTill() {
  clearTimeout(timer);
  if (consented() !== 'granted' || !basket().length) return;
  timer = setTimeout(async () => {
    const asked = keyOf();
    try {
      const answer = await ask('/demo/quote', {});
      if (answer.ok) take(await answer.json(), asked);
    } catch { /* the server is away; paying asks again */ }
  }, SOON_MS);
}

function take({discounts}, asked) {
  key = asked;
  known = discounts;
  for (const fn of listeners) fn();
}

/**
 * Has the shop's server take a paid order.
 * @returns {Promise<'paid'|'changed'|'away'>} changed: it comes to another total, which is known now
 */
export async function payAtTill(order_id) {
  const sent = now();
  const asked = keyOf();
  try {
    const answer = await ask('/demo/order', {order_id, reward_minor: ownReward(), total_minor: toPay()});
    const body = await answer.json();
    if (answer.status === 409) { take(body.quote, asked); return 'changed'; }
    if (!answer.ok) return 'away';
    noteServer({event_id: body.event_id, type: 'OrderPaid', order_id, total_minor: body.total_minor}, sent);
    return 'paid';
  } catch { return 'away'; }
}
