// Numbers and answers in words; knows no page.

// there to certainty (30 % of eight, 23 % of thirty) no emotion stands out.
export const unsureBelow = (n) => 1 / n + 0.2 * (1 - 1 / n);
// A model that names several emotions has a threshold for each; where none is reached it names the likeliest all the same.
export const caveats = (query, n, thresholds = null) => ({
  unfamiliar: query?.unfamiliar === true,
  unsure: Boolean(query) && query.confidence < (query.emotions ? thresholds?.[query.emotion] ?? 0 : unsureBelow(n)),
});

export const felt = (picture) => picture.emotions ?? [picture.emotion];
export const NAMED = 3; // emotions that a sentence names
export function inWords(names) {
  const shown = names.length > NAMED + 1 ? [...names.slice(0, NAMED), `${names.length - NAMED} more`] : names;
  return shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : shown[0];
}

export const percent = (p) => {
  const value = 100 * p;
  if (value > 0 && value < 0.1) return "< 0.1\u202f%";
  return `${value < 9.95 && value > 0 ? value.toFixed(1) : Math.round(value)}\u202f%`;
};
export const whole = (n) => new Intl.NumberFormat("en").format(n);
export const bytes = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(n >= 1e7 ? 0 : 1)} MB` : `${Math.max(1, Math.round(n / 1e3))} kB`);
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const sentence = (text) => `${capital(text)}${/[.!?…]$/.test(text) ? "" : "."}`;

export const labelOf = (picture) => picture?.label?.split("|").join(" or ");

export const isRecord = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
export const number = (value) => (Number.isInteger(value) ? whole(value) : Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toFixed(Math.abs(value) < 10 ? 3 : 1));

// Numbers at any depth: the last key names the row, the path before it the column.
export function leaves(value, path = []) {
  if (isRecord(value)) return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
  return ["number", "string", "boolean"].includes(typeof value) ? [{ group: path.slice(0, -1).join(" › "), key: path.at(-1), value }] : [];
}

export const when = (text) => { const date = new Date(text); return text && !Number.isNaN(+date) ? date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }) : text; };

// Distances of normalised embeddings go from 0 to 2. The words are for people, the number decides.
const NEARNESS = [[0.0005, "the same picture, or a copy of it"], [0.1, "very near"], [0.25, "near"], [0.45, "some way off"], [Infinity, "far"]];
export const distanceInWords = (distance) => `Distance ${distance.toFixed(3)}: ${NEARNESS.find(([below]) => distance < below)[1]}.`;
// What two profiles have in common: 1 where they are the same, 0 where no emotion has a share in both.
export function likeness(one, other) {
  const names = Object.keys({ ...one, ...other });
  const total = (pick) => names.reduce((all, name) => all + pick(one[name] ?? 0, other[name] ?? 0), 0);
  return total(Math.min) / (total(Math.max) || 1);
}
