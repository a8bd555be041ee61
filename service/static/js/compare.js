// How alike two pictures feel, and where: what the model says of both, side by side.
import { hue } from "./colours.js";
import { $, h } from "./dom.js";
import { queryOf } from "./search.js";
import { current, page, pictureOf, sideOf } from "./state.js";
import { distanceInWords, felt, inWords, likeness, percent } from "./words.js";

const figure = (src, caption) => h("figure", {}, h("img", { src, alt: "" }), h("figcaption", {}, caption));

// One row an emotion, the query's bar to the left, the result's to the right, both from the middle.
function drawProfiles(query, result) {
  const names = Object.keys(result.probabilities).sort((a, b) => sum(b, query, result) - sum(a, query, result));
  const longest = Math.max(...names.flatMap((name) => [query?.probabilities?.[name] ?? 0, result.probabilities[name]])) || 1;
  const bar = (p) => h("span", { class: "fill", "--p": p / longest, "aria-hidden": "true" });
  const rows = names.map((name) => h("tr", { "--tint": hue(name) },
    h("td", {}, query ? [h("span", { class: "num" }, percent(query.probabilities[name] ?? 0)), bar(query.probabilities[name] ?? 0)] : null),
    h("th", { scope: "row", title: sideOf(name) }, name),
    h("td", {}, bar(result.probabilities[name]), h("span", { class: "num" }, percent(result.probabilities[name])))));
  const head = h("tr", {}, h("th", { scope: "col" }, query ? "This picture" : ""), h("th", { scope: "col" }, "emotion"), h("th", { scope: "col" }, "The other"));
  return h("table", { class: "profiles" }, h("caption", { class: "vh" }, "Probability of every emotion for both pictures"), h("thead", {}, head), h("tbody", {}, ...rows));
}
const sum = (name, query, result) => (query?.probabilities?.[name] ?? 0) + result.probabilities[name];

function sentences(query, result, distance) {
  const told = [distanceInWords(distance)];
  if (page.wish.mood && query) told.push(`The search was moved ${percent(page.wish.weight)} towards ${page.wish.mood}, and the distance is from there.`);
  if (!query || !result.probabilities) return told;
  const [own, other] = [felt(query), felt(result)];
  const both = own.filter((name) => other.includes(name));
  told.push(both.length ? `Both are likely to evoke ${inWords(both)}.` : `The one is likeliest to evoke ${inWords(own)}, the other ${inWords(other)}.`);
  told.push(`Their profiles overlap by ${percent(likeness(query.probabilities, result.probabilities))}.`);
  if (query.polarity && result.polarity) told.push(query.polarity === result.polarity ? `Both lean to the ${query.polarity} side.` : `They lean to opposite sides: ${query.polarity} and ${result.polarity}.`);
  return told;
}
const leaning = (mood) => (mood?.polarity_probabilities ? `${mood.polarity} ${percent(mood.polarity_probabilities[mood.polarity])}` : null);

function open(id) {
  const step = current();
  const [card, result] = [page.shown.find((one) => one.id === id), page.details.get(id)];
  const known = queryOf(step);
  const query = step.type !== "mood" && known?.probabilities ? known : null;
  const dim = page.info?.model?.embedding_dim;
  const pictures = h("div", { class: "pair" },
    step.type === "mood" ? null : figure(pictureOf(step), ["This picture", leaning(query)].filter(Boolean).join(", ")),
    figure(card.thumbnail_url, [step.type === "mood" ? "The picture" : "The other", leaning(result)].filter(Boolean).join(", ")));
  $("compare-body").replaceChildren(pictures,
    ...sentences(query, result ?? card, card.distance).map((text, i) => h("p", { class: i ? null : "lead" }, text)),
    result ? drawProfiles(query, result) : h("p", { class: "dim" }, "The service has not told the other picture's profile."),
    h("p", { class: "fine" }, `The order goes by the distance of the two embeddings${dim ? ` (${dim} numbers each)` : ""}, not by these percentages: they show where the model sees the likeness, not how it was computed.`));
  $("compare-title").textContent = step.type === "mood" ? `Why this picture stands for ${step.name}` : "How alike these two feel";
  $("compare").showModal();
}
document.addEventListener("click", (event) => {
  const why = event.target.closest?.("[data-why]");
  if (why) open(why.dataset.why);
});
$("compare").addEventListener("click", (event) => { if (event.target === $("compare")) $("compare").close(); }); // beside it
