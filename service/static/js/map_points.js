// The points of the map, from the service's columns: places, groups to colour by, and which of them are shown.
import { hue, SPARE_HUES } from "./colours.js";
import { labelOf } from "./words.js";

const SIDE = 10000;
const MOST_GROUPS = 11; // labels with a colour of their own; all further ones share one
const GREY = "var(--emo-9)";

export function pointsOf(answer) {
  const scaled = (column) => Float32Array.from(column, (value) => value / SIDE);
  return { ...answer, x: scaled(answer.x), y: scaled(answer.y), shown: new Uint8Array(answer.ids.length).fill(1), rows: new Map(answer.ids.map((id, i) => [id, i])) };
}
export const emotionAt = (points, i) => points.emotions[points.emotion[i]];
export const labelAt = (points, i) => (points.label[i] === null ? null : labelOf({ label: points.labels[points.label[i]] }));

// Groups with names, colours and counts, the largest first; `of` is each point's group.
export function groupsOf(points, by) {
  const names = by === "label" ? points.label.map((one) => (one === null ? "no label" : points.labels[one])) : points.emotion.map((one) => points.emotions[one]);
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const own = by === "label" ? ranked.slice(0, MOST_GROUPS) : ranked;
  const known = new Set(points.emotions);
  let spare = 0;
  const tint = (name) => (name === "no label" ? GREY : known.has(name) ? hue(name) : `var(--emo-${SPARE_HUES[(spare += 1) % SPARE_HUES.length]})`);
  const groups = own.map(([name, count]) => ({ name: by === "label" ? labelOf({ label: name }) : name, tint: tint(name), count }));
  const rest = ranked.slice(own.length).reduce((sum, [, count]) => sum + count, 0);
  if (rest) groups.push({ name: "other labels", tint: GREY, count: rest });
  const numbers = new Map(own.map(([name], i) => [name, i]));
  return { groups, of: Uint8Array.from(names, (name) => numbers.get(name) ?? groups.length - 1) };
}

// Where a picture lies that has no place of its own: amid its nearest pictures, nearer to a nearer one.
export function amid(places) {
  const weights = places.map(({ distance }) => 1 / (distance ** 2 + 1e-4));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const mean = (axis) => places.reduce((total, place, i) => total + weights[i] * place[axis], 0) / sum;
  return places.length ? [mean("x"), mean("y")] : null;
}
