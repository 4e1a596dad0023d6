// What comes in: a bell, a count in the window's title, and words for screen readers, a few at a time.
(() => {
  const GAP = 5_000; // ms between two announcements
  const BELL_GAP = 1_000;
  const MOST_KNOWN = 1_000;

  const title = document.title;
  const known = new Map(); // rows that came in, the last ones: id → when
  // Seconds since 1970, by the shop's clock: what came in before is on the page, too old for it, or was told.
  let since = Number(document.getElementById("freshness").dataset.asOf);
  for (const row of document.querySelectorAll("[data-payment]")) {
    since = Math.max(since, row.dataset.placed);
    if (isPaid(row)) know(row);
  }

  function isPaid({ dataset: { payment } }) {
    return payment === "paid" || payment === "processing";
  }

  // A bank debit is under way some time after its order was placed; all else has come in when it was paid.
  function isNew(row) {
    return isPaid(row) && !known.has(row.id) && (row.dataset.payment === "processing" || row.dataset.placed > since);
  }

  function know(row) {
    known.set(row.id, Number(row.dataset.placed));
    if (known.size <= MOST_KNOWN) return;
    const [oldest, placed] = known.entries().next().value;
    known.delete(oldest);
    since = Math.max(since, placed);
  }

  // Also while the screen is held still, so before pause.js.
  document.addEventListener("htmx:before:ws:message", (event) => {
    const { text, json } = event.detail.message;
    if (json || event.defaultPrevented || !text.includes(" data-payment=")) return;
    // One row, or a whole list.
    for (const row of new DOMParser().parseFromString(text, "text/html").querySelectorAll("[data-payment]")) {
      if (!isNew(row)) continue;
      know(row);
      ring();
      count();
      announce(row);
    }
  });

  // --- the count -----------------------------------------------------------------------------------

  let unseen = 0;

  function count() {
    unseen = document.hidden ? unseen + 1 : 0;
    document.title = unseen ? `(${unseen}) ${title}` : title;
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseen = 0;
    document.title = title;
  });

  // --- words ---------------------------------------------------------------------------------------

  const region = document.getElementById("announcements");
  let unsaid = [];
  let said = -GAP;
  let timer = 0;

  function announce(row) {
    unsaid.push({ amount: row.dataset.amount, currency: row.dataset.currency });
    timer ||= setTimeout(say, Math.max(said + GAP - performance.now(), 0));
  }

  function say() {
    timer = 0;
    if (!unsaid.length || document.querySelector('[data-name="pause"][aria-pressed="true"]')) return;
    said = performance.now();
    const words = document.createElement("p");
    words.textContent = `${unsaid.length} payment${unsaid.length > 1 ? "s" : ""} came in${sums()}`;
    region.replaceChildren(words);
    unsaid = [];
  }

  function sums() {
    if (document.documentElement.classList.contains("amounts-hidden")) return "";
    const amounts = new Map();
    for (const { amount, currency } of unsaid) amounts.set(currency, [...(amounts.get(currency) ?? []), amount]);
    return `, ${[...amounts].map((all) => sum(...all)).join(" and ")} in all`;
  }

  // Amounts as "12.50": added up as whole numbers.
  function sum(currency, amounts) {
    const digits = amounts[0].split(".")[1]?.length ?? 0;
    const whole = amounts.reduce((total, amount) => total + Number(amount.replace(".", "")), 0);
    const style = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
    return (whole / 10 ** digits).toLocaleString(document.documentElement.lang, style);
  }

  document.addEventListener("dashboard:switch", ({ detail }) => detail.name === "pause" && !detail.on && say());

  // --- the bell ------------------------------------------------------------------------------------

  let sound = false;
  let audio = null;
  let rang = -BELL_GAP;

  // Browsers play nothing before somebody has touched the page: pressing the switch is that, after a reload the
  // first click or key is.
  function listen() {
    if (!sound || !navigator.userActivation?.hasBeenActive) return;
    audio ??= new AudioContext();
    audio.resume();
  }
  for (const touch of ["pointerup", "keyup"]) document.addEventListener(touch, listen);

  document.addEventListener("dashboard:switch", ({ detail: { name, on } }) => {
    if (name !== "sound") return;
    sound = on;
    listen();
    if (on) ring(); // this is what it will be like
  });

  function ring() {
    if (!sound || audio?.state !== "running" || performance.now() - rang < BELL_GAP) return;
    rang = performance.now();
    strike(1318.5, 0.12, 0.9);
    strike(2637, 0.05, 0.5); // an octave above, sooner gone
  }

  function strike(frequency, loudness, seconds) {
    const now = audio.currentTime;
    const tone = new OscillatorNode(audio, { frequency });
    const volume = new GainNode(audio, { gain: 0 });
    volume.gain.linearRampToValueAtTime(loudness, now + 0.005);
    volume.gain.exponentialRampToValueAtTime(0.0001, now + seconds);
    tone.connect(volume).connect(audio.destination);
    tone.start();
    tone.stop(now + seconds);
  }
})();
