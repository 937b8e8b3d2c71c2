/**
 * What a basket tension promised that no campaign pays: the shop keeps its word at the checkout, after the tension has
 * left the page. What a campaign promised, the till knows.
 */
import {space} from './session.js';

const key = () => `${space()}.reward`;

/** Remembers the promise of a basket tension. */
export function promise({content, campaign_id}) {
  if (campaign_id) { forgetReward(); return; }
  const {threshold_minor, reward} = content;
  if (reward.type === 'amount') localStorage.setItem(key(), JSON.stringify({threshold_minor, value_minor: reward.value_minor}));
}

/** @returns {number} euro cents off a basket of this total */
export function rewardFor(total) {
  const {threshold_minor, value_minor} = JSON.parse(localStorage.getItem(key()) || '{}');
  return threshold_minor && total >= threshold_minor ? Math.min(value_minor, total) : 0;
}

export const forgetReward = () => localStorage.removeItem(key());
