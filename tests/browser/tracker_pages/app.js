'use strict';
// The page's own script: it does what its address asks for, and keeps what the tracker tells it for the test to read.
const asked = new URLSearchParams(location.search);
window.seen = [];
window.gone = [];
window.faults = [];
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));

hotbasket.on('withdrawn', (detail) => { gone.push(detail); });
hotbasket.on('error', (detail) => { faults.push(detail); });
if (asked.has('listen')) hotbasket.on('experience', (card) => { seen.push(card); return asked.get('listen') !== 'unseen'; });
if (asked.has('widgets')) {
  hotbasketWidgets.mount({
    product: (id) => ({name: `Product ${id}`, price_minor: 250, currency: 'EUR', url: `#${id}`}),
    currency: 'EUR',
    language: asked.get('widgets'),
  });
}

let subscribed = asked.get('shopper');
window.become = (id) => { subscribed = id; hotbasket.identify(id); };
hotbasket.init({
  endpoint: document.querySelector('meta[name=collector]').content,
  writeKey: document.querySelector('meta[name=write-key]').content,
  getSubscription: asked.has('stream') ? async () => (await fetch('/token?shopper=' + subscribed)).text() : undefined,
  consent: asked.get('consent') || undefined,
});
if (subscribed) hotbasket.identify(subscribed);
