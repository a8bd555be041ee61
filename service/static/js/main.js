// The page: choose a picture, see the emotions it is likely to evoke and its nearest pictures. No dependencies.
import "./admin.js";
import "./compare.js";
import { listen, makeForm } from "./filters.js";
import { loadInfo } from "./info.js";
import "./map.js";
import { show } from "./search.js";
import { page } from "./state.js";
import { showTheme } from "./themes.js";
import { start, wishFor } from "./travel.js";
import "./ways_in.js";

showTheme();
start();
makeForm();
listen(wishFor);
document.addEventListener("wish", (event) => wishFor(event.detail));
page.ready = loadInfo();
show();
