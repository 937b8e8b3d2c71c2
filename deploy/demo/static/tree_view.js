/**
 * Draws a Shopping Experience Tree as a graph: rows by the longest way from the root, the current node lit.
 * @typedef {{root: string, nodes: Object<string, {experiences?: Object[], edges?: {to: string}[],
 *   after?: {idle_s: number, to: string}}>}} Tree
 */
import {svg} from './dom.js';

const WIDTH = 396;
const ROW = 31.5;
const PILL = 20;
const LETTER = 5.6;
const DOT = 8;

/** @type {Map<string, {x: number, y: number, width: number}>} */ let places = new Map();
/** @type {Map<string, SVGElement>} */ let pills = new Map();
/** @type {Map<string, SVGElement>} */ let lines = new Map();

/** @param {Tree} tree @returns {SVGElement} */
export function drawTree(tree) {
  const rows = rowsOf(tree);
  const height = rows.length * ROW;
  places = new Map();
  rows.forEach((row, depth) => {
    const widths = row.map((id) => Math.max(54, id.length * LETTER + 20 + DOT * (tree.nodes[id].experiences || []).length));
    const gap = (WIDTH - widths.reduce((sum, width) => sum + width, 0)) / (row.length + 1);
    let left = Math.max(2, gap);
    row.forEach((id, at) => {
      places.set(id, {x: left + widths[at] / 2, y: depth * ROW + ROW / 2, width: widths[at]});
      left += widths[at] + Math.max(4, gap);
    });
  });
  lines = new Map();
  pills = new Map(Object.keys(tree.nodes).map((id) => [id, pill(id, tree.nodes[id])]));
  for (const [id, node] of Object.entries(tree.nodes)) {
    for (const {to} of node.edges || []) line(id, to, 'tree-edge');
    if (node.after) line(id, node.after.to, 'tree-after');
  }
  return svg('svg.tree', {viewBox: `0 0 ${WIDTH} ${height}`, role: 'img'},
    svg('title'), svg('g.tree-lines', {}, ...lines.values()), svg('g', {}, ...pills.values()));
}

/**
 * Lights the current node and the way that led to it.
 * @param {SVGElement} drawing
 * @param {string[]} trail node ids from the root on; the last one is where the shopper stands
 * @param {string} title for those who do not see it
 */
export function lightTree(drawing, trail, title) {
  const here = trail[trail.length - 1];
  drawing.querySelector('title').textContent = title;
  for (const [id, element] of pills) {
    element.classList.toggle('lit', id === here);
    element.classList.toggle('passed', id !== here && trail.includes(id));
  }
  for (const element of lines.values()) element.classList.remove('taken');
  trail.slice(1).forEach((id, at) => {
    const taken = lines.get(`${trail[at]} ${id}`);
    if (!taken) return;
    taken.classList.add('taken');
    taken.parentNode.append(taken);
  });
}

function pill(id, node) {
  const {x, y, width} = places.get(id);
  const dots = (node.experiences || []).map(({kind}, at) => (
    svg(`circle.dot.${kind}`, {cx: x - width / 2 + 11 + at * DOT, cy: y, r: 2.7})
  ));
  return svg('g.tree-node', {'data-node': id},
    svg('rect', {x: x - width / 2, y: y - PILL / 2, width, height: PILL, rx: PILL / 2}), ...dots,
    svg('text', {x: x + dots.length * DOT / 2, y: y + 3.6, 'text-anchor': 'middle'}, id));
}

function line(from, to, kind) {
  const [start, end] = [places.get(from), places.get(to)];
  if (!start || !end || lines.has(`${from} ${to}`)) return;
  const [top, bottom] = [start.y + PILL / 2, end.y - PILL / 2];
  const bend = Math.max(8, (bottom - top) / 2);
  const way = `M${start.x} ${top}C${start.x} ${top + bend} ${end.x} ${bottom - bend} ${end.x} ${bottom}`;
  lines.set(`${from} ${to}`, svg(`path.${kind}`, {d: way}));
}

/** Node ids by row; within a row near their parents. */
function rowsOf(tree) {
  const ways = (id) => [...(tree.nodes[id].edges || []).map(({to}) => to), ...(tree.nodes[id].after ? [tree.nodes[id].after.to] : [])];
  const depth = new Map();
  const parents = new Map();
  const sink = (id, level) => {
    if ((depth.get(id) ?? -1) >= level) return;
    depth.set(id, level);
    for (const to of ways(id)) { parents.set(to, (parents.get(to) || new Set()).add(id)); sink(to, level + 1); }
  };
  sink(tree.root, 0);
  const rows = [];
  for (const id of Object.keys(tree.nodes)) (rows[depth.get(id)] ||= []).push(id);
  const at = new Map();
  for (const row of rows) {
    const middle = (id) => {
      const known = [...(parents.get(id) || [])].filter((one) => at.has(one)).map((one) => at.get(one));
      return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : 0.5;
    };
    const wanted = new Map(row.map((id) => [id, middle(id)]));
    row.sort((one, other) => wanted.get(one) - wanted.get(other));
    row.forEach((id, place) => at.set(id, (place + 1) / (row.length + 1)));
  }
  return rows;
}
