// The steppers, and a cart that follows what the server pushes. Without JavaScript the number fields do.
(() => {
  const form = document.getElementById("buy");
  const inputIn = (element) => element.closest("[data-stepper]").querySelector("input");
  const changed = (input) => input.dispatchEvent(new Event("input", { bubbles: true }));

  for (const button of form.querySelectorAll("[data-step]")) button.hidden = false;

  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (!button) return;
    const input = inputIn(button);
    const wanted = (parseInt(input.value, 10) || 0) + Number(button.dataset.step);
    input.value = Math.min(Math.max(wanted, input.min), input.max);
    changed(input);
  });

  form.addEventListener("focusout", ({ target }) => {
    if (target.matches("[data-stepper] input") && target.value === "") {
      target.value = 0;
      changed(target);
    }
  });

  // Who goes back from the payment page finds what was chosen: this address fills the cart with it.
  form.addEventListener("submit", () => {
    const chosen = [...new FormData(form)].filter(([name, value]) => name.startsWith("quantity-") && value > 0);
    history.replaceState(null, "", `/?${new URLSearchParams(chosen)}`);
  });

  // A price or stock level changed under a product that was chosen: add up again.
  document.addEventListener("htmx:after:ws:message", (event) => {
    const slug = event.detail.message.text.match(/id="stock-([\w-]+)"/)?.[1];
    const input = slug && form.elements[`quantity-${slug}`];
    if (input && Number(input.value) > 0) changed(input);
  });
})();
