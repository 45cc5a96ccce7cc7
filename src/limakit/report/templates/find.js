// Narrows the answers to those that hold every word looked for and were judged in the way that was chosen.
(() => {
  const box = document.getElementById("find"), words = document.getElementById("find-words");
  const result = document.getElementById("find-result"), told = document.getElementById("find-told");
  const items = [...document.querySelectorAll(".pair")];
  const texts = items.map((item) => item.textContent.toLocaleLowerCase());
  const narrow = () => {
    const wanted = words.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    items.forEach((item, number) => {
      const fits = wanted.every((word) => texts[number].includes(word)) &&
        (result.value === "" || item.dataset.result.split(" ").includes(result.value));
      item.hidden = !fits;
      shown += fits;
    });
    told.textContent = `${shown} of ${items.length} shown`;
  };
  words.addEventListener("input", narrow);
  result.addEventListener("change", narrow);
  box.hidden = false;
  narrow();
})();
