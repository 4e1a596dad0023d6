// Times as the reader's clock shows them. Without JavaScript they are the server's, with its zone.
(() => {
  const format = (time) => {
    const timeStyle = time.closest(".timeline") ? "medium" : "short";
    return new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle });
  };
  function localise() {
    for (const time of document.querySelectorAll("time[datetime]")) time.textContent = format(time);
  }
  document.addEventListener("htmx:after:swap", localise);
  localise();
})();
