// How many pictures to show.
import { COUNTS, urlOf } from "./address.js";
import { $, h } from "./dom.js";
import { current, page } from "./state.js";

export function showCounts(onChange) {
  const most = page.info?.limits?.max_k ?? 100;
  const options = h("div", { class: "options" }, ...COUNTS.filter((k) => k <= most).map((k) => {
    const input = h("input", { type: "radio", name: "k", value: k, class: "vh", onchange: () => {
      page.k = k;
      history.replaceState(history.state, "", urlOf(current()));
      onChange();
    } });
    input.checked = k === page.k;
    return h("label", {}, input, String(k));
  }));
  $("count").replaceChildren($("count").querySelector("legend"), options);
}
