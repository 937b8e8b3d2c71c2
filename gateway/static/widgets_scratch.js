/** Part of widgets.js: the scratch card of a game. Rubbing it with a finger or a mouse is one way to play. */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;
  const {help} = window.hotbasket.widgets;
  const {svg} = help;
  const [WIDTH, HEIGHT] = [300, 100];
  const CELL = 20;
  const CELLS = (WIDTH / CELL) * (HEIGHT / CELL);
  const ENOUGH = 0.25; // of the card: less may be an accident
  let masks = 0;

  /** The same as a wheel: `{element, start, stop}`. */
  function scratch({play}) {
    const id = `hotbasket-mask-${++masks}`;
    const rubbed = svg('path', {d: '', stroke: '#000', 'stroke-width': 26, 'stroke-linecap': 'round', fill: 'none'});
    const all = {width: WIDTH, height: HEIGHT};
    const foil = svg('svg', {class: 'hotbasket-foil', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none'},
      svg('mask', {id, maskUnits: 'userSpaceOnUse', x: 0, y: 0, ...all}, svg('rect', {...all, fill: '#fff'}), rubbed),
      svg('g', {mask: `url(#${id})`}, svg('rect', all),
        svg('path', {class: 'hotbasket-shine', d: `M-20 100L80 0M60 100L160 0M140 100L240 0M220 100L320 0`})));
    const under = help.element('p', 'under', '…');
    const element = help.element('div', 'scratch', '', under, foil);
    element.setAttribute('aria-hidden', 'true');
    const cells = new Set();
    let line = '';

    function rub(event, isStart) {
      const box = foil.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * WIDTH;
      const y = (event.clientY - box.top) / box.height * HEIGHT;
      line += `${isStart || !line ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
      if (isStart) line += 'h.1';
      rubbed.setAttribute('d', line);
      if (x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT) cells.add(`${Math.floor(x / CELL)} ${Math.floor(y / CELL)}`);
      if (cells.size / CELLS >= ENOUGH) play();
    }
    foil.addEventListener('pointerdown', (event) => {
      foil.setPointerCapture(event.pointerId);
      rub(event, true);
    });
    foil.addEventListener('pointermove', (event) => {
      if (!foil.hasPointerCapture(event.pointerId)) return;
      const steps = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const step of steps.length ? steps : [event]) rub(step, false);
    });

    function stop(_, what) {
      under.textContent = what;
      foil.classList.add('hotbasket-gone');
    }
    return {element, start: () => {}, stop};
  }

  help.games.scratch = scratch;
})();
