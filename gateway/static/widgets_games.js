/**
 * Part of widgets.js: games. A play is one ExperienceClicked; its result is the server's, which emits the experience
 * again with `content.outcome`, until then perhaps with `content.state: "drawing"`. Without a campaign there is no
 * draw, and the prize is everybody's.
 */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;
  const {help, render} = window.hotbasket.widgets;
  const {element, button, frame, products, worth, money, say, text} = help;
  const SLOW_MS = 8000;
  const WHOLE_BASKET = 'basket';

  /** What was won, in words; null: nothing. A label that is but the prize's id is for want of a better one. */
  async function wonBy({outcome, prize, currency}) {
    const {prize_id: id, label, value_minor: minor} = outcome;
    if (id === null) return null;
    if (label && label !== id) return label;
    if (id !== WHOLE_BASKET) return prize ? worth(prize, currency) : label || text('prize');
    return minor ? say('basketOf', {amount: money(minor, outcome.currency || currency)}) : text('basket');
  }
  const isAnswer = ({content}) => Boolean(content.outcome) || content.state === 'drawing';

  class Game {
    /** @param {Object} card as it came first */
    constructor(card) {
      const {game} = card.content;
      this.isPlayed = isAnswer(card);
      this.isOver = false;
      const play = () => this.play();
      const make = Object.hasOwn(help.games, game) ? help.games[game] : null;
      this.picture = make ? make({isSure: !card.campaign_id, play}) : null;
      this.button = button('play', text(make ? game : 'play'), play);
      this.status = element('p', 'status');
      this.status.setAttribute('role', 'status');
      this.won = element('div', 'won');
      this.won.hidden = true;
      this.section = frame(card, this.picture && this.picture.element, this.button, this.status, this.won);
      this.section.classList.add(`hotbasket-game-${make ? game : 'other'}`);
      help.update(this.section, (later) => this.take(later));
      if (this.isPlayed) this.button.remove();
    }

    play() {
      const card = help.cardOf(this.section);
      if (this.isPlayed || !card) return;
      card.clicked();
      this.wait();
      if (!card.campaign_id) this.finish({...card, content: {...card.content, outcome: {prize_id: ''}}});
    }

    /** @returns {boolean} false: another game */
    take(card) {
      if (this.isOver || !isAnswer(card)) return false;
      if (!this.isPlayed) this.wait(); // it was played in another tab
      if (card.content.outcome) this.finish(card);
      return true;
    }

    wait() {
      this.isPlayed = true;
      // Neither disabled nor gone: it may have the focus.
      this.button.setAttribute('aria-disabled', 'true');
      this.status.textContent = text('drawing');
      if (this.picture) this.picture.start();
      this.slow = setTimeout(() => { this.status.textContent = text('waiting'); }, SLOW_MS);
    }

    /** Shows the result, once the picture has come to it. */
    async finish(card, atOnce = false) {
      this.isOver = true;
      const what = await wonBy(card.content);
      const wins = what !== null;
      if (this.picture) await this.picture.stop(wins, wins ? what : text('nothing'), atOnce);
      clearTimeout(this.slow);
      this.status.textContent = wins ? say('won', {what}) : text('lost');
      this.section.classList.add(wins ? 'hotbasket-has-won' : 'hotbasket-has-lost');
      this.retire();
      if (wins) this.handOut(card);
    }

    /** What a winner can do next. Following a product is no play: it isn't reported as a click. */
    async handOut(card) {
      const {outcome, claim} = card.content;
      if (claim && outcome.prize_id === WHOLE_BASKET) this.won.append(help.claimForm(card));
      this.won.hidden = !this.won.hasChildNodes();
      const list = await products(card, () => {});
      if (list) this.won.append(list);
      this.won.hidden = !this.won.hasChildNodes();
    }

    /** Takes the button away, as soon as the focus isn't on it. */
    retire() {
      this.button.textContent = text('played');
      if (document.activeElement === this.button) {
        this.button.addEventListener('blur', () => this.button.remove(), {once: true});
      } else this.button.remove();
    }
  }

  /** A draw that a paid order plays, not the page. */
  async function atTheOrder(card) {
    const told = element('p', 'order');
    told.textContent = text('order');
    const section = frame(card, told);
    const list = await products(card, () => {});
    if (list) section.append(list);
    return section;
  }

  render('gamified_promotion', async (card) => {
    if (card.content.draws_on === 'order' && !card.content.outcome) return atTheOrder(card);
    const game = new Game(card);
    if (card.content.outcome) await game.finish(card, true);
    else if (game.isPlayed) game.wait();
    return game.section;
  });
})();
