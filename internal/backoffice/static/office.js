// The pages work without this file. It keeps the counters fresh (Server-Sent
// Events) and puts the focus where a part of a page was replaced.
(function () {
  "use strict";

  // <main data-live="/oggi/numeri"> … <span data-live-value="key">
  var live = document.querySelector("[data-live]");
  if (live && window.EventSource) {
    var source = new EventSource(live.getAttribute("data-live"));
    source.addEventListener("numbers", function (e) {
      var values = JSON.parse(e.data);
      document.querySelectorAll("[data-live-value]").forEach(function (el) {
        var v = values[el.getAttribute("data-live-value")];
        if (v !== undefined && el.textContent !== v) { el.textContent = v; }
      });
    });
    source.addEventListener("end", function () { source.close(); }); // long enough: reload to go on
    window.addEventListener("pagehide", function () { source.close(); });
  }

  // What was asked for with the keyboard is where the reader goes on.
  document.addEventListener("htmx:afterSwap", function (e) {
    var target = document.getElementById(e.target.id);
    if (!target || target.hasAttribute("data-quiet")) { return; } // it changes by itself: the reader stays where they are
    if (!target.hasAttribute("tabindex")) { target.setAttribute("tabindex", "-1"); }
    target.focus();
  });

  // The first field that is wrong, or the one the page is for.
  var first = document.querySelector(".avviso.bad[tabindex]");
  if (first) { first.focus(); }
})();
