/** What the campaigns' page says in its two languages. */
import {language, money} from './words.js';

const WORDS = {
  en: {
    skip: 'Skip to the campaigns', demo: 'demo', shop: 'Back to the shop', title: 'Campaigns',
    what: 'A tree proposes, a campaign pays: within its dates, its caps and its budget. The simulated shoppers spend these budgets while you look.',
    waiting: 'The campaigns begin when the shop’s past is told: {done} of {of} events.', none: 'No campaign yet: hotbasket campaign create FILE',
    away: 'The shop’s server does not answer. The figures are as of {time}.', live: 'Live, as of {time}',
    personalised_promotion: 'personalised promotion', basket_tension: 'basket tension', recommendation: 'recommendation',
    gamified_promotion: 'game',
    stage_draft: 'draft', stage_scheduled: 'scheduled', stage_live: 'live', stage_paused: 'paused', stage_ended: 'ended',
    until: 'until {date}', from: 'from {date}', held: '{share} held out',
    pause: 'Pause', resume: 'Resume', pauseOf: 'Pause {name}', resumeOf: 'Resume {name}',
    isPaused: 'Paused: it promises nothing more. What was promised is kept.', isLive: 'It promises again.', failed: 'That did not work: {why}',
    redeemed: 'redeemed', reserved: 'reserved', leftOf: 'left of {total}', noBudget: 'no limit', promises: '{count} promises', promises_one: '{count} promise',
    bar: 'Budget of {total}: {redeemed} redeemed, {reserved} reserved, {left} left',
    barOpen: 'No budget limit: {redeemed} redeemed, {reserved} reserved',
    line: 'Last {minutes} min: redeemed +{more}',
    lineWhat: 'In the last {minutes} min, redeemed went from {first} to {last}, and with what is reserved it is {top}.',
    lineSoon: 'The line begins in a moment.',
    shown: 'shown', heldOut: 'held out', redeemedCount: 'redeemed', shoppers: '{count} shoppers', shoppers_one: '{count} shopper', uplift: 'Uplift',
    no_holdout: 'Not measured: nobody is held out.',
    no_libraries: 'Not measured: pip install ‘hotbasket[batch]’ first.',
    too_few: 'Not measured yet: {treated} with it and {held_out} held out so far, and {needed} of each are needed.',
    spend: 'Paid in the first order', conversion: 'Bought what it promotes', interval: '95 % interval {low} to {high}',
    against: '{treated} with it, {held_out} without', chance: 'The interval contains 0: this may be chance.',
    odd: 'More or fewer are held out than chance explains: do not trust the figures.',
    points: '{count} points', uneven: 'So uneven that the interval of what was paid can be trusted from {needed} in each group on.', sure: 'The interval leaves 0 out.',
    about: 'Uplift here is a look, not a verdict: what shoppers paid at this till in their first order after they met the campaign, counted since {time}. The verdict is hotbasket batch uplift, once, when each shopper’s seven days are over.',
  },
  fr: {
    skip: 'Aller aux campagnes', demo: 'démo', shop: 'Retour au magasin', title: 'Campagnes',
    what: 'Un arbre propose, une campagne paie : dans ses dates, ses plafonds et son budget. Les clients simulés dépensent ces budgets sous vos yeux.',
    waiting: 'Les campagnes commencent quand le passé du magasin est raconté : {done} événements sur {of}.', none: 'Aucune campagne : hotbasket campaign create FICHIER',
    away: 'Le serveur du magasin ne répond pas. Chiffres de {time}.', live: 'En direct, à {time}',
    personalised_promotion: 'promotion personnalisée', basket_tension: 'tension de panier', recommendation: 'recommandation',
    gamified_promotion: 'jeu',
    stage_draft: 'brouillon', stage_scheduled: 'planifiée', stage_live: 'en cours', stage_paused: 'en pause', stage_ended: 'terminée',
    until: 'jusqu’au {date}', from: 'dès le {date}', held: '{share} de témoins',
    pause: 'Mettre en pause', resume: 'Reprendre', pauseOf: 'Mettre en pause {name}', resumeOf: 'Reprendre {name}',
    isPaused: 'En pause : elle ne promet plus rien. Ce qui fut promis est tenu.', isLive: 'Elle promet de nouveau.', failed: 'Cela n’a pas marché : {why}',
    redeemed: 'utilisé', reserved: 'réservé', leftOf: 'restant sur {total}', noBudget: 'sans limite', promises: '{count} promesses', promises_one: '{count} promesse',
    bar: 'Budget de {total} : {redeemed} utilisé, {reserved} réservé, {left} restant',
    barOpen: 'Budget sans limite : {redeemed} utilisé, {reserved} réservé',
    line: 'Depuis {minutes} min : +{more} utilisé',
    lineWhat: 'Depuis {minutes} min, l’utilisé est passé de {first} à {last}, et avec le réservé on est à {top}.',
    lineSoon: 'La courbe commence dans un instant.',
    shown: 'montrée', heldOut: 'témoins', redeemedCount: 'utilisée', shoppers: '{count} clients', shoppers_one: '{count} client', uplift: 'Effet',
    no_holdout: 'Non mesuré : il n’y a pas de témoins.',
    no_libraries: 'Non mesuré : d’abord pip install ‘hotbasket[batch]’.',
    too_few: 'Pas encore mesuré : {treated} clients avec et {held_out} témoins jusqu’ici, il en faut {needed} de chaque.',
    spend: 'Payé à la première commande', conversion: 'Ont acheté ce qu’elle promeut', interval: 'intervalle à 95 % de {low} à {high}',
    against: '{treated} avec, {held_out} sans', chance: 'L’intervalle contient 0 : ce peut être le hasard.',
    odd: 'Les témoins sont plus ou moins nombreux que le hasard ne l’explique : ne vous fiez pas aux chiffres.',
    points: '{count} points', uneven: 'Si inégal que l’intervalle du payé n’est fiable qu’à partir de {needed} par groupe.', sure: 'L’intervalle exclut 0.',
    about: 'L’effet est ici un aperçu, pas un verdict : ce que les clients ont payé à cette caisse à leur première commande après avoir rencontré la campagne, compté depuis {time}. Le verdict, c’est hotbasket batch uplift, une fois, quand les sept jours de chaque client sont passés.',
  },
};

/**
 * @param {string} word
 * @param {Object<string, string|number>} [parts] what stands for {name}
 */
export const say = (word, parts = {}) => WORDS[language][word].replace(/\{(\w+)\}/g, (_, name) => String(parts[name]));
const plural = new Intl.PluralRules(language);
/** So many of something, in the right number. @param {string} word with its singular under `word_one` */
export const many = (word, count) => say(plural.select(count) === 'one' ? `${word}_one` : word, {count: number(count)});
export const number = (value, decimals = 0) => new Intl.NumberFormat(language, {maximumFractionDigits: decimals}).format(value);
export const share = (value) => new Intl.NumberFormat(language, {style: 'percent', maximumFractionDigits: 1}).format(value);
export const date = (stamp) => new Date(stamp).toLocaleDateString(language === 'fr' ? 'fr-FR' : 'en-GB', {day: 'numeric', month: 'short', year: 'numeric'});
export const clock = (stamp) => new Date(stamp).toLocaleTimeString(language, {hour12: false});
/** A number with its sign, a minus as wide as a plus. */
export const signed = (text, value) => (value > 0 ? `+${text}` : text.replace('-', '−'));
export {language, money};
