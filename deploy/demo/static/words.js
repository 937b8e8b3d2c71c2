/**
 * What the shop says in its two languages, and how it writes money.
 * @typedef {'fr'|'en'} Language
 */
const LANGUAGE_KEY = 'demo.language';

/** @type {Object<Language, Object<string, string>>} */
const WORDS = {
  en: {
    skip: 'Skip to the shelves', demo: 'demo', youAre: 'You are', privacy: 'Privacy', behind: 'Behind the glass',
    searchLabel: 'Search the shop', searchHint: 'Search: penne, wine, apéro…', forYou: 'For you', aisles: 'Aisles',
    foot: 'An invented shop with invented goods. Nothing is sold, nobody is followed: it shows what hotbasket does.',
    guest: 'New visitor – no history', basket: 'Basket', basketOf: 'Basket, {count} products, {total}',
    heroTitle: 'What shall we cook tonight?', heroText: 'Put pasta in your basket and see what the shop remembers about you.',
    heroPasta: 'Start with pasta', heroWine: 'Open a bottle', heroCoffee: 'A coffee first',
    dinner: 'Tonight’s dinner', market: 'From the market', apero: 'For the table', morning: 'For the morning',
    seeAll: 'See all', products: '{count} products', add: 'Add', addOf: 'Add {name} to the basket',
    more: 'One more {name}', less: 'One less {name}', remove: 'Remove {name}', quantity: '{count} in the basket',
    results: '“{query}”', noResults: 'Nothing on our shelves is called that. Try penne, pesto or coffee.',
    alsoHere: 'From the same shelf', about: 'Invented for this shop, drawn by hand, and always in stock.',
    close: 'Close', emptyBasket: 'Your basket is empty.', emptyHint: 'Pasta is a good beginning.',
    total: 'Total', reward: 'Reward', offer: 'Your offer', prize: 'Your prize', atTill: '−{percent} % at the till', toPay: 'To pay', checkout: 'Check out', clear: 'Empty the basket',
    checkoutTitle: 'Check out', checkoutText: 'A pretend order: no address, no card, no e-mail.',
    pay: 'Pay {total}', backToShop: 'Back to the shelves', thanksTitle: 'Thank you!',
    thanksText: 'Order {order} is paid. You are back at the start of your tree.', notFound: 'There is no such page.',
    consentTitle: 'May the shop learn from this visit?',
    consentText: 'Your actions would go to hotbasket under a technical number, to show you what suits you. Without your consent nothing leaves this page.',
    allow: 'Yes, personalise', deny: 'No, thank you', added: '{name} is in the basket', removed: '{name} is out of the basket',
    billChanged: 'The total has changed meanwhile. Please look again, and pay.', notPaid: 'The till does not answer. Nothing was paid: try again.',
    campaigns: 'Campaigns', before: 'before', broken: 'The shop could not be loaded. Is hotbasket running?',
  },
  fr: {
    skip: 'Aller aux rayons', demo: 'démo', youAre: 'Vous êtes', privacy: 'Vie privée', behind: 'Derrière la vitre',
    searchLabel: 'Chercher dans le magasin', searchHint: 'Chercher : penne, vin, apéro…', forYou: 'Pour vous', aisles: 'Rayons',
    foot: 'Un magasin inventé, des produits inventés. Rien n’est vendu, personne n’est suivi : on y voit ce que fait hotbasket.',
    guest: 'Nouveau visiteur – sans historique', basket: 'Panier', basketOf: 'Panier, {count} produits, {total}',
    heroTitle: 'On cuisine quoi ce soir ?', heroText: 'Mettez des pâtes dans votre panier et voyez ce dont le magasin se souvient.',
    heroPasta: 'Commencer par des pâtes', heroWine: 'Ouvrir une bouteille', heroCoffee: 'D’abord un café',
    dinner: 'Le dîner de ce soir', market: 'Du marché', apero: 'Pour la table', morning: 'Pour le matin',
    seeAll: 'Tout voir', products: '{count} produits', add: 'Ajouter', addOf: 'Ajouter {name} au panier',
    more: 'Un {name} de plus', less: 'Un {name} de moins', remove: 'Retirer {name}', quantity: '{count} dans le panier',
    results: '« {query} »', noResults: 'Rien de tel dans nos rayons. Essayez penne, pesto ou café.',
    alsoHere: 'Dans le même rayon', about: 'Inventé pour ce magasin, dessiné à la main et toujours en stock.',
    close: 'Fermer', emptyBasket: 'Votre panier est vide.', emptyHint: 'Des pâtes, pour bien commencer ?',
    total: 'Total', reward: 'Récompense', offer: 'Votre offre', prize: 'Votre gain', atTill: '−{percent} % en caisse', toPay: 'À payer', checkout: 'Passer en caisse', clear: 'Vider le panier',
    checkoutTitle: 'En caisse', checkoutText: 'Une commande pour de faux : ni adresse, ni carte, ni e-mail.',
    pay: 'Payer {total}', backToShop: 'Retour aux rayons', thanksTitle: 'Merci !',
    thanksText: 'La commande {order} est payée. Vous revoilà au départ de votre arbre.', notFound: 'Cette page n’existe pas.',
    consentTitle: 'Le magasin peut-il apprendre de cette visite ?',
    consentText: 'Vos actions iraient à hotbasket sous un numéro technique, pour vous montrer ce qui vous convient. Sans votre accord, rien ne quitte cette page.',
    allow: 'Oui, personnaliser', deny: 'Non merci', added: '{name} est dans le panier', removed: '{name} n’est plus dans le panier',
    billChanged: 'Le total a changé entre-temps. Regardez de nouveau, puis payez.', notPaid: 'La caisse ne répond pas. Rien n’est payé : réessayez.',
    campaigns: 'Campagnes', before: 'avant', broken: 'Le magasin n’a pas pu être chargé. hotbasket tourne-t-il ?',
  },
};

/** Reasons in the trees are English; a French page says them in French. */
const REASONS = {
  'your usual with pasta': 'votre habitude avec les pâtes', 'popular with pasta': 'apprécié avec les pâtes',
  'also good with pasta': 'bon aussi avec les pâtes', 'for your next basket': 'pour votre prochain panier',
  'good with wine': 'se marie bien avec le vin', 'good with a hot drink': 'avec une boisson chaude',
  'goes with your sauce': 'va avec votre sauce', 'a favourite of yours': 'un de vos préférés',
  'a favourite': 'un préféré du magasin', 'did you forget it?': 'rien oublié ?', 'chosen for you': 'choisi pour vous',
  'a treat to share': 'une douceur à partager', 'you often buy this': 'vous l’achetez souvent', 'popular here': 'apprécié ici',
};
/** Reasons of grown trees, which name a shelf by its id in words. */
const GROWN = {'goes with {shelf}': 'va avec : {shelf}', 'your usual {shelf}': 'votre habitude : {shelf}', '{shelf} today?': 'et côté {shelf} ?'};

/** @type {Language} */
export const language = chosen();

function chosen() {
  const stored = localStorage.getItem(LANGUAGE_KEY);
  if (stored === 'fr' || stored === 'en') return stored;
  return navigator.language.toLowerCase().startsWith('fr') ? 'fr' : 'en';
}

/** @param {Language} wanted takes effect as the page comes back */
export function choose(wanted) {
  localStorage.setItem(LANGUAGE_KEY, wanted);
  location.reload();
}

/**
 * @param {string} word
 * @param {Object<string, string|number>} [parts] what stands for {name}
 */
export function say(word, parts = {}) {
  return WORDS[language][word].replace(/\{(\w+)\}/g, (_, name) => String(parts[name]));
}

/**
 * For the widgets: reasons of the trees in the page's language.
 * @param {import('./goods.js').Category[]} shelves
 */
export function reasons(shelves) {
  if (language !== 'fr') return {};
  const grown = shelves.flatMap(({id, name}) => Object.entries(GROWN).map(([en, fr]) => (
    [en.replace('{shelf}', id.replace(/[-_]/g, ' ')), fr.replace('{shelf}', name.fr.toLowerCase())])));
  return {...Object.fromEntries(grown), ...REASONS};
}

const euros = new Intl.NumberFormat(language === 'fr' ? 'fr-FR' : 'en-IE', {style: 'currency', currency: 'EUR'});
/** @param {number} minor euro cents */
export const money = (minor) => euros.format(minor / 100);

/** Case and accents folded, as hotbasket folds search terms. */
export const folded = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
