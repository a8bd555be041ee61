// What is wanted beside the picture: how many, which filters, which mood. The same names as the HTTP interface has.

export const COUNTS = [3, 12, 30, 100];
export const USUAL = Object.freeze({ k: 12, emotions: [], polarity: null, label: "", distance: null, dedupe: false, mood: null, weight: 0.3 });
export const FARTHEST = 1; // where the slider of distances means any

// Query parameters; `k` is left out where it is the usual one, unless it is asked for.
export function toParams(wish, { always = false, blend = true } = {}) {
  const params = new URLSearchParams();
  if (always || wish.k !== USUAL.k) params.set("k", wish.k);
  for (const name of wish.emotions) params.append("emotion", name);
  if (wish.polarity) params.set("polarity", wish.polarity);
  if (wish.label) params.set("label", wish.label);
  if (wish.distance !== null) params.set("max_distance", wish.distance);
  if (wish.dedupe) params.set("dedupe", "true");
  if (blend && wish.mood) {
    params.set("mood", wish.mood);
    params.set("mood_weight", wish.weight);
  }
  return params;
}
const between = (text, low, high) => (text !== null && text !== "" && Number(text) >= low && Number(text) <= high ? Number(text) : null);
// From an address, which anyone may have written: what makes no sense is left out.
export function fromParams(params) {
  const k = Number(params.get("k"));
  const polarity = params.get("polarity");
  return {
    k: COUNTS.includes(k) ? k : USUAL.k,
    emotions: params.getAll("emotion").filter(Boolean),
    polarity: ["positive", "negative"].includes(polarity) ? polarity : null,
    label: params.get("label") ?? "",
    distance: between(params.get("max_distance"), 0, 2),
    dedupe: params.get("dedupe") === "true",
    mood: params.get("mood") || null,
    weight: between(params.get("mood_weight"), 0, 1) ?? USUAL.weight,
  };
}
// Each filter that is set, in words.
export function filtersInWords(wish) {
  return [
    wish.emotions.length ? wish.emotions.join(" or ") : null,
    wish.polarity,
    wish.label ? `labelled ${wish.label}` : null,
    wish.distance === null ? null : `distance up to ${wish.distance.toFixed(2)}`,
    wish.dedupe ? "no copies" : null,
  ].filter(Boolean);
}
export const withoutFilters = (wish) => ({ ...USUAL, k: wish.k, mood: wish.mood, weight: wish.weight });
