// The overview: plots, and what needs somebody is kept current.
import { plots } from '../lib/plot.js'
import { refreshEvery } from '../lib/regions.js'

plots()
refreshEvery(5000)
