// Before anything is drawn: the theme that was chosen, and that there are scripts.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("has-scripts");
  try {
    var theme = localStorage.getItem("hookline-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch (error) {
    // Without storage the system's theme holds.
  }
})();
