// Facts of the model and the gallery.
import { $, h } from "./dom.js";
import { page } from "./state.js";
import { isRecord, leaves, number, percent, when, whole } from "./words.js";

export function facts(pairs) {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? number(value) : String(value))]));
}

function metricsTable(metrics) {
  const all = leaves(metrics);
  const numbers = all.filter((leaf) => typeof leaf.value === "number");
  const groups = [...new Set(numbers.map((leaf) => leaf.group))];
  const keys = [...new Set(numbers.map((leaf) => leaf.key))];
  const found = new Map(numbers.map((leaf) => [`${leaf.group}\n${leaf.key}`, leaf.value]));
  const flip = groups.length > keys.length; // the longer side goes down
  const [rows, columns] = flip ? [groups, keys] : [keys, groups];
  const cell = (row, column) => found.get(flip ? `${row}\n${column}` : `${column}\n${row}`);
  const table = h("table", {},
    columns.length > 1 || columns[0] ? h("thead", {}, h("tr", {}, h("td", {}), ...columns.map((column) => h("th", { scope: "col" }, column || "overall")))) : null,
    h("tbody", {}, ...rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row || "overall"), ...columns.map((column) => h("td", {}, cell(row, column) === undefined ? "" : number(cell(row, column))))))));
  const words = all.filter((leaf) => typeof leaf.value !== "number");
  return [
    numbers.length ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Measured quality" }, table) : h("p", { class: "dim" }, "Nothing has been measured for this model."),
    words.length ? facts(words.map((leaf) => [[leaf.group, leaf.key].filter(Boolean).join(" › "), leaf.value])) : null,
  ];
}

// The first figures of each kind, wherever in the metrics they stand, said as people would.
const SAID = {
  accuracy: (value, n) => `It names the right one of ${n} emotions for ${percent(value)} of unseen photos.`,
  accuracy_polarity: (value) => `It tells the right side, positive or negative, for ${percent(value)}.`,
  NN: (value) => `The nearest picture has the same emotion in ${percent(value)} of searches.`,
};
function inShort(metrics, n) {
  const all = leaves(metrics);
  const said = Object.entries(SAID).map(([key, say]) => [all.find((leaf) => leaf.key === key && leaf.value <= 1), say]);
  return said.filter(([leaf]) => leaf).map(([leaf, say]) => h("li", {}, say(leaf.value, n)));
}
export function showAbout() {
  const { info } = page, { model, index } = info;
  const data = model.training_data;
  const table = metricsTable(model.metrics ?? {});
  const short = inShort(model.metrics ?? {}, model.taxonomy.emotions.length);
  $("about-short").textContent = `${model.name}${index ? `, ${whole(index.count)} pictures` : ", no gallery"}`;
  $("about-body").replaceChildren(h("div", { class: "about-grid" },
    h("div", {}, h("h3", {}, "Model"), facts([
      ["name", model.name], ["id", model.model_id], ["emotions", `${model.taxonomy.emotions.length} (${model.taxonomy.name})`], ["backbone", model.backbone],
      ["numbers a picture", model.embedding_dim], ["runtime", [model.runtime, model.precision, model.device].filter(Boolean).join(", ")], ["service", [info.name, info.version].filter(Boolean).join(" ")],
    ])),
    h("div", {}, h("h3", {}, "Gallery"), index ? facts([
      ["pictures", index.count], ["added since", index.added || null], ["index", [index.kind, index.device].filter(Boolean).join(", ")], ["metric", index.metric], ["recall", index.recall], ["version", index.version], ["built", when(index.created)],
    ]) : h("p", { class: "dim" }, "No index is loaded. Emotions can be told, nearest pictures cannot."),
    ...(data ? [h("h3", {}, "Training data"), isRecord(data) ? facts(leaves(data).map((leaf) => [[leaf.group, leaf.key].filter(Boolean).join(" › "), leaf.value])) : h("p", {}, String(data))] : [])),
    h("div", {}, h("h3", {}, "Measured quality"), ...(short.length ? [h("ul", { class: "short" }, ...short)] : table)),
    short.length ? h("details", { class: "figures wide" }, h("summary", {}, "All figures"), ...table) : null,
    model.terms ? h("div", { class: "wide" }, h("h3", {}, "Licence and terms of the model and its data"), h("p", { class: "terms" }, model.terms)) : null));
}
