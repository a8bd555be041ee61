// What the page holds, and what the service said of itself.
import { USUAL } from "./wish.js";

export const CARDS_KEPT = 2000;
export const ANSWERS_KEPT = 60;

export const page = {
  info: null,
  ready: null, // settled once the facts are there, or are known not to come
  trail: [], // steps: {type: "upload", key, name}, {type: "image", id} or {type: "mood", name}; each with `at`, its place in the history
  at: 0, // place in the history where the page is
  wish: { ...USUAL },
  flight: null, // AbortController of the search under way
  uploads: new Map(), // key -> {file, url}
  answers: new Map(), // step and wish -> {asked, results}
  queries: new Map(), // step -> all that the model says of its picture
  shown: [], // the results on the page
  cards: new Map(), // id -> what a result said about that picture
  details: new Map(), // id -> all probabilities and the size of that picture
};

export const emotions = () => page.info?.model?.taxonomy?.emotions ?? [];
export const sideOf = (name) => emotions().find((emotion) => emotion.name === name)?.polarity ?? null;
export const hasGallery = () => page.info === null || (page.info.index?.count ?? 0) + (page.info.index?.added ?? 0) > 0;

// Addresses without a leading slash lie beside the page, wherever a proxy puts it.
const imageUrl = (id) => `images/${encodeURIComponent(id)}`;
export const stepKey = (step) => ({ upload: step.key, image: `image:${step.id}`, mood: `mood:${step.name}` })[step.type];
export const pictureOf = (step) => ({ upload: page.uploads.get(step.key)?.url, image: imageUrl(step.id), mood: null })[step.type];
export const thumbOf = (step) => (step.type === "image" ? `${imageUrl(step.id)}/thumbnail` : pictureOf(step));
export const current = () => page.trail.at(-1) ?? null;

export function keep(map, key, value, most) {
  map.delete(key);
  map.set(key, value);
  while (map.size > most) map.delete(map.keys().next().value);
}
