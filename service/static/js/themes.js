// The button that changes the theme; theme.js has set the remembered one already.
import { $ } from "./dom.js";
import { capital } from "./words.js";

const THEME_KEY = "feelalike-theme";
const THEMES = ["auto", "light", "dark"];
export function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "auto";
  $("theme-text").textContent = capital(theme);
  $("theme-icon").textContent = { auto: "◐", light: "○", dark: "●" }[theme];
  $("theme").setAttribute("aria-label", `Theme: ${theme}. Change it.`);
}
$("theme").addEventListener("click", () => {
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % THEMES.length];
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try { localStorage.setItem(THEME_KEY, theme); } catch { /* not remembered, still changed */ }
  showTheme();
});
