// Which colour an emotion has.
import { emotions, page } from "./state.js";

const HUES = {
  amusement: 0, contentment: 1, awe: 2, excitement: 3, fear: 4, sadness: 5, disgust: 6, anger: 7,
  joy: 0, happiness: 0, surprise: 8, neutral: 9, love: 3, trust: 1, anticipation: 8,
};
export const SPARE_HUES = [8, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7];

// Each emotion of the label set has its own colour while there are twelve or fewer: its usual one, or a spare.
let colours = { of: null, by: new Map() };
function pickColours(names) {
  const by = new Map();
  for (const name of names) if (name in HUES && ![...by.values()].includes(HUES[name])) by.set(name, HUES[name]);
  const free = SPARE_HUES.filter((number) => ![...by.values()].includes(number));
  names.filter((name) => !by.has(name)).forEach((name, i) => by.set(name, free[i] ?? SPARE_HUES[(i - free.length) % SPARE_HUES.length]));
  return by;
}
export function hue(name) {
  if (colours.of !== page.info) colours = { of: page.info, by: pickColours(emotions().map((emotion) => emotion.name)) };
  return `var(--emo-${colours.by.get(name) ?? HUES[name] ?? 9})`;
}
export const mood = (name) => { // the page's tint follows the picture
  const root = document.documentElement.style;
  root.setProperty("--mood", name ? hue(name) : "var(--emo-3)");
  root.setProperty("--mood-2", name ? hue(name) : "var(--emo-0)");
};
