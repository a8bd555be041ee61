// Who is signed in as admin, and what an admin's request is like. The token is kept in this tab alone.
import { $ } from "./dom.js";
import { loadInfo } from "./info.js";
import { showProblem } from "./problems.js";
import { call, Problem } from "./service.js";
import { page } from "./state.js";

const TOKEN_KEY = "feelalike-token";
let token = null;
try { token = sessionStorage.getItem(TOKEN_KEY); } catch { /* no storage: it is asked for at every visit */ }

export const isAdmin = () => token !== null;
export function signIn(given) {
  token = given;
  try { sessionStorage.setItem(TOKEN_KEY, given); } catch { /* as above */ }
  document.dispatchEvent(new CustomEvent("admin"));
}
export function signOut() {
  token = null;
  try { sessionStorage.removeItem(TOKEN_KEY); } catch { /* as above */ }
  document.dispatchEvent(new CustomEvent("admin"));
}
export const askAsAdmin = (path, options = {}, given = token) => call(path, { cache: "no-store", ...options, headers: { Authorization: `Bearer ${given}` } });

// Shows why a request failed; one that the service no longer takes as the admin's signs out.
export function adminProblem(problem) {
  if (!(problem instanceof Problem)) throw problem;
  if (problem.status === 401) signOut();
  showProblem($("admin-error"), problem, null);
}
export const forgetProblem = () => { $("admin-error").hidden = true; };

// What the page remembers of the gallery no longer holds.
export function galleryChanged() {
  page.answers.clear();
  page.ready = loadInfo();
}
