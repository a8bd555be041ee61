// What of the page stands in its address.
import { page, USUAL_COUNT } from "./state.js";

export const COUNTS = [3, 12, 30];

export const hashOf = (id) => `#image=${encodeURIComponent(id)}${page.k === USUAL_COUNT ? "" : `&k=${page.k}`}`;
export function fromHash() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const k = Number(hash.get("k"));
  if (COUNTS.includes(k)) page.k = k;
  return hash.get("image") ? { type: "image", id: hash.get("image") } : null;
}

export const urlOf = (step) => `${location.pathname}${location.search}${step?.type === "image" ? hashOf(step.id) : ""}`;
