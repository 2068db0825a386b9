// A form whose answer is a part of the page: what was typed stays where it is, and comes back from nowhere.

for (const form of document.querySelectorAll("form[data-into]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const place = document.querySelector(form.dataset.into);
    place.setAttribute("aria-busy", "true");
    place.textContent = "Deciding";
    const body = new URLSearchParams(new FormData(form));
    body.set("part", "1");
    const answer = await fetch(form.action, { method: "POST", body }).catch(() => null);
    if (answer?.ok) place.innerHTML = await answer.text(); // written by our own template, which escapes all that it is given
    else if (answer?.status === 413) place.textContent = "This is too long to be tested here: 250,000 bytes are read.";
    else place.textContent = "It cannot be decided now. Try again; what you typed is still there.";
    place.removeAttribute("aria-busy");
  });
}
