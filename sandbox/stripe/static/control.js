"use strict";

// Comfort only: the page works the same without it.
const SECONDS = 2;

function isInUse(section) {
  const selection = getSelection();
  return section.contains(document.activeElement) || (!selection.isCollapsed && section.contains(selection.anchorNode))
    || [...section.querySelectorAll("input:not([type=hidden])")].some((input) => input.value !== input.defaultValue);
}

async function refresh() {
  if (document.hidden) return;
  const response = await fetch("/", { headers: { Accept: "text/html" } });
  const news = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const section of document.querySelectorAll("[data-live]")) {
    const fresh = news.getElementById(section.id);
    if (fresh && !isInUse(section) && fresh.innerHTML !== section.innerHTML) section.replaceChildren(...fresh.childNodes);
  }
}

setInterval(() => refresh().catch(() => {}), SECONDS * 1000);  // while nobody answers, the page stays as it is

document.addEventListener("click", async (event) => {
  const code = event.target.closest(".copy");
  if (!code) return;
  await navigator.clipboard.writeText(code.textContent.replaceAll(" ", ""));
  code.classList.add("copied");
  setTimeout(() => code.classList.remove("copied"), 1200);
});
