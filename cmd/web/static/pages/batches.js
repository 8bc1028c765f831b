// The batches, while they run.
import { watch } from '../lib/batch.js'

watch()
