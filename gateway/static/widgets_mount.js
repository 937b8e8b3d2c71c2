/** Part of widgets.js: puts experiences into their slots, by whom a kind is rendered, and reports what was seen. */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;
  const {help, words, configure, listen} = window.hotbasket.widgets;
  const SEEN_MS = 1000;
  const SHARES = Array.from({length: 21}, (_, twentieth) => twentieth / 20);

  /** Renderers by kind, the newest first. */ const renderers = new Map();
  /** Experiences on this page, by slot, whether or not the page has a place for them. */ const cards = new Map();
  /** What stands in a slot of the page. @type {WeakMap<Element, {card: Object, element: Element}>} */
  const standing = new WeakMap();
  /** How elements take a later experience. */ const updates = new WeakMap();

  /**
   * Renders a kind in another way than before.
   * @param {string} kind
   * @param {(card: Object, help: Object) => any} fn gives (perhaps in time) an element; false: show nothing; anything
   *   else leaves this experience to who rendered the kind before
   * @returns {() => void} takes it back
   */
  function render(kind, fn) {
    renderers.set(kind, [fn, ...(renderers.get(kind) || [])]);
    return () => { renderers.set(kind, renderers.get(kind).filter((other) => other !== fn)); };
  }
  async function rendered(card) {
    for (const fn of renderers.get(card.kind)) {
      try {
        const made = await fn(card, help);
        if (made === false) return null;
        if (made instanceof Element) return made;
      } catch (fault) { setTimeout(() => { throw fault; }); }
    }
    return null;
  }

  /**
   * Lets an element stay when a later experience of its kind comes into its slot.
   * @param {Element} element
   * @param {(card: Object) => boolean|void|Promise<boolean|void>} fn false: it can't, it gives way
   */
  const update = (element, fn) => { updates.set(element, fn); };
  /** The experience that an element in a slot shows now; null: none any more. */
  const cardOf = (element) => (standing.get(element.closest('[data-hotbasket-slot]')) || {card: null}).card;
  /** Whether an experience still is the newest of its slot: ask after whatever took time. */
  const isCurrent = (card) => cards.get(card.slot) === card;

  /** Puts a card into its slot, in place of what was there. */
  async function place(card) {
    const slot = document.querySelector(`[data-hotbasket-slot="${CSS.escape(card.slot)}"]`);
    if (!slot || !renderers.has(card.kind) || slot.dataset.hotbasketExperience === card.experience_id) return;
    slot.dataset.hotbasketExperience = card.experience_id;
    const before = standing.get(slot);
    const take = before && before.card.kind === card.kind && updates.get(before.element);
    if (take) {
      before.card = card;
      const stays = await take(card) !== false;
      if (!isCurrent(card)) return;
      if (stays) { watch(before.element, card); return; }
    }
    const element = await rendered(card);
    if (!isCurrent(card)) return;
    const hadFocus = slot.contains(document.activeElement);
    slot.replaceChildren(...[element].filter(Boolean));
    standing.delete(slot);
    if (!element) return; // nothing on it that the page knows
    standing.set(slot, {card, element});
    watch(element, card);
    if (hadFocus) focusOn(element);
    else tell(element, card);
  }
  /** Keeps a keyboard's place on the page where what had the focus has gone. */
  function focusOn(element) {
    element.tabIndex = -1;
    element.focus({preventScroll: true});
  }
  /** Says that a widget came, with a game's result; what an earlier page had already is no news. */
  function tell(element, {decided_at: decidedAt}) {
    if (Date.parse(decidedAt) <= performance.timeOrigin) return;
    const parts = [...element.querySelectorAll('.hotbasket-title, .hotbasket-status:not(:empty)')];
    if (parts.length) help.announce(parts.map((part) => part.textContent).join('. '));
  }
  function clear({slot: name, experience_id: id}) {
    if ((cards.get(name) || {}).experience_id === id) cards.delete(name);
    for (const slot of document.querySelectorAll('[data-hotbasket-experience]')) {
      if (slot.dataset.hotbasketExperience !== id) continue;
      delete slot.dataset.hotbasketExperience;
      standing.delete(slot);
      if (slot.contains(document.activeElement)) focusOn(slot);
      slot.replaceChildren();
    }
  }

  // ---- seen: half of it, or as much as half a screen holds, for a second of a visible page

  /** @type {Map<Element, {card: Object, isInSight: boolean, timer: number}>} */ const watches = new Map();
  const sight = new IntersectionObserver(look, {threshold: SHARES});
  const screenHeight = (bounds) => (bounds ? bounds.height : window.innerHeight);

  function watch(element, card) {
    unwatch(element);
    watches.set(element, {card, isInSight: false, timer: 0});
    sight.observe(element);
  }
  function unwatch(element) {
    sight.unobserve(element);
    clearTimeout((watches.get(element) || {}).timer);
    watches.delete(element);
  }
  function look(entries) {
    for (const {target, isIntersecting, intersectionRatio, intersectionRect, rootBounds} of entries) {
      if (!target.isConnected) unwatch(target);
      if (!watches.has(target)) continue;
      const isHalf = intersectionRatio >= 0.5 || intersectionRect.height >= screenHeight(rootBounds) / 2;
      watches.get(target).isInSight = isIntersecting && isHalf;
      count(target);
    }
  }
  function count(element) {
    const seen = watches.get(element);
    if (!seen.isInSight || document.visibilityState !== 'visible') {
      clearTimeout(seen.timer);
      seen.timer = 0;
    } else if (!seen.timer) {
      seen.timer = setTimeout(() => { unwatch(element); seen.card.shown(); }, SEEN_MS);
    }
  }

  let isMounted = false;
  /**
   * Shows experiences from now on, first those that are open already.
   * @param {Object} [given] settings
   */
  function mount(given) {
    configure(given);
    listen();
    if (isMounted) return;
    isMounted = true;
    document.addEventListener('visibilitychange', () => { for (const element of watches.keys()) count(element); });
    window.hotbasket.on('withdrawn', clear);
    window.hotbasket.on('experience', (card) => {
      cards.set(card.slot, card);
      place(card);
      return false; // reported when it was seen
    });
  }
  /** Places what is open in slots that the page has made since. */
  function refresh() {
    for (const card of cards.values()) place(card);
  }

  Object.assign(help, {update, cardOf, isCurrent});
  window.hotbasket.widgets = {mount, refresh, render, words, help};
})();
