// Sets the theme before the page is painted: "light", "dark", or that of the system. It is not a module, so that it runs at once.
(() => {
  try {
    const theme = localStorage.getItem('evrun.theme')
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  } catch { /* storage is off: the system's theme */ }
})()
