// How fresh the page is: the badge, the heartbeat, and what the sockets' close codes mean.
// Swapping fragments, reconnecting and waiting in hidden tabs are htmx's (hx-ws).
(() => {
  const SILENCE = 40_000; // ms; the server says a word every 15 s (realtime/sweep.py)
  const SESSION_OVER = 4401, FORBIDDEN = 4403, TOO_MANY = 4429; // realtime/codes.py
  const RELOADED = `reloaded ${location.pathname}`;

  // Staff's list may have an order beside it, with a socket of its own. By the element that connects:
  // heard, when anything came last, ms; told, when its last word did; asOf, what that said; state: opening, live
  // or broken; link, hx-ws's own.
  const connections = new Map();
  const refused = new WeakSet(); // elements that do without
  let stopped = "";
  let heldAt = 0; // as of when the screen is held still (pause.js), s

  function connectionOf(element) {
    if (!connections.has(element)) {
      connections.set(element, { state: "opening", heard: 0, told: 0, asOf: Number(badge().dataset.asOf) });
    }
    return connections.get(element);
  }

  const badge = () => document.getElementById("freshness");
  const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { timeStyle: "short" });

  function show(state, text) {
    if (!badge() || badge().dataset.state === state) return;
    // Read out when it gets worse; "Live" after every page load would be noise.
    badge().ariaLive = state === "live" ? "off" : "polite";
    badge().dataset.state = state;
    badge().querySelector(".freshness-text").textContent = text(time(badge().dataset.asOf));
  }

  // The page is as fresh as the connection that is worst off.
  function showConnections() {
    const all = [...connections.values()];
    if (stopped || !all.length) return;
    badge().dataset.asOf = Math.min(heldAt || Infinity, ...all.map(({ asOf }) => asOf));
    if (all.some(({ state }) => state === "broken")) show("reconnecting", (asOf) => `Reconnecting · as of ${asOf}`);
    else if (heldAt) show("paused", (asOf) => `Paused · as of ${asOf}`);
    else if (all.every(({ state }) => state === "live")) show("live", () => "Live");
  }

  function stop(reason) {
    stopped = reason;
    show("stopped", (asOf) => `As of ${asOf} · ${reason}`);
  }

  document.addEventListener("dashboard:switch", ({ detail: { name, on } }) => {
    if (name !== "pause") return;
    heldAt = on ? Number(badge().dataset.asOf) : 0;
    showConnections();
  });

  // The session behind the page is over, a right was taken away, or the ticket is too old: a fresh page has a fresh
  // ticket, or says why not. Once: a page that is refused again at once would reload forever. Storage may be
  // forbidden: then nobody knows whether it was.
  function reloadOnce() {
    let last = Date.now();
    try {
      last = Number(sessionStorage.getItem(RELOADED));
      sessionStorage.setItem(RELOADED, Date.now());
    } catch {}
    if (Date.now() - last < 60_000) return stop("reload the page to go on");
    location.reload();
  }

  function forgetReload() {
    try { sessionStorage.removeItem(RELOADED); } catch {}
  }

  // Only to see what is new; who holds the screen still (pause.js) sees it later.
  function reloadForNews(reload) {
    if (document.dispatchEvent(new CustomEvent("live:news", { cancelable: true }))) reload();
    else stop("paused");
  }

  // Catching up reads behind and sends again what has just changed. The same state is no news: it must not
  // light up, nor be read out. A whole list has its first row's version, and is news.
  function isShown(fragment) {
    const [, target] = fragment.match(/ hx-target="#([\w-]+)/) ?? [];
    const [, id, version] = fragment.match(/ id="([\w-]+)"[^>]* data-version="(\d+)"/) ?? [];
    return version !== undefined && id === target && document.getElementById(id)?.dataset.version === version;
  }

  document.addEventListener("htmx:before:ws:connection", (event) => {
    if (stopped || refused.has(event.target)) event.preventDefault();
    else Object.assign(connectionOf(event.target), { heard: Date.now(), told: Date.now(), link: event.detail.connection });
  });

  document.addEventListener("htmx:before:ws:message", (event) => {
    const connection = connectionOf(event.target);
    connection.heard = Date.now();
    const { text, json } = event.detail.message;
    if (!json && isShown(text)) event.preventDefault();
    if (!json?.as_of) return;
    Object.assign(connection, { state: "live", told: Date.now(), asOf: json.as_of });
    showConnections();
    forgetReload(); // a page that was let in may reload again: log in, then log out
  });

  // The list goes on; the order beside it says of itself that it does not.
  function doWithout(element) {
    refused.add(element);
    connections.delete(element);
    element.querySelector("[data-not-live]").hidden = false;
    showConnections();
  }

  document.addEventListener("htmx:ws:close", (event) => {
    const { code, reason, connection: { socket } } = event.detail;
    if (reason === "removed") {
      connections.delete(event.target);
      // hx-ws forgets a socket that is still opening, and the server would count it for ever.
      if (socket?.readyState === WebSocket.CONNECTING) socket.addEventListener("open", () => socket.close());
      return showConnections();
    }
    if (refused.has(event.target)) return;
    if (code === TOO_MANY && event.target.closest("#detail")) return doWithout(event.target);
    Object.assign(connectionOf(event.target), { state: "broken", heard: 0 });
    if (code === SESSION_OVER || code === FORBIDDEN) reloadOnce();
    else if (code === TOO_MANY) {
      stop("too many windows are open");
      // Windows that just closed count for a while. Where something can be typed or sent, that is for the shopper.
      if (!document.querySelector("form#buy, form[data-answered]")) setTimeout(() => location.reload(), 60_000);
    }
    else showConnections();
  });

  // A connection can die without a sound (a laptop that moved, a middlebox that forgot). And one that brings this
  // and that, but no word: what is missing nobody knows, and a reload would not bring it.
  setInterval(async () => {
    const isLong = (since) => since && Date.now() - since >= SILENCE;
    const silent = () => [...connections.values()].filter(({ heard }) => isLong(heard));
    if (stopped) return;
    for (const connection of connections.values()) if (isLong(connection.told)) connection.state = "broken";
    for (const connection of silent()) {
      if (connection.link.socket?.readyState !== WebSocket.CONNECTING) continue;
      connection.heard = 0;
      connection.link.socket.close(); // it hangs in the handshake; hx-ws tries again
    }
    showConnections();
    if (!silent().length) return;
    const answer = await fetch("/readyz", { cache: "no-store" }).catch(() => null);
    if (answer?.ok && silent().length) reloadForNews(() => location.reload());
  }, 5_000);

  // htmx looks at the page one tick after its own file has run. On a slow line that is before hx-ws is there,
  // and the page would never connect: hold it until every script has run.
  let held = false;
  function hold(event) {
    held = true;
    event.preventDefault();
  }
  document.addEventListener("htmx:before:process", hold);
  document.addEventListener("DOMContentLoaded", () => {
    document.removeEventListener("htmx:before:process", hold);
    if (held) htmx.process(document.body);
  });

  // What takes its time says so, and cannot be sent twice.
  const idle = new WeakMap(); // button → what stands on it else
  function work(button) {
    if (!button?.dataset.busy || button.disabled) return;
    idle.set(button, [...button.childNodes]);
    button.dataset.idle = "";
    button.replaceChildren(button.dataset.busy);
    button.disabled = true;
  }
  document.addEventListener("submit", (event) => work(event.submitter ?? event.target.querySelector("[data-busy]")));
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => work(ctx.sourceElement));
  function rest(within) {
    const all = [...within.querySelectorAll("[data-idle]")];
    for (const button of within.dataset?.idle === undefined ? all : [within, ...all]) {
      button.replaceChildren(...idle.get(button));
      delete button.dataset.idle;
      button.disabled = false;
    }
  }
  // Back from Stripe by the back button the browser may show the page as it was left.
  window.addEventListener("pageshow", () => rest(document));
  document.addEventListener("htmx:finally:request", (event) => rest(event.detail.ctx.sourceElement));

  // Where an answer is awaited on the spot, no good answer is one, too; a better one takes its place.
  for (const trouble of ["htmx:error", "htmx:response:error"]) document.addEventListener(trouble, (event) => {
    const { sourceElement, response } = event.detail.ctx ?? {};
    const answer = document.getElementById("answer");
    if (answer && sourceElement?.matches("[data-answered]") && response?.status !== 422) answer.textContent = answer.dataset.trouble;
  });
})();
