// Dialogs are not Dash components: a button names the one it opens, a click on the backdrop closes it.

export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  for (const other of document.querySelectorAll("dialog[open]")) other.close();
  dialog.showModal();
  dialog.dispatchEvent(new CustomEvent("rt:opened"));
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) openDialog(opener.getAttribute("data-opens"));
  else if (event.target.matches("dialog")) event.target.close();
});
