// A problem in words.
import { h } from "./dom.js";

export function showProblem(box, problem, retry, options = {}) {
  const ids = [problem.code, problem.requestId && `request ${problem.requestId}`].filter(Boolean).join(" · ");
  box.classList.toggle("calm", Boolean(options.calm));
  box.replaceChildren(
    h("h3", {}, problem.title), problem.message && problem.message !== problem.title ? h("p", {}, problem.message) : "",
    ids ? h("p", { class: "ids" }, ids) : "",
    retry ? h("button", { type: "button", class: "button soft", onclick: retry }, options.label ?? "Try again") : "");
  box.hidden = false;
}
