// Deleting a picture of the gallery, after asking.
import { adminProblem, askAsAdmin, forgetProblem, galleryChanged, isAdmin } from "./admin_session.js";
import { ask } from "./ask.js";
import { $, say } from "./dom.js";
import { current, page } from "./state.js";

// Whether it is gone.
export async function deletePicture(id) {
  forgetProblem();
  const isSure = await ask("Delete this picture from the gallery?", "No search finds it from now on, whatever index is built or rolled back to. The store's own copy of an added picture is erased; an original in the gallery's folder stays there.", "Delete it");
  if (!isSure) return false;
  try {
    await askAsAdmin(`images/${encodeURIComponent(id)}`, { method: "DELETE" });
  } catch (problem) {
    $("admin").open = true;
    adminProblem(problem);
    if (problem.code !== "unknown_image") return false; // then somebody else was faster
  }
  for (const kept of [page.cards, page.details]) kept.delete(id);
  galleryChanged();
  document.dispatchEvent(new CustomEvent("deleted", { detail: id }));
  say("The picture was deleted.");
  return true;
}
document.addEventListener("admin", () => { $("delete-picture").hidden = !isAdmin(); });
$("delete-picture").hidden = !isAdmin();
$("delete-picture").addEventListener("click", async () => {
  const { id } = current();
  if (!(await deletePicture(id))) return;
  if (current()?.id !== id) return;
  if (page.trail.length > 1) history.back();
  else $("home").click();
});
