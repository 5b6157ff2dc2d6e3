// What the scripts share: window.rt holds their common functions, dash_clientside.rt those that Dash calls.
window.rt = {};
window.dash_clientside = Object.assign(window.dash_clientside || {}, { rt: {} });
