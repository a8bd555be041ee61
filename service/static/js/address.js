// What of the page stands in its address: a gallery picture or a mood, and the wish; never a picture of one's own.
import { page } from "./state.js";
import { fromParams, toParams } from "./wish.js";

export function hashOf(step) {
  const params = new URLSearchParams(step.type === "image" ? { image: step.id } : { mood: step.name });
  for (const [name, value] of toParams(page.wish, { blend: step.type === "image" })) params.append(name, value);
  return `#${params}`;
}
export function fromHash() {
  const params = new URLSearchParams(location.hash.slice(1));
  const wish = fromParams(params);
  if (params.get("image")) return { step: { type: "image", id: params.get("image") }, wish };
  if (params.get("mood")) return { step: { type: "mood", name: params.get("mood") }, wish: { ...wish, mood: null } };
  return { step: null, wish };
}
export const canBeShared = (step) => step !== null && step.type !== "upload";
export const urlOf = (step) => `${location.pathname}${location.search}${canBeShared(step) ? hashOf(step) : ""}`;
