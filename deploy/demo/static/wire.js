/**
 * Sees the events as they leave: looks over the tracker's shoulder at the two calls of the browser that send them.
 * It changes nothing on the way. What it saw is kept for this tab, so that a change of page does not lose it.
 * @typedef {'held'|'waiting'|'leaving'|'stored'|'dropped'|'rejected'|'retry'|'beacon'} Status
 * @typedef {{id: string, type: string, event: Object, status: Status, sent: number, ms: number, page: number}} Sent
 *   sent: Unix milliseconds with fractions, 0 before; ms: from leaving to the answer
 */
const KEPT = 40;
const KEY = 'demo.wire';

/** This page, among those of the tab. */ export const page = performance.timeOrigin;
export const now = () => performance.timeOrigin + performance.now();
/** By event id, oldest first. @type {Map<string, Sent>} */
const seen = new Map((JSON.parse(sessionStorage.getItem(KEY) || '[]')).map((one) => [one.id, one]));
const listeners = new Set();

/** @param {(settled: boolean) => void} fn told of each change; settled: an answer came */
export const onWire = (fn) => { listeners.add(fn); };
/** @returns {Sent[]} newest first */
export const wire = () => [...seen.values()].reverse();
/** @returns {Sent|undefined} */
export const sentEvent = (id) => seen.get(id);
export function forgetWire() {
  seen.clear();
  tell(false);
}

/** An action was handed to the tracker. */
export function noteAction(event, status) {
  if (!seen.has(event.event_id)) put(event, {status});
  tell(false);
}

/** The shop's own server has told hotbasket of an event. @param {number} sent Unix milliseconds with fractions */
export function noteServer(event, sent) {
  put(event, {status: 'stored', sent, ms: now() - sent, page});
  tell(true);
}

function put(event, change) {
  const id = event.event_id;
  const old = seen.get(id) || {id, type: event.type, event: slim(event), status: 'waiting', sent: 0, ms: 0, page};
  seen.set(id, {...old, ...change});
  for (const old_id of [...seen.keys()].slice(0, -KEPT)) seen.delete(old_id);
}

/** What the panel shows of an event; neither the shopper nor the times. */
function slim({page: viewed, product, quantity, query, target, order_id, total_minor, experience_id}) {
  return {page: viewed, product, quantity, query, target, order_id, total_minor, experience_id};
}

function leave(events, status) {
  const sent = now();
  for (const event of events) put(event, {status, sent: (seen.get(event.event_id) || {}).sent || sent, page});
  tell(false);
  return sent;
}

async function answered(events, sent, answer) {
  const ms = now() - sent;
  const body = await answer.clone().json().catch(() => ({}));
  events.forEach((event, at) => {
    const result = (body.results || [])[at];
    put(event, {status: result ? result.status : answer.status < 500 ? 'rejected' : 'waiting', ms});
  });
  tell(true);
}

function tell(settled) {
  sessionStorage.setItem(KEY, JSON.stringify([...seen.values()]));
  for (const fn of listeners) fn(settled);
}

/** The events of a request, or none if it carries none. */
function eventsOf(address, body) {
  if (!String(address).includes('/v1/events') || typeof body !== 'string') return [];
  try { return JSON.parse(body).events || []; } catch { return []; }
}

const realFetch = window.fetch;
window.fetch = (...request) => {
  const [address, {body} = {}] = request;
  const events = eventsOf(address, body);
  const answer = realFetch.apply(window, request);
  if (events.length) {
    const sent = leave(events, 'leaving');
    answer.then((came) => answered(events, sent, came), () => {
      for (const event of events) put(event, {status: 'waiting'});
      tell(false);
    });
  }
  return answer;
};

const realBeacon = navigator.sendBeacon;
navigator.sendBeacon = (address, body) => {
  const events = eventsOf(address, body);
  if (events.length) leave(events, 'beacon');
  return realBeacon.call(navigator, address, body);
};
