// An event: while its runs go on, what came of it is kept current.
import { $ } from '../lib/dom.js'
import { command } from '../lib/palette.js'
import { refreshEvery } from '../lib/regions.js'

if ($('[data-going]')) refreshEvery($('[data-large]') ? 10000 : 2000)

const edit = $('[data-key="e"]')
if (edit) command({ title: 'Edit this event and emit it again', hint: 'Event', run: () => edit.click() })
