// The order beside the list: which one is shown, what is said of it, and where the focus goes.
// Emptied by htmx, so that the order's socket is closed with it.
(() => {
  const detail = document.getElementById("detail");
  const answer = document.getElementById("answer");
  const wide = matchMedia("(min-width: 75rem)"); // dashboard.css
  let asked = null; // the newest request for an order
  let opener = null; // the link that made it
  let acted = null; // the form or button that was used, until the focus goes elsewhere

  const isForOrder = (ctx) => Boolean(detail) && ctx?.target === detail && Boolean(ctx.request);
  const hushed = () => answer.replaceChildren();

  // --- open and close ------------------------------------------------------------------------------

  // Where there is no room beside the list, the order has a page of its own: before htmx sees the click.
  document.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest('[hx-target="#detail"]')) event.stopImmediatePropagation();
  }, true);

  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (isForOrder(ctx)) asked = ctx;
    if (isForOrder(ctx) || ctx.sourceElement.matches("[data-answered]")) hushed();
  });

  // The one that was asked for last is shown, whichever answer comes last. And no page of trouble; a 403 has words.
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = event.detail;
    if (isForOrder(ctx) && (ctx !== asked || (ctx.response.status >= 400 && ctx.response.status !== 403))) event.preventDefault();
  });

  for (const trouble of ["htmx:error", "htmx:response:error"]) document.addEventListener(trouble, ({ detail: { ctx } }) => {
    if (!isForOrder(ctx) || ctx !== asked) return;
    answer.textContent = ctx.response?.status === 404 ? "There is no such order any more." : "The order did not open: no good answer from the shop. Try again.";
  });

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (!isForOrder(ctx) || !detail.childElementCount) return;
    opener = ctx.sourceElement;
    detail.focus();
  });

  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-close-answer]")) hushed();
    if (target.closest("[data-close-detail]")) close();
  });

  function close() {
    asked = null;
    if (!detail?.childElementCount) return;
    hushed();
    const row = opener?.closest("li")?.id; // a push may have put another in its place
    htmx.swap({ sourceElement: detail, target: detail, swap: "innerHTML", text: "" });
    const back = opener?.isConnected ? opener : document.getElementById(row)?.querySelector("a[href]");
    (back ?? document.querySelector(".payment-row a"))?.focus();
  }
  document.addEventListener("dashboard:close", close);

  // --- the focus of who acts -----------------------------------------------------------------------

  document.addEventListener("htmx:before:request", ({ detail: { ctx: { sourceElement } } }) => {
    if (sourceElement.matches("[data-answered]") && sourceElement.closest(".payment-page")) acted = sourceElement;
  });
  for (const event of ["focusin", "pointerdown"]) document.addEventListener(event, ({ target }) => {
    if (acted && !acted.contains(target)) acted = null;
  });

  // A button that works cannot be focused, and one that has done its work goes: then on to what can be done next.
  function keepFocus() {
    if (!acted || document.activeElement !== document.body) return;
    const form = acted.isConnected ? acted : document.getElementById(acted.id);
    const button = form?.querySelector("button");
    if (button?.checkVisibility()) return button.focus();
    document.getElementById("actions-title")?.focus();
  }
  // What a push hides keeps the focus until it is drawn.
  const drawn = () => requestAnimationFrame(() => requestAnimationFrame(keepFocus));
  for (const event of ["htmx:finally:request", "htmx:after:swap"]) document.addEventListener(event, () => acted && drawn());
})();
