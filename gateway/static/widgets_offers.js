/** Part of widgets.js: recommendations, personalised promotions, and the basket's distance to a reward. */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;
  const {help, render} = window.hotbasket.widgets;
  const {element, frame, products, worth, money, say} = help;
  const TICK_MS = 1000;
  const QUIET_MS = 1000;

  render('recommendation', async (card) => {
    const list = await products(card);
    return list && frame(card, list);
  });

  render('personalised_promotion', async (card) => {
    const {generosity, threshold_minor: threshold, currency} = card.content;
    const from = threshold ? element('p', 'condition', say('from', {amount: money(threshold, currency)})) : null;
    const what = element('p', 'worth', await worth(generosity, currency));
    return frame(card, what, from, countdown(card), await products(card));
  });

  /** Counts down to the end of a card; who uses a screen reader finds it there and is not interrupted by it. */
  function countdown({decided_at: decidedAt, expires_at: expiresAt}) {
    const ends = Date.parse(expiresAt);
    if (!ends) return null;
    const lasts = ends - (Date.parse(decidedAt) || -Infinity);
    // Monotonic, and never longer than it lasts: the device's clock may be wrong or set back.
    const end = performance.now() + Math.min(ends - Date.now(), lasts);
    const left = element('time', 'until');
    left.dateTime = expiresAt;
    left.setAttribute('role', 'timer');
    left.setAttribute('aria-live', 'off');
    const tick = () => {
      const words = say('until', {time: help.timeLeft(end - performance.now())});
      if (left.textContent !== words) left.textContent = words;
    };
    tick();
    let wasThere = false;
    const timer = setInterval(() => {
      wasThere = wasThere || left.isConnected;
      if (wasThere && !left.isConnected) clearInterval(timer); else tick();
    }, TICK_MS);
    return left;
  }

  render('basket_tension', async (card) => {
    const what = element('p', 'worth');
    const bar = element('progress', 'bar');
    let news = 0;
    const draw = async (now) => {
      const {threshold_minor: threshold, missing_minor: missing, reward, currency} = now.content;
      const won = await worth(reward, currency);
      if (!help.isCurrent(now)) return;
      what.textContent = say('missing', {amount: money(missing, currency), what: won});
      bar.max = threshold;
      bar.value = threshold - missing;
      bar.setAttribute('aria-label', say('towards', {what: won}));
      const done = money(threshold - missing, currency);
      bar.setAttribute('aria-valuetext', say('progress', {done, threshold: money(threshold, currency)}));
    };
    await draw(card);
    const section = frame(card, what, bar);
    help.update(section, async (later) => {
      await draw(later);
      clearTimeout(news); // of a basket that is being filled the last word is enough
      news = setTimeout(() => { if (section.isConnected) help.announce(what.textContent); }, QUIET_MS);
    });
    return section;
  });
})();
