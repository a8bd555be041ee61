// The page: choose a picture, see the emotions it is likely to evoke and its nearest pictures. No dependencies.
import { fromHash } from "./address.js";
import "./admin.js";
import { showCounts } from "./counts.js";
import { loadInfo } from "./info.js";
import { show } from "./search.js";
import { page } from "./state.js";
import { showTheme } from "./themes.js";
import "./travel.js";
import "./ways_in.js";

showTheme();
const first = fromHash();
showCounts(show);
page.trail = Array.isArray(history.state?.trail) && history.state.trail.length ? history.state.trail : first ? [first] : [];
history.replaceState({ trail: page.trail }, "");
page.ready = loadInfo();
show();
