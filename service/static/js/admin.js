// The admin part: signing in and out; adding, deleting and rebuilding stand in modules of their own.
import "./admin_add.js";
import "./admin_delete.js";
import { findRunning } from "./admin_jobs.js";
import { adminProblem, askAsAdmin, forgetProblem, isAdmin, signIn, signOut } from "./admin_session.js";
import { $, say } from "./dom.js";
import { page } from "./state.js";

function showRooms() {
  const isOn = page.info?.admin_enabled ?? false;
  $("admin").hidden = !page.info;
  $("admin-off").hidden = isOn;
  $("admin-form").hidden = !isOn || isAdmin();
  $("admin-rooms").hidden = !isOn || !isAdmin();
  $("admin-short").textContent = !isOn ? "off" : isAdmin() ? "signed in" : "";
}
$("admin-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  forgetProblem();
  const given = $("token").value.trim();
  $("sign-in").disabled = true;
  try {
    await askAsAdmin("admin/jobs", {}, given); // the least that only the admin is told
    $("token").value = "";
    signIn(given);
    say("Signed in.");
    $("add-files").focus();
  } catch (problem) {
    adminProblem(problem);
    $("token").focus();
  } finally {
    $("sign-in").disabled = false;
  }
});
$("sign-out").addEventListener("click", () => {
  signOut();
  say("Signed out.");
  $("token").focus();
});
document.addEventListener("admin", () => {
  showRooms();
  if (isAdmin()) findRunning().catch(adminProblem);
});
let isFirst = true;
document.addEventListener("informed", () => {
  showRooms();
  if (isFirst && isAdmin()) findRunning().catch(adminProblem);
  isFirst = false;
});
