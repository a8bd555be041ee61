// What the page holds, and what the service said of itself.

export const USUAL_COUNT = 12;

export const CARDS_KEPT = 2000;
export const ANSWERS_KEPT = 60;

export const page = {
  info: null,
  trail: [], // steps: {type: "upload", key, name} or {type: "image", id}; one per history entry since the first
  k: USUAL_COUNT,
  flight: null, // AbortController of the search under way
  uploads: new Map(), // key -> {file, url}
  answers: new Map(), // step key -> {asked, query, results}
  cards: new Map(), // id -> what a result said about that picture
};

export const emotions = () => page.info?.model?.taxonomy?.emotions ?? [];

export const sideOf = (name) => emotions().find((emotion) => emotion.name === name)?.polarity ?? null;

export const hasGallery = () => page.info === null || (page.info.index?.count ?? 0) > 0;

export const stepKey = (step) => (step.type === "upload" ? step.key : `image:${step.id}`);
export const pictureOf = (step) => (step.type === "upload" ? page.uploads.get(step.key)?.url : `images/${encodeURIComponent(step.id)}`);
export const thumbOf = (step) => (step.type === "upload" ? page.uploads.get(step.key)?.url : `images/${encodeURIComponent(step.id)}/thumbnail`);
export const current = () => page.trail.at(-1) ?? null;

export function keep(map, key, value, most) {
  map.delete(key);
  map.set(key, value);
  while (map.size > most) map.delete(map.keys().next().value);
}
