// The theme that somebody has chosen in this browser: theme.js of every page sets it before the page is painted.

const name = 'evrun.theme'

/** The chosen theme: light or dark; empty: that of the system. */
export function theme() {
  try {
    return localStorage.getItem(name) ?? ''
  } catch { // the storage is off
    return ''
  }
}

/** Chooses a theme, for this page and, where the storage is on, for those that follow. */
export function choose(theme) {
  if (theme) document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
  try {
    if (theme) localStorage.setItem(name, theme)
    else localStorage.removeItem(name)
  } catch { /* for this page alone */ }
}
