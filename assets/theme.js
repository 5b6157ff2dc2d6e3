// Dark and light: an attribute on <html>, kept by the browser; charts read the same tokens as the style sheet.

document.addEventListener("click", (event) => {
  if (!event.target.closest("#theme-switch")) return;
  const root = document.documentElement;
  const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
  root.setAttribute("data-bs-theme", next);
  try {
    localStorage.setItem("rt-theme", next);
  } catch {
    // without storage the theme still works
  }
  document.dispatchEvent(new CustomEvent("rt:themed"));
});
