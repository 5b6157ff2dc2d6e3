// The entry: imports every script and gives Dash what it calls. dashboard/script_modules.py joins them into one file.
import { chart } from "./charts.js";
import { register } from "./dash.js";
import "./dialogs.js";
import { grid } from "./grid.js";
import "./heading-anchors.js";
import "./ingest-forms.js";
import "./last-visit.js";
import { poll } from "./live.js";
import "./log-scroll.js";
import { apply } from "./morph.js";
import { navigation, scope, scoped } from "./navigate.js";
import "./palette.js";
import { shared } from "./share.js";
import "./shortcuts.js";
import "./sql-console.js";
import "./theme.js";
import { past } from "./time-travel.js";

register({ apply, chart, grid, navigation, past, poll, scope, scoped, shared });
