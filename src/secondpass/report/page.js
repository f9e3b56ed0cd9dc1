(function () {
  "use strict";
  var english = document.getElementById("english");
  var chinese = document.getElementById("chinese");
  function say() {
    document.documentElement.lang = chinese.checked ? "zh-Hans" : "en";
  }
  chinese.checked = /^zh\b/i.test(navigator.language || "");
  english.checked = !chinese.checked;
  english.addEventListener("change", say);
  chinese.addEventListener("change", say);
  say();
})();
