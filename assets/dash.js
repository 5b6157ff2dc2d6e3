// The door to Dash: what it may call, and how it is called. No other script knows its names and events.

/** Give Dash the functions of its client-side callbacks, ClientsideFunction("rt", name) on the server. */
export function register(functions) {
  window.dash_clientside = Object.assign(window.dash_clientside || {}, { rt: functions });
}

/** What such a function returns so that nothing changes. */
export const noUpdate = () => window.dash_clientside.no_update;

/** Set properties of a component; callbacks with them as inputs follow. */
export const setProps = (id, properties) => window.dash_clientside.set_props(id, properties);

/** Have dcc.Location report an address that was pushed or replaced. */
export const addressChanged = () => window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));

/** Watch the requests for callbacks: Dash sends each once. `missed` is called when the server does not answer one. */
export function watchRequests(missed) {
  const nativeFetch = window.fetch.bind(window);
  window.fetch = async (...parameters) => {
    const [address] = parameters;
    const watched = String(address?.url ? address.url : address).includes("_dash-update-component");
    if (!watched) return nativeFetch(...parameters);
    try {
      const answer = await nativeFetch(...parameters);
      if (answer.status === 502 || answer.status === 503 || answer.status === 504) missed();
      return answer;
    } catch (error) {
      missed();
      throw error;
    }
  };
}
