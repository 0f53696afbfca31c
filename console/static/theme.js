// Runs before the first paint, so that a day-theme room never flashes black on reload.
try {
  var kept = localStorage.getItem('theme')
  if (kept === 'day' || kept === 'night') document.documentElement.dataset.theme = kept
  if (localStorage.getItem('lang') === 'en') document.documentElement.lang = 'en'
} catch {
  // Storage may be forbidden; the night theme stays.
}
