// The time left on open checkouts, by the shop's clock: <time class="checkout-left" data-until="1767225600">.
(() => {
  const badge = document.getElementById("freshness");
  let ahead = Number(badge.dataset.asOf) * 1000 - Date.now(); // ms by which the shop's clock is ahead of ours

  function words(seconds) {
    if (seconds <= 0) return "over";
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const [first, ...rest] = parts[0] ? parts : parts.slice(1);
    return `${[first, ...rest.map((part) => String(part).padStart(2, "0"))].join(":")} left`;
  }

  function tick() {
    const now = (Date.now() + ahead) / 1000;
    for (const time of document.querySelectorAll(".checkout-left[data-until]")) {
      const text = words(Math.ceil(time.dataset.until - now));
      if (time.textContent !== text) time.textContent = text;
    }
  }

  document.addEventListener("htmx:before:ws:message", ({ detail: { message: { json } } }) => {
    if (json?.as_of) ahead = json.as_of * 1000 - Date.now();
  });
  document.addEventListener("htmx:after:swap", tick); // what came in says when it ends
  setInterval(tick, 1000);
  tick();
})();
