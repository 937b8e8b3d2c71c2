/** Part of widgets.js: the wheel of a game. Where it stops is told; it decides nothing. */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;
  const {help} = window.hotbasket.widgets;
  const {svg} = help;
  const SECTORS = 8;
  const ANGLE = 360 / SECTORS;
  const TURN_MS = 600;
  const TURNS_MAX = 4; // with the last turns, all of it is over within 5 s
  const STOP_MS = 2500;
  const HIDDEN_MS = 1000; // a page that nobody looks at draws nothing, and never finishes

  function sector(at, wins) {
    const half = ANGLE / 360 * Math.PI;
    const [x, y] = [48 * Math.sin(half), -48 * Math.cos(half)];
    return svg('g', {class: `hotbasket-sector hotbasket-${wins ? 'win' : 'blank'}`, transform: `rotate(${at * ANGLE})`},
      svg('path', {d: `M0 0L${-x} ${y}A48 48 0 0 1 ${x} ${y}Z`}),
      svg('text', {y: -31, 'text-anchor': 'middle'}, wins ? '★' : ''));
  }

  /**
   * @param {{isSure: boolean, play: () => void}} game whether every play wins; what a click on the wheel does
   * @returns {{element: Element, start: () => void, stop: (wins: boolean, what: string, atOnce: boolean) => any}}
   *   what `stop` gives is awaited before the result is told
   */
  function wheel({isSure, play}) {
    const wins = (at) => isSure || at % 2 === 0;
    const sectors = Array.from({length: SECTORS}, (_, at) => sector(at, wins(at)));
    // What turns stands inside of a box that does not: a turned square would reach out of its card.
    const disc = svg('g', {class: 'hotbasket-disc'}, ...sectors, svg('circle', {class: 'hotbasket-hub', r: 9}));
    const face = svg('svg', {class: 'hotbasket-face', viewBox: '-50 -50 100 100'}, disc);
    const element = help.element('div', 'wheel', '', face);
    element.setAttribute('aria-hidden', 'true');
    element.addEventListener('click', play);
    /** @type {Animation|null} */ let turning = null;
    let startedMs = 0;

    /** Turns until it is told where to stop. */
    function start() {
      if (help.calm()) return;
      startedMs = performance.now();
      turn([0, 360], {duration: TURN_MS, iterations: TURNS_MAX});
    }
    function turn(degrees, timing) {
      const before = turning;
      turning = disc.animate(degrees.map((degree) => ({transform: `rotate(${degree}deg)`})), timing);
      if (before) before.cancel();
    }
    function stop(isWon, _, atOnce) {
      const chosen = sectors.map((one, at) => at).filter((at) => wins(at) === isWon);
      const at = chosen[Math.floor(Math.random() * chosen.length)] || 0;
      const end = (SECTORS - at + (Math.random() - 0.5) * 0.6) * ANGLE; // somewhere within the sector
      if (atOnce || help.calm()) {
        turn([end, end], {duration: 0, fill: 'forwards'});
        return null;
      }
      const turned = (performance.now() - startedMs) / TURN_MS;
      const from = turned < TURNS_MAX ? turned % 1 * 360 : 0;
      turn([from, end + 720], {duration: STOP_MS, easing: 'cubic-bezier(0.25, 0.5, 0.25, 1)', fill: 'forwards'});
      const rests = turning.finished.catch(() => {});
      return Promise.race([rests, new Promise((done) => setTimeout(done, STOP_MS + HIDDEN_MS))]);
    }
    return {element, start, stop};
  }

  help.games.wheel = wheel;
})();
