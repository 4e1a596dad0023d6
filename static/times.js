// Times as the reader's clock shows them. Without JavaScript they are the server's, with its zone; and on the
// dashboard, whose days are the shop's.
(() => {
  function local(time) {
    const date = new Date(time.dateTime);
    const parts = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
    if (date.getFullYear() !== new Date().getFullYear()) parts.year = "numeric";
    if (time.closest(".timeline")) parts.second = "2-digit";
    return date.toLocaleString([], parts);
  }
  function localise() {
    for (const time of document.querySelectorAll("time[datetime]:not(.dashboard *)")) time.textContent = local(time);
  }
  document.addEventListener("htmx:after:ws:message", localise);
  localise();
})();
