// The wheel and the bars of an answer.
import { hue } from "./colours.js";
import { h, s } from "./dom.js";
import { sideOf } from "./state.js";
import { percent } from "./words.js";

const AXES = [0.1, 0.2, 0.4, 0.6, 0.8, 1];
export function drawWheel(names, probabilities, kind) {
  const radius = 117, core = 16, step = 360 / names.length;
  const top = probabilities ? names.reduce((a, b) => ((probabilities[b] ?? 0) > (probabilities[a] ?? 0) ? b : a)) : null;
  const axis = top === null ? 1 : AXES.find((limit) => (probabilities[top] ?? 0) <= limit) ?? 1;
  const at = (degrees, r) => {
    const angle = (degrees * Math.PI) / 180;
    return [(r * Math.sin(angle)).toFixed(2), (-r * Math.cos(angle)).toFixed(2)];
  };
  const arc = (from, to, r) => `M${at(from, r)}A${r} ${r} 0 0 1 ${at(to, r)}`;
  const sectors = s("g", { class: "sectors" }), rims = s("g"), petals = s("g"), labels = s("g");
  names.forEach((name, i) => {
    const [from, to, middle] = [i * step, (i + 1) * step, (i + 0.5) * step];
    const side = sideOf(name) ?? "neither";
    sectors.append(s("path", { class: side, d: `${arc(from, to, radius)}L0 0Z`, "stroke-width": 0.6 }));
    rims.append(s("path", { class: `rim ${side}`, d: arc(from, to, radius + 3) }));
    const p = probabilities ? probabilities[name] ?? 0 : { rest: [0.84, 0.72, 0.9, 0.78][i % 4], waiting: 0.55 }[kind];
    const long = core + Math.max(1.5, ((radius - core) * p) / axis), body = long - core, wide = Math.min(0.3 * long, 0.55 * body + 5) * Math.min(1, 8 / names.length);
    const d = `M0 ${-core + 4}C${-wide} ${-(core + 0.4 * body)} ${-wide} ${-(core + 0.97 * body)} 0 ${-long}C${wide} ${-(core + 0.97 * body)} ${wide} ${-(core + 0.4 * body)} 0 ${-core + 4}Z`;
    petals.append(s("g", { transform: `rotate(${middle})` },
      s("path", { class: name === top ? "petal top" : "petal", d, "--tint": hue(name), "--i": i })));
    const [x, y] = at(middle, radius + 15).map(Number);
    const anchor = Math.abs(x) < 12 ? "middle" : x > 0 ? "start" : "end";
    const up = y < -radius * 0.75 ? -12 : y > radius * 0.75 ? 9 : 0;
    labels.append(s("text", { x, y: y + up + (probabilities ? -1 : 5), "text-anchor": anchor, class: name === top ? "name top" : "name" }, name));
    if (probabilities) labels.append(s("text", { x, y: y + up + 15, "text-anchor": anchor, class: "pct" }, percent(p)));
  });
  const rings = s("g");
  if (probabilities) {
    for (const part of [0.5, 1]) {
      const r = core + (radius - core) * part;
      rings.append(s("circle", { class: "ring", r }));
      rings.append(s("text", { class: "scale", y: -r + (part === 1 ? 12 : 4) }, `${+(100 * axis * part).toFixed(1)}\u202f%`));
    }
  }
  const svg = s("svg", { class: kind === "waiting" && !probabilities ? "wheel waiting" : "wheel", viewBox: "-205 -154 410 308" });
  if (probabilities) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `Emotion wheel; the longest petal is ${top}, ${percent(probabilities[top] ?? 0)}. The list gives every number.`);
  } else svg.setAttribute("aria-hidden", "true");
  svg.append(sectors, rims, petals, s("circle", { class: "hub", r: core - 3 }), rings, labels);
  return svg;
}
export function drawBars(probabilities) {
  const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  return ranked.map(([name, p], i) => h("li", { class: i === 0 ? "bar top" : "bar", "--tint": hue(name), title: sideOf(name) },
    h("span", { class: "name" }, h("span", { class: "dot", "aria-hidden": "true" }), name),
    h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "fill", "--p": Math.min(1, p) })),
    h("span", { class: "num" }, percent(p))));
}
export function drawSides(sides) {
  if (!sides || !("positive" in sides && "negative" in sides)) return [];
  return [
    h("div", { class: "split", "aria-hidden": "true" }, h("span", { class: "negative", "--p": sides.negative }), h("span", { class: "positive", "--p": sides.positive })),
    h("div", { class: "ends" }, h("span", {}, `negative ${percent(sides.negative)}`), h("span", {}, `positive ${percent(sides.positive)}`)),
  ];
}
