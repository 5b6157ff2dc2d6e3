// What is navigated to while the server is away: the old page must not stand under the new address, and the new one
// comes by itself. Dash asks once and gives up; here its questions are watched, and asked again when the beat is answered.
(() => {
  const rt = window.rt;
  const ASK = "_dash-update-component";
  const nativeFetch = window.fetch.bind(window);
  let lost = false; // a question went unanswered since the server was heard of last
  let laid = ""; // the address whose page is shown

  /** A page's address, whatever the order of its parameters; an opened text is no other page. */
  function page(href) {
    const url = new URL(href, location.href);
    const query = [...url.searchParams].filter(([name, value]) => value && name !== "case").sort();
    return `${url.pathname}?${new URLSearchParams(query)}`;
  }

  function show() {
    const place = document.getElementById("unloaded");
    if (!place) return;
    const away = lost && page(location.href) !== laid;
    if (document.documentElement.toggleAttribute("data-unloaded", away) === Boolean(place.firstChild)) return;
    if (!away) return place.replaceChildren();
    const [heading, words] = [document.createElement("h1"), document.createElement("p")];
    heading.textContent = "This page could not be loaded";
    words.textContent =
      "The server does not answer. It is asked again every two seconds, and the page comes by itself.";
    place.replaceChildren(heading, words);
  }

  window.fetch = async (...parameters) => {
    const [address] = parameters;
    if (!String(address?.url ? address.url : address).includes(ASK)) return nativeFetch(...parameters);
    try {
      const answer = await nativeFetch(...parameters);
      if (answer.status === 502 || answer.status === 503 || answer.status === 504) miss();
      return answer;
    } catch (error) {
      miss();
      throw error;
    }
  };

  function miss() {
    lost = true;
    show();
  }

  /** The server was heard: what went unanswered is asked again. */
  rt.heard = () => {
    if (!lost) return;
    lost = false;
    window.dash_clientside.set_props("url", { pathname: location.pathname, href: location.href });
  };

  document.addEventListener("rt:rendered", ({ detail }) => {
    if (detail.name === "drawer") return;
    laid = page(detail.at);
    show();
  });
  addEventListener("popstate", show);
})();
