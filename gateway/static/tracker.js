/**
 * hotbasket tracker: one classic script, fit for a strict Content-Security-Policy; docs/tracker-protocol.md.
 *
 * @typedef {Object} Options
 * @property {string} endpoint
 * @property {string} writeKey
 * @property {() => Promise<string>} [getSubscription] a token, from the retailer's server
 * @property {'granted'|'denied'} [consent]
 *
 * @typedef {Object} Experience as in the protocol, with what a widget reports of it:
 * @property {() => void} shown needed only where the listener returned false; reported once
 * @property {() => void} clicked
 * @property {() => void} dismissed takes it off every tab
 * @property {(email: string) => Promise<Response>} claim leaves an address for the reward won
 *
 * @typedef {{after: string, slots: Object<string, Experience>, done: string[], shown: string[]}} State what tabs
 *   share: position in the stream, what is open, ids that never come back, ids reported shown
 */
(() => {
  'use strict';
  if (window.hotbasket) return;

  const BATCH_EVENTS = 50;
  const BATCH_BYTES = 60000; // a browser keeps 64 KB alive
  const EVENT_BYTES = 31000; // 32 KB with shopper and consent
  const QUEUE_EVENTS = 1000;
  const WAITING_EVENTS = 50;
  const IDS_KEPT = 200;
  const ANSWER_MS = 30000;
  const LOCK_MS = 40000;
  const SILENCE_MS = 15000;
  const BACKOFF_MS = 60000;
  const RETRY_AFTER_MS = 3600000;
  const HELD_MS = 1000;

  /** @type {Options} */ let options;
  /** Prefix of every key: write keys never mix. */ let space = '';
  /** @type {'granted'|'denied'|undefined} */ let agreed;
  /** @type {string|null} */ let shopper = null;
  /** Tracked before shopper and consent are known. @type {Object[]} */ let waiting = [];
  const listeners = {experience: new Set(), withdrawn: new Set(), error: new Set(), sent: new Set()};

  const refused = () => agreed === 'denied' || navigator.globalPrivacyControl === true;
  const allowed = () => agreed === 'granted' && !refused();
  const answered = () => allowed() || refused(); // refused: the one event that says so
  const visible = () => document.visibilityState === 'visible';
  const parse = (text) => { try { return JSON.parse(text); } catch { return null; } };
  const byteLength = (text) => new TextEncoder().encode(text).length;
  const backoff = (attempt) => Math.min(BACKOFF_MS, 1000 * 2 ** attempt) * (0.5 + Math.random() / 2);
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  /** How many listeners took it. */
  function call(fns, detail) {
    let taken = 0;
    for (const fn of [...fns]) {
      try { if (fn(detail) !== false) taken++; } catch (fault) { setTimeout(() => { throw fault; }); }
    }
    return taken;
  }
  const fail = (code, detail, more) => call(listeners.error, {code, detail, ...more});

  // ---- kept in localStorage; what it refuses (blocked, full) as long as the page lives

  /** @type {Map<string, string>} */ const memory = new Map();
  function read(key) {
    if (memory.has(key)) return memory.get(key);
    try { return localStorage.getItem(key); } catch { return null; }
  }
  function write(key, text) {
    try { localStorage.setItem(key, text); memory.delete(key); } catch { memory.set(key, text); }
  }
  function erase(key) {
    memory.delete(key);
    try { localStorage.removeItem(key); } catch { /* not stored */ }
  }
  function keys(prefix) {
    let stored = [];
    try { stored = Object.keys(localStorage); } catch { /* memory alone */ }
    return [...new Set([...stored, ...memory.keys()])].filter((key) => key.startsWith(prefix)).sort();
  }

  // ---- events: one key each, so that tabs never overwrite each other; keys sort as tracked

  let lastMs = 0;
  let sequence = 0;
  /** A UUIDv7 after all earlier ones of this page, whatever the clock does. */
  function newId() {
    const now = Date.now();
    if (now > lastMs) { lastMs = now; sequence = 0; } else if (++sequence > 4095) { lastMs++; sequence = 0; }
    const random = crypto.getRandomValues(new Uint8Array(8));
    random[0] = (random[0] & 63) | 128;
    const hex = (number, width) => number.toString(16).padStart(width, '0');
    const digits = hex(lastMs, 12) + '7' + hex(sequence, 3) + Array.from(random, (byte) => hex(byte, 2)).join('');
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  const queued = () => keys(space + 'e.');

  /**
   * Records one action of the shopper.
   * @param {string} type
   * @param {Object} [fields]
   * @returns {string|null} event_id; null: refused by the shopper or unsendable
   */
  function track(type, fields) {
    if (refused()) return null;
    const id = newId();
    try {
      const text = JSON.stringify({...fields, event_id: id, type, occurred_at: new Date().toISOString()});
      if (byteLength(text) > EVENT_BYTES) throw new RangeError(`over ${EVENT_BYTES} bytes`);
      waiting.push(JSON.parse(text));
    } catch (fault) {
      fail('unsendable', String(fault), {type});
      return null;
    }
    release();
    for (const event of waiting.splice(0, waiting.length - WAITING_EVENTS)) fail('queue_full', 'unidentified', {event});
    return id;
  }

  function enqueue(event) {
    const consent = refused() ? 'denied' : 'granted';
    write(space + 'e.' + event.event_id, JSON.stringify({...event, shopper_id: shopper, consent}));
  }

  /** Queues what waited, once it is known whose it is. */
  function release() {
    if (!space || !shopper || !allowed()) return;
    waiting.splice(0).forEach(enqueue);
    for (const key of queued().slice(0, -QUEUE_EVENTS)) {
      fail('queue_full', 'not delivered', {event: parse(read(key))});
      erase(key);
    }
    flush();
  }

  // ---- sending: one request of a browser at a time, in order

  let flushing = false;
  /** @type {AbortController|null} */ let inFlight = null;
  let lastKept = ''; // key of the last event that leaves even if the page goes away
  const url = (path) => `${options.endpoint}/v1/${path}?write_key=${encodeURIComponent(options.writeKey)}`;
  const bodyOf = (batch) =>
    `{"sent_at":"${new Date().toISOString()}","events":[${batch.map((item) => item.text).join(',')}]}`;

  /** When the next attempt may be made: for all tabs and pages. */
  const delay = () => parse(read(space + 'b')) || {from: 0, until: 0, failures: 0, status: 0};
  function due() {
    const {from, until} = delay();
    return !(Date.now() >= from && Date.now() < until); // before `from`: the clock was set back
  }

  async function flush() {
    if (flushing || !space) return;
    flushing = true;
    try {
      while (answered() && due() && queued().length) await alone(sendOnce);
    } finally { flushing = false; }
  }

  /** Runs `work` while no other tab does; a frozen tab loses its turn. */
  async function alone(work) {
    const name = space + 'send';
    if (!navigator.locks) return leased(name, work);
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), LOCK_MS);
    let granted = false;
    const run = () => { granted = true; clearTimeout(timer); return work(); };
    for (const how of [{signal: patience.signal}, {steal: true}]) {
      try { await navigator.locks.request(name, how, run); } catch { /* waited in vain, or robbed */ }
      if (granted) return undefined;
    }
    return work(); // no locks here: a sandboxed frame
  }

  const tab = Math.random();
  /** Without Web Locks two tabs may rarely both win: event ids make that harmless. */
  async function leased(key, work) {
    const now = Date.now();
    const held = parse(read(key));
    if (held && held.tab !== tab && held.until > now && held.until <= now + LOCK_MS) return pause(500);
    write(key, JSON.stringify({tab, until: now + LOCK_MS}));
    await pause(50 + Math.random() * 50);
    if ((parse(read(key)) || {}).tab !== tab) return undefined;
    try { return await work(); } finally { erase(key); }
  }

  function nextBatch() {
    const batch = [];
    let bytes = 100;
    for (const key of queued()) {
      const text = read(key);
      const event = parse(text);
      if (!event) { erase(key); continue; }
      bytes += byteLength(text) + 1;
      if (batch.length === BATCH_EVENTS || (batch.length && bytes > BATCH_BYTES)) break;
      batch.push({key, text, event});
    }
    return batch;
  }

  async function sendOnce() {
    const batch = answered() && due() ? nextBatch() : [];
    if (!batch.length) return;
    const abort = inFlight = new AbortController();
    const timer = setTimeout(() => abort.abort(), ANSWER_MS);
    const keepalive = !delay().failures; // other scripts share its 64 KB: a second attempt does without
    lastKept = keepalive ? batch[batch.length - 1].key : '';
    let status = 0;
    let after = '';
    let body = null;
    try {
      const answer = await fetch(url('events'), {
        method: 'POST', body: bodyOf(batch), keepalive, credentials: 'omit', signal: abort.signal,
      });
      status = answer.status;
      after = answer.headers.get('retry-after') || '';
      learnClock(Date.parse(answer.headers.get('date') || ''));
      body = parse(await answer.text());
    } catch { /* offline, cut, or no answer in time */ }
    clearTimeout(timer);
    inFlight = null;
    lastKept = '';
    if (answered() && read(batch[0].key)) settle(batch, status, after, body);
    for (let n = 0; n < 3 && navigator.locks; n++) await navigator.locks.query();
  }

  /** Unqueues what is final; sets the time for the rest. */
  function settle(batch, status, after, body) {
    const results = body && Array.isArray(body.results) ? body.results : [];
    const refusal = status >= 400 && status < 500 && status !== 408 && status !== 429;
    const answered = status === 200 && results.length > 0; // a portal's page is no answer
    let again = !refusal && !answered;
    batch.forEach(({key, event}, index) => {
      const result = results[index] || {};
      const rejected = refusal || (answered && result.status === 'rejected');
      const kept = answered && (result.status === 'stored' || result.status === 'dropped');
      if (!rejected && !kept) { again = true; return; }
      erase(key);
      if (rejected) {
        const detail = result.reason || (body && body.detail) || status;
        fail('rejected', detail, {status, path: result.path, event_id: event.event_id, event});
      }
    });
    if (again) {
      const {failures} = delay();
      const asked = Math.min(RETRY_AFTER_MS, (after > 0 ? after * 1000 : Date.parse(after) - Date.now()) || 0);
      const wait = Math.max(asked * (1 + Math.random() / 5), backoff(failures));
      const from = Date.now();
      write(space + 'b', JSON.stringify({from, until: from + wait, failures: failures + 1, status}));
    } else { erase(space + 'b'); }
    if (answered) call(listeners.sent, {events: batch.map((item) => item.event), results});
  }

  let beaconed = '';
  /** As the page goes away. No answer comes, so the events stay queued: their ids absorb the repeat. */
  function beacon() {
    if (!space || !answered() || !(due() || delay().status === 0)) return;
    const batch = nextBatch();
    const last = batch.length ? batch[batch.length - 1].key : '';
    if (!last || last === beaconed || last === lastKept) return;
    if (navigator.sendBeacon(url('events'), bodyOf(batch))) beaconed = last;
  }

  // ---- experiences: a tab shows what the shared state holds

  const blank = () => ({after: '', slots: {}, done: [], shown: []});
  /** @type {State} */ let state = blank();
  let stateKey = '';
  /** What listeners here were told. @type {Map<string, Experience>} */ const live = new Map();
  /** Ids that a listener displays. */ const taken = new Set();
  /** Shown here, not yet reported by the leading tab. */ const unconfirmed = new Set();
  /** Dismissed here; the leading tab's word may be older. */ const closed = new Set();
  /** Slots of an earlier page: the stream may be about to change them. @type {Set<string>} */ let held = new Set();
  /** Monotonic end by id: a clock set back prolongs nothing. */ const ends = new Map();
  let skew = 0; // gateway's clock minus this one

  function learnClock(gatewayMs) {
    const difference = gatewayMs - Date.now();
    if (gatewayMs) skew = Math.abs(difference) > 5000 ? difference : 0;
  }

  function remember(list, id) {
    if (!list.includes(id)) list.push(id);
    list.splice(0, list.length - IDS_KEPT);
  }
  function over({experience_id: id, expires_at}) {
    const left = Date.parse(expires_at) - Date.now() - skew;
    if (!ends.has(id)) ends.set(id, performance.now() + left);
    return !(left > 0 && performance.now() < ends.get(id));
  }
  function remove(slot) {
    const experience = state.slots[slot];
    delete state.slots[slot];
    remember(state.done, experience.experience_id);
    ends.delete(experience.experience_id);
  }
  function expire() {
    const ended = Object.values(state.slots).filter(over);
    for (const {slot} of ended) remove(slot);
    return ended.length;
  }

  /** Tells listeners what changed. */
  function render() {
    expire();
    for (const [slot, {experience_id}] of [...live]) {
      if (state.slots[slot]) continue;
      live.delete(slot);
      call(listeners.withdrawn, {experience_id, slot});
    }
    for (const experience of Object.values(state.slots)) {
      const {slot, experience_id: id} = experience;
      const known = live.get(slot);
      if (state.slots[slot] !== experience || held.has(slot) || (known && known.experience_id === id)) continue;
      const card = withActions(experience);
      live.set(slot, card);
      deliver(listeners.experience, card);
    }
  }
  function deliver(fns, card) {
    if (!call(fns, card)) return;
    taken.add(card.experience_id);
    reportVisible();
  }
  function reportVisible() {
    if (visible()) for (const {experience_id: id} of live.values()) if (taken.has(id)) shown(id);
  }

  function withActions(experience) {
    const owner = shopper;
    const id = experience.experience_id;
    const mine = (action) => () => { if (owner === shopper && allowed()) action(); };
    return {
      ...experience,
      shown: mine(() => shown(id)),
      clicked: mine(() => { shown(id); track('ExperienceClicked', {experience_id: id}); }),
      dismissed: mine(() => {
        if (state.done.includes(id)) return;
        shown(id);
        closed.add(id);
        track('ExperienceDismissed', {experience_id: id});
        if (channel) channel.postMessage({dismissed: id});
        close(id);
      }),
      claim: (email) => fetch(url('rewards/claims'), {
        method: 'POST', body: JSON.stringify({claim: experience.content.claim, email}), credentials: 'omit',
      }),
    };
  }
  function close(id) {
    const open = Object.values(state.slots).find((experience) => experience.experience_id === id);
    if (open) remove(open.slot);
    remember(state.done, id);
    write(stateKey, JSON.stringify(state));
    render();
  }
  /** The leading tab reports for all, hence once a browser. */
  function shown(id) {
    if (state.shown.includes(id)) return;
    if (leading) {
      remember(state.shown, id);
      track('ExperienceShown', {experience_id: id});
      publish();
    } else if (!unconfirmed.has(id)) {
      unconfirmed.add(id);
      if (channel) channel.postMessage({ask: [id]});
    }
  }
  function publish() {
    write(stateKey, JSON.stringify(state));
    if (channel) channel.postMessage({state});
    render();
  }

  // ---- the stream: one tab leads, the others hear from it

  let shared = false; // Web Locks and BroadcastChannel are there; else each visible tab has its own stream
  let leading = false;
  /** Place in the queue for the lead; null: no stream wanted. @type {AbortController|null} */ let turn = null;
  /** @type {BroadcastChannel|null} */ let channel = null;
  /** @type {EventSource|null} */ let source = null;
  let heard = 0;
  let token = '';
  let attempt = 0;
  let failures = 0;
  let openedAt = NaN;
  let retrying = 0;
  let settling = 0;

  function openStream() {
    if (turn || !space || !shopper || !allowed() || !options.getSubscription || (!shared && !visible())) return;
    stateKey = space + 's.' + shopper;
    for (const key of keys(space + 's.')) if (key !== stateKey) erase(key);
    state = {...blank(), ...parse(read(stateKey))};
    held = new Set(Object.keys(state.slots));
    settling = setTimeout(confirmHeld, HELD_MS);
    if (!shared) { turn = new AbortController(); takeLead(); return; }
    channel = new BroadcastChannel(stateKey);
    channel.onmessage = ({data}) => hear(data);
    channel.postMessage({ask: []});
    heard = performance.now();
    queueForLead(false);
  }
  function closeStream() {
    const ended = turn;
    turn = null;
    leading = false;
    if (ended) ended.abort();
    if (channel) channel.close();
    channel = null;
    clearTimeout(settling);
    disconnect();
  }
  function confirmHeld() { held.clear(); render(); }

  function queueForLead(steal) {
    const mine = turn = new AbortController();
    const lead = () => new Promise((done) => {
      mine.signal.addEventListener('abort', done);
      if (mine.signal.aborted) done(); else takeLead();
    });
    const wanted = navigator.locks.request(stateKey, steal ? {steal} : {signal: mine.signal}, lead);
    wanted.catch((fault) => fault).then((fault) => {
      if (turn !== mine) return;
      if (fault && fault.name !== 'AbortError') { takeLead(); return; } // no locks here (a sandboxed frame): alone
      leading = false; // another tab took this one for frozen
      disconnect();
      heard = performance.now();
      queueForLead(false);
    });
  }
  function takeLead() {
    leading = true;
    for (const id of unconfirmed) shown(id);
    unconfirmed.clear();
    connect();
  }
  function hear({ask, state: told, dismissed, reset: gone}) {
    if (gone) leave();
    else if (dismissed) close(dismissed);
    else if (ask && leading) { ask.forEach(shown); channel.postMessage({state}); }
    else if (told && !leading) {
      heard = performance.now();
      state = told;
      for (const {slot, experience_id: id} of Object.values(state.slots)) if (closed.has(id)) remove(slot);
      for (const id of state.shown) unconfirmed.delete(id);
      confirmHeld();
    }
  }

  async function connect() {
    const mine = ++attempt;
    try {
      token = token || await options.getSubscription();
    } catch (fault) {
      if (mine !== attempt) return;
      fail('subscription', String(fault));
      reconnect(true);
      return;
    }
    if (mine !== attempt || !leading || !token) return;
    const after = state.after ? '&after=' + encodeURIComponent(state.after) : '';
    let errors = 0;
    source = new EventSource(`${options.endpoint}/v1/experiences?subscription=${encodeURIComponent(token)}${after}`);
    source.onopen = () => {
      openedAt = performance.now();
      errors = 0;
      clearTimeout(settling);
      settling = setTimeout(confirmHeld, 100);
    };
    source.onerror = ({target}) => {
      if (target.readyState === EventSource.CONNECTING && !errors++) return; // it tries once
      fail('stream', 'interrupted');
      reconnect(target.readyState === EventSource.CLOSED); // most likely the token
    };
    source.addEventListener('experience', (message) => arrive(message, put));
    source.addEventListener('withdrawn', (message) => arrive(message, withdraw));
    source.addEventListener('expired', () => reconnect(true));
  }
  function disconnect() {
    attempt++;
    clearTimeout(retrying);
    if (source) source.close();
    source = null;
  }
  function reconnect(renew) {
    disconnect();
    if (renew) token = '';
    if (performance.now() - openedAt > 10000) failures = 0;
    openedAt = NaN;
    retrying = setTimeout(connect, failures ? backoff(failures) : 0);
    failures++;
  }

  function arrive(message, apply) {
    const data = parse(message.data);
    if (!data || !data.slot) return;
    if (message.lastEventId) state.after = message.lastEventId;
    held.delete(data.slot);
    apply(data);
    publish();
  }
  function put(experience) {
    const {slot, experience_id: id} = experience;
    const current = state.slots[slot];
    if (state.done.includes(id) || (current && current.experience_id === id)) return;
    const ahead = Date.parse(experience.decided_at) - Date.now();
    if (ahead > skew) skew = ahead; // this clock is behind
    if (current) remove(slot);
    state.slots[slot] = experience;
  }
  function withdraw({slot, experience_id: id}) {
    const late = state.done.includes(id);
    remember(state.done, id);
    if (!late && state.slots[slot]) remove(slot);
  }

  // ---- whose page it is

  /** Takes every experience off this tab. */
  function stop() {
    closeStream();
    token = '';
    failures = 0;
    state = blank();
    for (const ids of [unconfirmed, closed, taken, held, ends]) ids.clear();
    render();
  }
  function leave() {
    stop();
    if (space && shopper) erase(space + 's.' + shopper);
    shopper = null;
    waiting = [];
  }
  /** Logged out: experiences leave every tab; what is queued is still sent. */
  function reset() {
    if (channel) channel.postMessage({reset: true});
    leave();
  }
  /** @param {string} shopperId the retailer's stable id */
  function identify(shopperId) {
    if (!shopperId || String(shopperId) === shopper) return;
    if (shopper) reset();
    shopper = String(shopperId);
    part();
    release();
    openStream();
  }

  let parting; // consent was taken back, and nobody was told yet
  function part() {
    if (!parting || !shopper) return;
    parting = 0;
    enqueue({event_id: newId(), type: 'PageViewed', occurred_at: new Date().toISOString(), page: {kind: 'other'}});
    flush();
  }

  /** @type {BroadcastChannel|null} */ let agreements = null;
  /** @param {'granted'|'denied'} answer holds in every open tab */
  function consent(answer) {
    if (agreements) agreements.postMessage(answer);
    agree(answer, true);
  }
  function agree(answer, first) {
    const before = agreed;
    agreed = answer === undefined ? agreed : answer === 'granted' ? 'granted' : 'denied';
    if (refused()) {
      stop();
      waiting = [];
      if (!space) return;
      const old = keys(space).filter((key) => key !== space + 'b' && !read(key).includes('"consent":"denied"'));
      if (inFlight && old.length) inFlight.abort();
      old.forEach(erase);
      parting = parting || first && (before === 'granted' || old.length);
      part();
      return;
    }
    parting = 0;
    release();
    openStream();
    flush();
  }

  // ---- the page's life

  function tick() {
    flush();
    if (!turn) return;
    if (expire()) { if (leading) publish(); else render(); }
    if (leading || !visible()) return;
    const silence = performance.now() - heard;
    if (silence > SILENCE_MS) {
      const before = turn;
      heard = performance.now();
      queueForLead(true);
      before.abort();
    } else if (silence > SILENCE_MS / 3) channel.postMessage({ask: [...unconfirmed]});
  }
  function wake() {
    heard = performance.now();
    openStream();
    reportVisible();
    tick();
  }
  function online() {
    if (delay().status === 0) erase(space + 'b');
    flush();
    if (leading && (!source || source.readyState !== EventSource.OPEN)) { failures = 0; disconnect(); connect(); }
  }
  function watchPage() {
    document.addEventListener('visibilitychange', () => {
      if (visible()) { wake(); return; }
      beacon();
      if (!shared) closeStream();
    });
    window.addEventListener('pagehide', () => { beacon(); closeStream(); });
    window.addEventListener('pageshow', wake);
    document.addEventListener('freeze', () => { closeStream(); if (inFlight) inFlight.abort(); });
    document.addEventListener('resume', wake);
    window.addEventListener('online', online);
    setInterval(tick, 1000);
  }

  /** @param {Options} given */
  function init(given) {
    if (space || !given || !given.writeKey) {
      fail('usage', 'init once, with a writeKey');
      return;
    }
    options = {...given, endpoint: (given.endpoint || '').replace(/\/+$/, '')};
    space = `hotbasket.${given.writeKey}.`;
    shared = Boolean(navigator.locks && window.BroadcastChannel);
    const newest = parseInt((queued().pop() || '').slice(space.length + 2).replace('-', '').slice(0, 12), 16);
    if (newest >= lastMs) lastMs = newest + 1; // a clock set back between pages must not turn the order round
    if (window.BroadcastChannel) {
      agreements = new BroadcastChannel(space + 'consent');
      agreements.onmessage = ({data}) => agree(data);
    }
    watchPage();
    agree(given.consent, true);
    online(); // a page that went away may have taken its request for a failed one
  }

  /**
   * `experience` hears at once what is open; a listener that returns false does not display it (yet).
   * @param {'experience'|'withdrawn'|'error'|'sent'} name
   * @param {(detail: any) => (void|boolean)} fn
   * @returns {() => void} stops listening
   */
  function on(name, fn) {
    listeners[name].add(fn);
    if (name === 'experience') for (const card of [...live.values()]) deliver([fn], card);
    return () => { listeners[name].delete(fn); };
  }

  window.hotbasket = {init, identify, reset, track, consent, on};
})();
