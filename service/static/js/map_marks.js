// Where the picture that was searched from, and its nearest, lie on the map.
import { amid } from "./map_points.js";
import { callJson } from "./service.js";
import { current, page, thumbOf } from "./state.js";

const SIDE = 10000;
const MOST_ASKED = 200;

// Places of pictures that are not among the points, because those are a sample.
async function placesOf(points, ids) {
  const places = new Map();
  for (const id of ids) {
    const row = points.rows.get(id);
    if (row !== undefined) places.set(id, [points.x[row], points.y[row]]);
  }
  const missing = ids.filter((id) => !places.has(id)).slice(0, MOST_ASKED);
  if (!missing.length || points.ids.length >= points.count) return places;
  const answer = await callJson(`map?${missing.map((id) => `id=${encodeURIComponent(id)}`).join("&")}`);
  answer.ids.forEach((id, i) => places.set(id, [answer.x[i] / SIDE, answer.y[i] / SIDE]));
  return places;
}

export async function markCurrent(points) {
  const step = current();
  const results = step ? page.shown : [];
  const own = step?.type === "image" ? step.id : null;
  const places = await placesOf(points, [...results.map((result) => result.id), ...(own ? [own] : [])]);
  const near = results.filter((result) => places.has(result.id));
  const neighbours = near.map((result) => places.get(result.id));
  const guess = amid(near.map((result) => ({ x: places.get(result.id)[0], y: places.get(result.id)[1], distance: result.distance })));
  const known = own ? places.get(own) : null;
  const rows = new Set([...near.map((result) => result.id), own].map((id) => points.rows.get(id)));
  const image = !known && guess && thumbOf(step) ? new Image() : null;
  if (image) image.src = thumbOf(step);
  await image?.decode().catch(() => {}); // an upload that is forgotten by now has no picture to show
  return { query: known ?? guess, neighbours, rows, isGuess: !known && Boolean(guess), image };
}
