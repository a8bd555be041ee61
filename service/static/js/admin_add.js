// Adding pictures to the gallery, one after the other; each row says what became of its own.
import { adminProblem, askAsAdmin, forgetProblem, galleryChanged } from "./admin_session.js";
import { deletePicture } from "./admin_delete.js";
import { hashOf } from "./address.js";
import { $, h } from "./dom.js";
import { patiently, Problem } from "./service.js";
import { page } from "./state.js";
import { bytes, felt, inWords, whole } from "./words.js";

let flight = null; // AbortController of the adding under way

function rowOf(file) {
  const text = h("span", { class: "add-said dim" }, "waiting");
  const picture = h("span", { class: "add-thumb" });
  const row = h("li", {}, picture, h("span", { class: "add-name" }, file.name, text), h("span", { class: "add-links" }));
  $("add-items").append(row);
  return row;
}
function tell(row, text, kind = "dim") {
  row.querySelector(".add-said").className = `add-said ${kind}`;
  row.querySelector(".add-said").textContent = text;
}
function tellAdded(row, { created, picture }) {
  tell(row, `${created ? "added" : "is in the gallery already"}; likely to evoke ${inWords(felt(picture))}`, "");
  row.querySelector(".add-thumb").replaceChildren(h("img", { src: picture.thumbnail_url, alt: "", width: 48, height: 48, loading: "lazy" }));
  const name = row.querySelector(".add-name").firstChild.textContent;
  row.querySelector(".add-links").replaceChildren(
    h("a", { href: hashOf({ type: "image", id: picture.id }), "data-id": picture.id, "aria-label": `Search from ${name}` }, "Search from it"),
    h("button", { type: "button", class: "link", "aria-label": `Delete ${name}`, onclick: () => deletePicture(picture.id) }, "Delete"));
}
document.addEventListener("deleted", ({ detail: id }) => {
  for (const row of $("add-items").children) {
    if (row.querySelector("a")?.dataset.id !== id) continue;
    tell(row, "deleted");
    row.querySelector(".add-thumb").replaceChildren();
    row.querySelector(".add-links").replaceChildren();
  }
});
async function add(file, label, row, signal) {
  const limit = page.info?.limits?.max_upload_bytes;
  if (limit && file.size > limit) throw new Problem(413, { title: "Too many bytes", detail: `it has ${bytes(file.size)}; at most ${bytes(limit)} can be taken` });
  const form = new FormData();
  form.append("file", file, file.name);
  if (label) form.append("label", label);
  tell(row, "adding…");
  const post = () => askAsAdmin("images", { method: "POST", body: form, signal });
  const answer = await patiently(post, signal, (problem, left) => tell(row, `${problem.title}; trying again in ${left}\u202fs`));
  const [item] = (await answer.json()).items;
  if (item.error) throw new Problem(item.error.status, item.error);
  return item;
}
async function addAll(files, label, signal) {
  const tally = { added: 0, there: 0, refused: 0 };
  const rows = files.map(rowOf);
  for (const [i, file] of files.entries()) {
    $("add-text").textContent = `Adding ${whole(i + 1)} of ${whole(files.length)}…`;
    $("add-bar").value = i;
    try {
      const item = await add(file, label, rows[i], signal);
      tellAdded(rows[i], item);
      tally[item.created ? "added" : "there"] += 1;
    } catch (problem) {
      if (problem.name === "AbortError") { rows.slice(i).forEach((row) => tell(row, "not added: stopped")); break; }
      if (!(problem instanceof Problem)) throw problem;
      tally.refused += 1;
      tell(rows[i], `refused: ${problem.message}`, "bad");
      if (problem.status === 401) { rows.slice(i + 1).forEach((row) => tell(row, "not added")); adminProblem(problem); break; }
    }
  }
  return tally;
}
$("add-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const files = [...$("add-files").files];
  if (flight || !files.length) return;
  forgetProblem();
  flight = new AbortController();
  $("add-items").replaceChildren();
  $("add-bar").max = files.length;
  $("add-bar").hidden = $("add-stop").hidden = false;
  $("add-go").disabled = true;
  try {
    const { added, there, refused } = await addAll(files, $("add-label").value.trim(), flight.signal);
    $("add-text").textContent = `${whole(added)} added${there ? `, ${whole(there)} there already` : ""}${refused ? `, ${whole(refused)} refused` : ""}.${added ? " Searches find what was added from now on." : ""}`;
    $("add-form").reset();
    if (added) galleryChanged();
  } finally {
    flight = null;
    $("add-bar").hidden = $("add-stop").hidden = true;
    $("add-go").disabled = false;
  }
});
$("add-stop").addEventListener("click", () => flight?.abort());
