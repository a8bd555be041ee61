// Runs while the head is being read, so that the remembered theme is there before the first paint.
const THEME_KEY = "feelalike-theme";
const remembered = () => { try { return localStorage.getItem(THEME_KEY); } catch { return null; } };
if (["light", "dark"].includes(remembered())) document.documentElement.dataset.theme = remembered();
