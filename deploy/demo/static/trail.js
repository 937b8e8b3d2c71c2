/**
 * The way that the shopper took through the tree, from the root on, put together from two sources: experiences, which
 * arrive at once and name their node, and lookups, which know everything but are up to a checkpoint old.
 */
const STALE_MS = 3000;

/** @type {import('./tree_view.js').Tree|null} */ let tree = null;
let key = '';
/** @type {string[]} */ let trail = [];
let newest = {id: '', at: -Infinity};

/** @param {string} stored where this tab keeps the way across its pages */
export function openTrail(stored) {
  key = stored;
  trail = JSON.parse(sessionStorage.getItem(key) || '[]');
}
export function forgetTrail() { trail = tree ? [tree.root] : []; keep(); }
/** @returns {readonly string[]} node ids; the last is where the shopper stands */
export const way = () => trail;

/** A new generation; a way that it does not know begins again. */
export function plant(grown) {
  tree = grown;
  if (!trail.length || !trail.every((id) => id in tree.nodes)) forgetTrail();
}

/** An experience arrived; a tension that is told again says nothing of where the shopper stands. */
export function arriveAt({experience_id, node_id, kind}) {
  newest = {id: experience_id, at: performance.now()};
  if (kind !== 'basket_tension') stepTo(node_id);
}

/** A lookup came; one that does not know the newest experience yet is older than what the page knows. */
export function settle({tree: {node_id: here}, decisions}) {
  const stale = performance.now() - newest.at < STALE_MS && !decisions.some((one) => one.experience_id === newest.id);
  if (stale || !tree || !(here in tree.nodes) || trail[trail.length - 1] === here) return;
  const told = decisions.reduceRight((known, {path}) => (path.length > 1 ? joined(known, path) : known), []);
  if (told[told.length - 1] !== here || !told.every((id) => id in tree.nodes)) { stepTo(here); return; }
  trail = joined(trail, told);
  keep();
}

/** A way and a path that goes on from a node of it; a path from the root, or from elsewhere, begins a new way. */
function joined(known, path) {
  const from = path[0] === tree.root ? -1 : known.lastIndexOf(path[0]);
  return from < 0 ? path : [...known.slice(0, from), ...path];
}

/** Goes on to a node from the nearest node of the way that leads there. */
function stepTo(node) {
  if (!tree || !(node in tree.nodes) || trail[trail.length - 1] === node) return;
  let from = trail.length - 1;
  while (from >= 0 && !leads(trail[from], node)) from--;
  const back = trail.indexOf(node);
  trail = from >= 0 ? [...trail.slice(0, from + 1), node] : back >= 0 ? trail.slice(0, back + 1) : [tree.root, node];
  if (node === tree.root) trail = [node];
  keep();
}

function leads(id, to) {
  const {edges = [], after} = tree.nodes[id];
  return edges.some((edge) => edge.to === to) || Boolean(after && after.to === to);
}

function keep() { sessionStorage.setItem(key, JSON.stringify(trail)); }
