// Amounts that are hidden do not show for a moment either: runs before the first paint.
(() => {
  const root = document.documentElement;
  const words = new WeakMap(); // <desc> of a picture → what it says

  function hide(on) {
    root.classList.toggle("amounts-hidden", on);
    if (on) for (const id of ["answer", "announcements"]) document.getElementById(id)?.replaceChildren();
    describe();
  }

  // What describes a picture is read out whatever the style sheet says of it.
  function describe() {
    const hidden = root.classList.contains("amounts-hidden");
    for (const desc of document.querySelectorAll("desc.amount")) {
      if (hidden && desc.textContent) {
        words.set(desc, desc.textContent);
        desc.textContent = "";
      } else if (!hidden && !desc.textContent) desc.textContent = words.get(desc) ?? "";
    }
  }

  document.addEventListener("dashboard:switch", ({ detail }) => detail.name === "amounts" && hide(detail.on));
  document.addEventListener("htmx:after:swap", describe);
  try {
    hide(localStorage.getItem("switch amounts") === "on");
  } catch {} // storage may be forbidden
})();
