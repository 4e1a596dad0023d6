// The keyboard: rows, the order beside them, search, pause. The dialog #keys tells of the keys, and switches them off.
(() => {
  const help = document.getElementById("keys");
  const ROWS = ".payment-row, .delivery";
  let current = ""; // id of the row that was last gone to
  let off = false;

  const rows = () => [...document.querySelectorAll(ROWS)].filter((row) => row.checkVisibility?.() ?? true);
  // What a row is about, not what else can be done with it.
  const MAIN = [".delivery-order", ".needs-payload", "a[href]"];
  const linkIn = (row) => MAIN.map((main) => row?.querySelector(main)).find((link) => link?.checkVisibility());

  function go(steps) {
    const all = rows();
    const at = all.findIndex((row) => row.contains(document.activeElement) || row.id === current);
    const row = all[at < 0 ? 0 : Math.min(Math.max(at + steps, 0), all.length - 1)];
    linkIn(row)?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  function search() {
    const field = document.querySelector('.filter [type="search"]');
    if (!field) return;
    const fold = field.closest("details");
    if (fold) fold.open = true;
    field.focus();
    field.select();
  }

  const KEYS = {
    j: () => go(1),
    k: () => go(-1),
    "/": search,
    p: () => document.querySelector('[data-name="pause"]')?.click(),
    "?": () => help.showModal(),
    Escape: () => document.dispatchEvent(new CustomEvent("dashboard:close")), // detail.js
  };

  document.addEventListener("keydown", (event) => {
    const key = KEYS[event.key];
    if (!key || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    if (off && event.key !== "Escape") return;
    if (event.repeat && event.key === "p") return;
    event.preventDefault();
    key();
  });

  document.addEventListener("dashboard:switch", ({ detail: { name, on } }) => name === "no-keys" && (off = on));
  document.addEventListener("focusin", ({ target }) => (current = target.closest(ROWS)?.id ?? current));
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-keys]")) help.showModal();
  });
})();
