/**
 * Draws a Shopping Experience Tree as a graph: rows by the longest way from the root, the current node lit. A row that is
 * too wide goes on in the next line, a long name is cut, and a tall tree scrolls within the panel.
 * @typedef {{root: string, nodes: Object<string, {experiences?: Object[], edges?: {to: string}[],
 *   after?: {idle_s: number, to: string}}>}} Tree
 */
import {svg} from './dom.js';

const ROW = 31.5;
const PILL = 20;
const LETTER = 6.2;
const DOT = 8;
const GAP = 4;
const NAME_MAX = 18;
const ROWS_MAX = 10;

/** @type {Map<string, {x: number, y: number, width: number}>} */ let places = new Map();
/** @type {Map<string, SVGElement>} */ let pills = new Map();
/** @type {Map<string, SVGElement>} */ let lines = new Map();
let lit = '';

/**
 * @param {Tree} tree
 * @param {number} room pixels from left to right
 * @returns {SVGElement}
 */
export function drawTree(tree, room) {
  const widthOf = (id) => Math.max(54, short(id).length * LETTER + 20 + DOT * (tree.nodes[id].experiences || []).length);
  const rows = rowsOf(tree).flatMap((row) => wrapped(row, widthOf, room));
  places = new Map();
  rows.forEach((row, depth) => {
    const gap = (room - row.reduce((sum, id) => sum + widthOf(id), 0)) / (row.length + 1);
    let left = Math.max(2, gap);
    for (const id of row) {
      const width = widthOf(id);
      places.set(id, {x: left + width / 2, y: depth * ROW + ROW / 2, width});
      left += width + Math.max(GAP, gap);
    }
  });
  lit = '';
  lines = new Map();
  pills = new Map(Object.keys(tree.nodes).map((id) => [id, pill(id, tree.nodes[id])]));
  for (const [id, node] of Object.entries(tree.nodes)) {
    for (const {to} of node.edges || []) line(id, to, 'tree-edge');
    if (node.after) line(id, node.after.to, 'tree-after');
  }
  return svg(rows.length > ROWS_MAX ? 'svg.tree.tall' : 'svg.tree', {viewBox: `0 0 ${room} ${rows.length * ROW}`, role: 'img'},
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
  if (here !== lit) show(drawing, here);
}

/** Scrolls a tall tree to a node; never the panel, nor the page. */
function show(drawing, id) {
  const [frame, place] = [drawing.parentElement, places.get(id)];
  if (!place || !drawing.classList.contains('tall') || !frame || !frame.clientHeight) return; // as in a closed panel
  lit = id;
  frame.scrollTop = place.y - frame.clientHeight / 2;
}

const short = (id) => (id.length > NAME_MAX ? `${id.slice(0, NAME_MAX - 1)}…` : id);

function pill(id, node) {
  const {x, y, width} = places.get(id);
  const dots = (node.experiences || []).map(({kind}, at) => (
    svg(`circle.dot.${kind}`, {cx: x - width / 2 + 11 + at * DOT, cy: y, r: 2.7})
  ));
  return svg('g.tree-node', {'data-node': id}, svg('title', {}, id),
    svg('rect', {x: x - width / 2, y: y - PILL / 2, width, height: PILL, rx: PILL / 2}), ...dots,
    svg('text', {x: x + dots.length * DOT / 2, y: y + 3.6, 'text-anchor': 'middle'}, short(id)));
}

function line(from, to, kind) {
  const [start, end] = [places.get(from), places.get(to)];
  if (!start || !end || lines.has(`${from} ${to}`)) return;
  const [top, bottom] = [start.y + PILL / 2, end.y - PILL / 2];
  const bend = Math.max(8, (bottom - top) / 2);
  const way = `M${start.x} ${top}C${start.x} ${top + bend} ${end.x} ${bottom - bend} ${end.x} ${bottom}`;
  lines.set(`${from} ${to}`, svg(`path.${kind}`, {d: way}));
}

/** A row in as many lines as it needs, about equally full. */
function wrapped(row, widthOf, room) {
  const taken = (ids) => ids.reduce((sum, id) => sum + widthOf(id) + GAP, 0);
  const full = taken(row) / Math.ceil(taken(row) / (room - GAP));
  const parts = [[]];
  for (const id of row) {
    const last = parts[parts.length - 1];
    if (last.length && (taken(last) >= full || taken([...last, id]) > room - GAP)) parts.push([id]); else last.push(id);
  }
  return parts;
}

/** Node ids by row; within a row near their parents. */
function rowsOf(tree) {
  const {parents, depth} = depths(tree);
  const rows = [];
  for (const id of Object.keys(tree.nodes)) (rows[depth.get(id)] ||= []).push(id);
  const at = new Map();
  for (const row of rows) {
    const middle = (id) => {
      const known = parents.get(id).filter((one) => at.has(one)).map((one) => at.get(one));
      return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : 0.5;
    };
    const wanted = new Map(row.map((id) => [id, middle(id)]));
    row.sort((one, other) => wanted.get(one) - wanted.get(other));
    row.forEach((id, place) => at.set(id, (place + 1) / (row.length + 1)));
  }
  return rows;
}

/** How many steps the longest way to each node has; every way in is looked at once, since no way comes round again. */
function depths(tree) {
  const ways = (id) => {
    const {edges = [], after} = tree.nodes[id];
    return [...new Set([...edges.map(({to}) => to), ...(after ? [after.to] : [])])];
  };
  const parents = new Map(Object.keys(tree.nodes).map((id) => [id, []]));
  for (const id of parents.keys()) for (const to of ways(id)) parents.get(to).push(id);
  const awaited = new Map([...parents].map(([id, from]) => [id, from.length]));
  const depth = new Map([[tree.root, 0]]);
  const open = [tree.root];
  while (open.length) {
    const id = open.shift();
    for (const to of ways(id)) {
      depth.set(to, Math.max(depth.get(to) || 0, depth.get(id) + 1));
      awaited.set(to, awaited.get(to) - 1);
      if (!awaited.get(to)) open.push(to);
    }
  }
  return {parents, depth};
}
