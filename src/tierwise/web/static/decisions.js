// The list of decisions by keyboard: the arrows go from row to row, Home and End to the first and the last, Enter opens.

const rows = document.querySelector("#rows");
rows?.addEventListener("keydown", (event) => {
  const links = [...rows.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (at < 0 || to === undefined || !links[to]) return;
  event.preventDefault();
  links[to].focus();
});
