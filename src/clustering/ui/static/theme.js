// Before anything is drawn: the colours that this reader has chosen.
"use strict";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch (error) { console.warn("the choice of colours cannot be kept here", error); }
