// A hook: its numbers and what it refused are kept current.
import { refreshEvery } from '../lib/regions.js'

refreshEvery(5000)
