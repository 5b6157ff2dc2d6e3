// Forms of the Ingest page: a submitted form puts its fields into a Store, and a callback handles the request.
// A form with data-picks is a list with check boxes; its button shows how many are checked.
import { setProps } from "./dash.js";
import { go } from "./navigate.js";

const boxes = (form) => [...form.querySelectorAll("input[type=checkbox]")];

function count(form) {
  const picked = boxes(form).filter((box) => box.checked).length;
  const button = form.querySelector("[data-picked]");
  button.textContent = `Fetch ${picked}${picked === 1 ? " build" : " builds"}`;
  button.disabled = !picked;
}

function check(form, wanted) {
  for (const box of boxes(form)) box.checked = wanted(box);
  count(form);
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-ask]");
  if (!form) return;
  const fields = new FormData(form);
  const request = {};
  for (const name of fields.keys()) request[name] = name === "urls" ? fields.getAll(name) : fields.get(name);
  setProps(form.getAttribute("data-ask"), { data: request });
  for (const field of form.querySelectorAll("input:not([type=hidden], [type=checkbox])")) field.value = "";
  if (form.hasAttribute("data-picks")) check(form, () => false); // so that the same builds are not requested twice
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-picks]");
  if (form) count(form);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pick]");
  if (!button) return;
  const which = button.getAttribute("data-pick");
  check(button.form, (box) => which === "all" || (which === "new" && box.hasAttribute("data-new")));
});
document.addEventListener("rt:rendered", ({ detail }) => {
  if (detail.name === "ingest") document.querySelectorAll("form[data-picks]").forEach(count);
  const answer = detail.name === "ingest-result" && document.querySelector("#ingest-result [data-go-to]");
  if (answer) go(answer.getAttribute("data-go-to"));
});
