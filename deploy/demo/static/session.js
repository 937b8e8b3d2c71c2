/**
 * Who shops, what was consented, and the tracker: the one file of the shop that talks to hotbasket, by its public API.
 * @typedef {{id: string, title: Object<string, string>}} Persona
 */
const PERSONA_KEY = 'demo.persona';
const GUEST_KEY = 'demo.guest';
const CONSENT_KEY = 'demo.consent';
const GUEST = 'guest';

/** @type {{write_key: string, retailer_id: string, personas: Persona[]}} */ export let session;
/** The technical id under which this browser shops. */ export let shopper = '';
/** The choice in the list: a persona's id or `guest`. */ export let persona = '';
const actions = new Set();

export async function openSession() {
  const answer = await fetch('/demo/session');
  session = await answer.json();
  const wanted = new URLSearchParams(location.search).get('as') || localStorage.getItem(PERSONA_KEY);
  persona = wanted === GUEST || session.personas.some((one) => one.id === wanted) ? wanted : session.personas[0].id;
  localStorage.setItem(PERSONA_KEY, persona);
  shopper = persona === GUEST ? guest() : persona;
}

/** Keys of everything that this browser keeps for this shopper of this retailer. */
export const space = () => `demo.${session.retailer_id}.${shopper}`;

function guest() {
  const id = localStorage.getItem(GUEST_KEY) || `demo-guest-${crypto.randomUUID().slice(0, 8)}`;
  localStorage.setItem(GUEST_KEY, id);
  return id;
}

/** @param {string} wanted another persona; choosing the guest again makes a new visitor */
export function become(wanted) {
  window.hotbasket.reset();
  if (wanted === GUEST) localStorage.removeItem(GUEST_KEY);
  localStorage.setItem(PERSONA_KEY, wanted);
  location.assign('/');
}

/** @returns {'granted'|'denied'|undefined} */
export const consented = () => localStorage.getItem(CONSENT_KEY) || undefined;
/** @param {'granted'|'denied'} answer */
export function consent(answer) {
  localStorage.setItem(CONSENT_KEY, answer);
  window.hotbasket.consent(answer);
}

export function startTracker() {
  window.hotbasket.init({
    endpoint: location.origin,
    writeKey: session.write_key,
    getSubscription: async () => {
      const answer = await fetch('/demo/subscription', {method: 'POST', body: JSON.stringify({shopper_id: shopper})});
      if (!answer.ok) throw new Error(`no subscription: ${answer.status}`);
      return (await answer.json()).subscription;
    },
    consent: consented(),
  });
  window.hotbasket.identify(shopper);
}

/** Records one action of the shopper. */
export function act(type, fields) {
  const event_id = window.hotbasket.track(type, fields);
  if (event_id) for (const fn of actions) fn({event_id, type, ...fields});
}

/** @param {(event: Object) => void} fn hears every action as it is handed to the tracker */
export const onAct = (fn) => { actions.add(fn); };
